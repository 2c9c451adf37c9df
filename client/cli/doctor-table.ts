/** What `doctor` prints for people. */
import { columns } from './columns.js';
import { coloured, wrapped } from './terminal.js';
import type { Check } from '../doctor/checkup.js';
import type { Diagnosis } from '../doctor/doctor.js';

const colourOf = { ok: 'green', warning: 'yellow', error: 'red' } as const;

function painted(result: Check['result']): string {
  return result === 'skipped' ? result : coloured(colourOf[result], result);
}

export function doctorTable({ ok, checks }: Diagnosis): string {
  const widest = (field: 'result' | 'name'): number => Math.max(...checks.map(({ [field]: { length } }) => length));
  const beside = widest('result') + widest('name') + 4;
  const cell = (text: string): string => wrapped(text, beside).join('\n');
  const rows = checks.flatMap(({ name, result, text, todo }) => [
    [painted(result), name, cell(text)],
    ...(todo === undefined ? [] : [['', '', cell(`→ ${todo}`)]]),
  ]);
  const count = (wanted: string): number => checks.filter(({ result }) => result === wanted).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const end = ok && warnings === 0 ? 'Nothing is wrong.' : `Errors: ${errors}. Warnings: ${warnings}.`;
  return `${columns(rows)}\n\n${end}`;
}
