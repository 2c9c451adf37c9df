/** What the command line prints for people. */
import type { StartResult } from './bill-run-emails.js';
import { painted } from './cli/colours.js';
import type { SetupResult } from './setup.js';
import type { RunStatus, SendRecord } from '../workflows/contract.js';

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

export function status(status: RunStatus): string {
  const { state, billRunNumber, billRunStatus, waitingFor, until, question, held, pendingRequests, ignored } = status;
  return lines([
    ['state', painted(state)],
    ['bill run', billRunNumber === null ? 'not seen yet' : `${billRunNumber}, ${billRunStatus ?? ''}`],
    ['waiting for', waitingFor],
    ['until', until],
    ['question', question === null ? null : `send ${question.ordinal}, ${question.kind}: ${question.text}`],
    [
      'answer with',
      question === null
        ? null
        : `bill-run-emails retry ${billRunNumber ?? 'KEY'}${question.needsSendAnyway ? ' --send-anyway' : ''}`,
    ],
    ['held', held ? 'yes; release lets attempts go on' : null],
    ['pending', pendingRequests.length === 0 ? null : pendingRequests.map(({ requestId }) => requestId).join(', ')],
    [
      'ignored',
      ignored.count === 0 ? null : `${ignored.count} messages; the last: ${ignored.last.at(-1)?.reason ?? ''}`,
    ],
  ]);
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
