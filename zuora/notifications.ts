/** By which notifications Zuora emails documents, for which communication profiles. */
import { z } from 'zod';
import { nextPage, optional, yesOrNo, type DocumentKind, type Query } from './documents.js';
import { flag, words } from './members.js';
import { keepable } from './words.js';

/** The standard events "Invoice Posted" and "Credit Memo Posted", by their codes. */
export const POSTED_EVENTS: Readonly<Record<DocumentKind, string>> = { invoice: '1110', creditMemo: '2720' };

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

/** The events "Manual Email For Invoice" and "Email Credit Memo", which a send brings about. */
export const EVENTS: Readonly<Record<DocumentKind, string>> = { invoice: '1130', creditMemo: '2730' };

export type Definition = z.infer<typeof definition>;
const definition = z
  .object({
    active: flag,
    emailActive: flag,
    communicationProfileId: optional,
    communicationProfileIds: z.array(words).nullish().catch(undefined),
  })
  .transform(({ active, emailActive, communicationProfileId: one, communicationProfileIds: several }) => ({
    /** Null: Zuora does not say. */
    emails: active === true && emailActive === true ? true : active === false || emailActive === false ? false : null,
    /** Null: Zuora does not name them, so it may be for any. */
    profileIds: several ?? (one === null ? null : [one]),
  }));

/** Source: `GET /notifications/notification-definitions`. One that is missing on the page may be on the next. */
export const definitions = z
  .object({ data: z.array(definition), next: nextPage })
  .transform(({ data, next }): readonly Definition[] =>
    next === undefined ? data : [...data, { emails: null, profileIds: null }],
  );

/** The largest page. More of one event are not to be expected. */
export function definitionsOf(kind: DocumentKind): { readonly path: string; readonly query: Query } {
  const query = [
    ['eventCategory', EVENTS[kind]],
    ['limit', '100'],
  ] as const;
  return { path: 'notifications/notification-definitions', query };
}

/** Whether one of an event's definitions emails for a profile. Null: not known. */
export function emailsFor(all: readonly Definition[], profileId: string | null): boolean | null {
  const certain = all.filter(
    ({ profileIds }) => profileIds === null || (profileId !== null && profileIds.includes(profileId)),
  );
  if (certain.some(({ emails }) => emails === true)) return true;
  const possible = profileId === null ? all : certain;
  return possible.every(({ emails }) => emails === false) ? false : null;
}

export const PROFILES_PATH = 'settings/communication-profiles';
/** Source: `GET /settings/communication-profiles`. */
export const profiles = z.array(z.object({ id: words, name: optional, isDefault: yesOrNo, muted: yesOrNo }));

export type Profile = z.infer<typeof profiles>[number];
