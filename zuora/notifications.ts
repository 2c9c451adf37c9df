import { z } from 'zod';
import { flag } from './members.js';
import { keepable } from './words.js';

/** The standard events "Invoice Posted" and "Credit Memo Posted", by their codes. */
export const POSTED_EVENTS = ['1110', '2720'] as const;

const LONGEST_NAME = 80;

/** The names of the definitions that email. Source: `GET /notifications/notification-definitions`. */
export const emailNotifications = z
  .object({
    data: z.array(z.object({ name: z.string().catch('without a name'), active: flag, emailActive: flag })),
  })
  .transform(({ data }): readonly string[] =>
    data
      .filter(({ active, emailActive }) => active === true && emailActive === true)
      .map(({ name }) => keepable(name, LONGEST_NAME)),
  );
