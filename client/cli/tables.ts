/** What the command line prints for people. */
import type { KnownStatus, StartResult } from '../bill-run-emails.js';
import { painted } from './colours.js';
import type { SetupResult } from '../temporal/setup.js';
import type { SendRecord } from '../../workflows/contract/contract.js';

export function started({ workflowId, runId, result, state }: StartResult): string {
  const shown = state === undefined ? '' : `; it is ${painted(state)}`;
  const words: Record<StartResult['result'], string> = {
    started: `Started ${workflowId} (run ${runId}).`,
    joined: `Joined ${workflowId}, which is at it already (run ${runId})${shown}.`,
    alreadyEmailed: `${workflowId} was emailed before (run ${runId}); nothing was started. To email again: resend.`,
    canceled: `The last run of ${workflowId} was canceled; nothing was started. To start anew: --again.`,
    terminated: `The last run of ${workflowId} was terminated; nothing was started. To start anew: --again.`,
  };
  return words[result];
}

export function status(status: KnownStatus): string {
  const { state, billRunNumber, billRunStatus, question, held, pendingRequests, ignored, ended } = status;
  const open = ended === undefined;
  return lines([
    ['state', painted(state)],
    ['over', open ? null : `${endInWords(ended)}; the rest is its last word, and is not waited for any more`],
    ['bill run', billRunNumber === null ? 'not seen yet' : `${billRunNumber}, ${billRunStatus ?? ''}`],
    ['waiting for', open ? status.waitingFor : null],
    ['until', open ? status.until : null],
    ['question', question === null ? null : `send ${question.ordinal}, ${question.kind}: ${question.text}`],
    [
      'answer with',
      question === null || !open
        ? null
        : `bill-run-emails retry ${billRunNumber ?? 'KEY'}${question.needsSendAnyway ? ' --send-anyway' : ''}`,
    ],
    ['held', held && open ? 'yes; release lets attempts go on' : null],
    ['pending', pendingRequests.length === 0 ? null : pendingRequests.map(({ requestId }) => requestId).join(', ')],
    [
      'ignored',
      ignored.count === 0 ? null : `${ignored.count} messages; the last: ${ignored.last.at(-1)?.reason ?? ''}`,
    ],
  ]);
}

/** How Temporal ended a run, such as "terminated 2026-03-02T12:00:00.000Z". */
export function endInWords({ status, at }: NonNullable<KnownStatus['ended']>): string {
  return `${status.toLowerCase().replace('_', ' ')}${at === null ? '' : ` ${at}`}`;
}

export function sends(records: readonly SendRecord[]): string {
  if (records.length === 0) return 'No send yet.';
  return records
    .flatMap((send) => [
      `send ${send.ordinal}  resend=${send.resend}  ${send.outcome}${send.note === null ? '' : `  (${send.note})`}`,
      ...send.requests.map(
        ({ requestId, requestedBy, reason }) =>
          `  asked     ${requestId}${requestedBy === undefined ? '' : ` by ${requestedBy}`}${reason === undefined ? '' : `: ${reason}`}`,
      ),
      ...send.attempts.map(
        ({ startedAt, verdict, httpStatus, stored, zuoraRequestId, idempotencyKey, reasons }) =>
          `  attempt   ${startedAt}  ${verdict}${stored ? ' (stored reply)' : ''}  ` +
          `${httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`}  key ${idempotencyKey}` +
          (zuoraRequestId === null ? '' : `  Zuora request ${zuoraRequestId}`) +
          reasons.map(({ code, message }) => `\n            ${code}: ${message}`).join(''),
      ),
      ...send.decisions.map(
        ({ at, decision, requestedBy, reason }) =>
          `  decision  ${at}  ${decision}${requestedBy === undefined ? '' : ` by ${requestedBy}`}${reason === undefined ? '' : `: ${reason}`}`,
      ),
    ])
    .join('\n');
}

export function setup({ namespace, namespaceCreated, registered, present }: SetupResult): string {
  return lines([
    ['namespace', `${namespace}${namespaceCreated ? ', which is new' : ''}`],
    ['registered', registered.length === 0 ? 'nothing: all are there' : registered.join(', ')],
    ['were there', present.length === 0 ? null : present.join(', ')],
  ]);
}

function lines(rows: readonly (readonly [string, string | null])[]): string {
  return rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(12)} ${value ?? ''}`)
    .join('\n');
}
