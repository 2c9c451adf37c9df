import { z } from 'zod';
import { jsonIn } from './json.js';
import { keepable } from './words.js';

/** The standard events "Invoice Posted" and "Credit Memo Posted", by their codes. */
export const POSTED_EVENTS = ['1110', '2720'] as const;

const LONGEST_NAME = 80;

/** Source: `GET /notifications/notification-definitions`. */
const page = z.object({
  data: z.array(z.object({ name: z.string(), active: z.boolean().nullish(), emailActive: z.boolean().nullish() })),
});

/** The names of the definitions that email. Undefined if the body is not a page of definitions. */
export function emailNotificationsIn(body: string): readonly string[] | undefined {
  const parsed = page.safeParse(jsonIn(body));
  return parsed.data?.data
    .filter(({ active, emailActive }) => active === true && emailActive === true)
    .map(({ name }) => keepable(name, LONGEST_NAME));
}
