/** Shows the job: search attributes that changed, the text in Temporal UI, metrics, log lines, and notices to people. */
import { condition, setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { SearchAttributeUpdatePair, TypedSearchAttributes } from '@temporalio/common';
import type { JobMemo } from './contract/contract.js';
import { searchAttributes } from './contract/search-attributes.js';
import { documentsNotSent } from './rules/documents.js';
import { detailsOf } from './rules/details.js';
import { acceptedResends, acceptedSends, type EmailJob } from './rules/job.js';
import { nextStep } from './rules/next-step.js';
import { noticesDue, type DueNotice } from './rules/notices.js';
import { noteState } from './rules/status.js';
import type { Step } from './rules/step.js';
import { beginNotice } from './notify-people.js';
import { report } from './telemetry.js';
import { clock } from './waits.js';

/** What the starter of this job found about earlier ones. Others can write anything into a memo. */
export function handedOn(): {
  earlierRun?: string;
  accepted: number;
  resends: readonly string[];
  notSent: number | null;
} {
  const { memo = {}, typedSearchAttributes: indexed } = workflowInfo();
  const { earlierRun, resends }: { [Field in keyof JobMemo]: unknown } = memo;
  return {
    ...(typeof earlierRun === 'string' ? { earlierRun } : {}),
    accepted: indexed.get(searchAttributes.emailSends) ?? 0,
    resends: isListOfTexts(resends) ? resends : [],
    notSent: indexed.get(searchAttributes.documentsNotSent) ?? null,
  };
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

export function publish(job: EmailJob): void {
  const now = clock(job);
  const step = nextStep(job, now);
  const { typedSearchAttributes: indexed } = workflowInfo();
  noteState(job, step, job.stateSince === null ? listedSince(indexed, step, now) : now);
  // An input that is invalid says nothing about a bill run.
  const visible = step.kind === 'fail' && step.type === 'InvalidInput' ? null : step;
  const { billRun, stateSince } = job;
  const pairs: SearchAttributeUpdatePair[] = [
    // Before the first look, the number that the starter listed stays.
    ...(billRun === null && visible !== null ? [] : billRunAttributes(billRun)),
    { key: searchAttributes.emailState, value: visible?.state ?? null },
    { key: searchAttributes.emailReason, value: visible?.reason ?? null },
    {
      key: searchAttributes.emailStateSince,
      value: visible === null || stateSince === null ? null : new Date(stateSince.at),
    },
    { key: searchAttributes.emailSends, value: acceptedSends(job) },
    { key: searchAttributes.documentsNotSent, value: documentsNotSent(job) },
  ];
  const changed = pairs.filter(({ key, value }) => !isSame(indexed.get(key), value));
  if (changed.length > 0) upsertSearchAttributes(changed);
  const resends = acceptedResends(job);
  if (!isSame(JSON.stringify(resends), JSON.stringify(handedOn().resends))) upsertMemo({ resends });
  setCurrentDetails(detailsOf(job, now));
  report(job, step);
  for (const due of noticesDue(job, step, now)) void begin(job, due);
}

async function begin(job: EmailJob, { name, notice }: DueNotice): Promise<void> {
  job.notifying += 1;
  await beginNotice(name, notice);
  job.notifying -= 1;
}

function billRunAttributes(billRun: EmailJob['billRun']): readonly SearchAttributeUpdatePair[] {
  return [
    { key: searchAttributes.billRunNumber, value: billRun?.number ?? null },
    { key: searchAttributes.billRunId, value: billRun?.id ?? null },
    { key: searchAttributes.billRunStatus, value: billRun?.status ?? null },
  ];
}

/** Since when the starter listed the job in this state, so that the job need not list it again; otherwise now. */
function listedSince(indexed: TypedSearchAttributes, { state, reason }: Step, now: number): number {
  const isListed =
    indexed.get(searchAttributes.emailState) === state &&
    (indexed.get(searchAttributes.emailReason) ?? null) === reason;
  return isListed ? (indexed.get(searchAttributes.emailStateSince)?.getTime() ?? now) : now;
}

/** Shows what messages changed, however long the present step takes: once for each workflow task, which may bring thousands. */
export async function publishMessages(job: EmailJob): Promise<never> {
  for (;;) {
    const { revision, ignored } = job;
    const { count } = ignored;
    await condition(() => job.revision !== revision || job.ignored.count !== count);
    publish(job);
  }
}

function isSame(one: unknown, other: unknown): boolean {
  const plain = (value: unknown): unknown => (value instanceof Date ? value.getTime() : (value ?? null));
  return plain(one) === plain(other);
}
