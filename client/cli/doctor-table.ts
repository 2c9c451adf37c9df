/** What `doctor` prints for people. */
import { coloured } from './terminal.js';
import { columns } from './columns.js';
import type { Check } from '../doctor/checkup.js';
import type { Diagnosis } from '../doctor/doctor.js';

const colourOf = { ok: 'green', warning: 'yellow', error: 'red' } as const;

function painted(result: Check['result']): string {
  return result === 'skipped' ? result : coloured(colourOf[result], result);
}

export function doctorTable({ ok, checks }: Diagnosis): string {
  const rows = checks.flatMap(({ name, result, text, todo }) => [
    [painted(result), name, text],
    ...(todo === undefined ? [] : [['', '', `→ ${todo}.`]]),
  ]);
  const count = (wanted: string): number => checks.filter(({ result }) => result === wanted).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const end = ok && warnings === 0 ? 'Nothing is wrong.' : `Errors: ${errors}. Warnings: ${warnings}.`;
  return `${columns(rows)}\n\n${end}`;
}
