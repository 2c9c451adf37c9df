/** What `doctor` prints for people. */
import { columns } from './columns.js';
import type { Diagnosis } from '../doctor/doctor.js';

export function doctorTable({ ok, checks }: Diagnosis): string {
  const rows = checks.flatMap(({ name, result, text, todo }) => [
    [result, name, text],
    ...(todo === undefined ? [] : [['', '', `→ ${todo}.`]]),
  ]);
  const count = (wanted: string): number => checks.filter(({ result }) => result === wanted).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const end = ok && warnings === 0 ? 'Nothing is wrong.' : `Errors: ${errors}. Warnings: ${warnings}.`;
  return `${columns(rows)}\n\n${end}`;
}
