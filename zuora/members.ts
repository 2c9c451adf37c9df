/** Members of Zuora's answers that come in more than one form. Null and a blank text count as absent. */
import { z } from 'zod';
import { keepable } from './words.js';

const LONGEST = 100;

const given = (value: unknown): unknown => (typeof value === 'string' && value.trim() === '' ? undefined : value);

/** As a boolean, a number or a word. Another one fails, because what we send may depend on it. */
export const flag = z.preprocess(given, z.coerce.string().pipe(z.stringbool()).nullish());

/** It only informs, so one that cannot be read counts as absent. */
export const count = z
  .union([
    z.int().nonnegative(),
    z
      .string()
      .regex(/^\s*\d{1,9}(\.0*)?\s*$/)
      .transform(Number),
  ])
  .nullish()
  .catch(undefined);

/** As it is written, of whatever type: one that is there and cannot be read counts as now. */
export const time = z.preprocess(
  (value) => (value == null || typeof value === 'string' ? value : JSON.stringify(value)),
  z
    .string()
    .transform((written) => keepable(written, LONGEST))
    .nullish(),
);

export const words = z.string().transform((written) => keepable(written, LONGEST));

/** What is wrong with which members. It quotes no value. */
export function faultsOf({ issues }: z.ZodError): string {
  const named = issues.filter(({ path }) => path.length > 0).slice(0, 5);
  return named.map(({ path, message }) => `${path.join('.')}: ${message.replace('Invalid input: ', '')}`).join('; ');
}
