import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** What Temporal's list view can be filtered and sorted by. Never encrypted, so nothing about customers is in them. */
export const searchAttributes = {
  billRunNumber: defineSearchAttributeKey('BillRunNumber', SearchAttributeType.KEYWORD),
  billRunId: defineSearchAttributeKey('BillRunId', SearchAttributeType.KEYWORD),
  billRunStatus: defineSearchAttributeKey('BillRunStatus', SearchAttributeType.KEYWORD),
  /** One of `EmailState`. */
  emailState: defineSearchAttributeKey('EmailState', SearchAttributeType.KEYWORD),
  /** How many sends Zuora accepted. */
  emailSends: defineSearchAttributeKey('EmailSends', SearchAttributeType.INT),
} as const;

type SearchAttribute = (typeof searchAttributes)[keyof typeof searchAttributes];

/** Which of them a namespace lacks, by the custom search attributes that it has, keyed by name. */
export function missingSearchAttributes(registered: object): readonly SearchAttribute[] {
  return Object.values(searchAttributes).filter(({ name }) => !Object.hasOwn(registered, name));
}
