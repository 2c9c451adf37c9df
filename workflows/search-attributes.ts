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
