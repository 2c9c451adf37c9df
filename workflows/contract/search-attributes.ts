import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** Temporal's list view filters and sorts by these. Temporal never encrypts them, so they hold nothing about customers. */
export const searchAttributes = {
  billRunNumber: defineSearchAttributeKey('BillRunNumber', SearchAttributeType.KEYWORD),
  billRunId: defineSearchAttributeKey('BillRunId', SearchAttributeType.KEYWORD),
  billRunStatus: defineSearchAttributeKey('BillRunStatus', SearchAttributeType.KEYWORD),
  /** One of `EmailState`. */
  emailState: defineSearchAttributeKey('EmailState', SearchAttributeType.KEYWORD),
  /** One of `EmailReason`; unset if the state needs no cause. */
  emailReason: defineSearchAttributeKey('EmailReason', SearchAttributeType.KEYWORD),
  /** Since when the job has its state and reason. */
  emailStateSince: defineSearchAttributeKey('EmailStateSince', SearchAttributeType.DATETIME),
  /** How many sends Zuora accepted, in all jobs of the bill run. */
  emailSends: defineSearchAttributeKey('EmailSends', SearchAttributeType.INT),
  /** How many documents were not sent; unset before the first check, and after a new acceptance. */
  documentsNotSent: defineSearchAttributeKey('DocumentsNotSent', SearchAttributeType.INT),
} as const;

type SearchAttribute = (typeof searchAttributes)[keyof typeof searchAttributes];

/** The search attributes that a namespace lacks. `registered` holds those that it has, keyed by name. */
export function missingSearchAttributes(registered: object): readonly SearchAttribute[] {
  return Object.values(searchAttributes).filter(({ name }) => !Object.hasOwn(registered, name));
}
