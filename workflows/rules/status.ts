/** What people and pipelines read about a run. */
import type { EmailBillRunResult, EmailState, RunStatus, SendRecord } from '../contract/contract.js';
import { homeOf, isGuest, iso, pendingRequests, unsettledOf, type Run } from './job.js';
import { hasNoDocuments } from './send-step.js';
import { recordOf } from './send.js';
import { nextStep, questionOf, type Step } from './steps.js';
import * as words from './words.js';

export function stateOf(run: Run, now: number): EmailState {
  return stateAt(run, nextStep(run, now));
}

/** Keeps since when the run is in its state, and answers with that. */
export function noteState(run: Run, now: number): EmailState {
  const state = stateOf(run, now);
  if (run.stateSince?.state !== state) run.stateSince = { state, at: now };
  return state;
}

function stateAt(run: Run, step: Step): EmailState {
  switch (step.kind) {
    case 'watch':
      return 'WaitingForPost';
    case 'look':
    case 'recall':
    case 'attempt':
      return 'Sending';
    case 'handOver':
      return 'HandedOver';
    case 'count':
      return 'NeedsAttention';
    case 'wait':
      // While attempts go on, an open question counts more than the attempt under way.
      return step.state === 'Sending' && run.sends.at(-1)?.askedAt != null ? 'NeedsAttention' : step.state;
    case 'complete':
      return step.state;
    case 'cancel':
      return 'Canceled';
    case 'fail':
      return step.type === 'NotPosted' ? 'NotPosted' : 'NeedsAttention';
  }
}

export function statusOf(run: Run, now: number): RunStatus {
  const step = nextStep(run, now);
  const until = step.kind === 'wait' || step.kind === 'watch' ? step.until : Infinity;
  return {
    state: stateAt(run, step),
    billRunNumber: run.billRun?.number ?? null,
    billRunId: run.billRun?.id ?? null,
    billRunStatus: run.billRun?.status ?? null,
    waitingFor: waitingFor(run, step),
    until: until === Infinity ? null : iso(until),
    question: questionOf(run, now),
    held: run.held,
    pendingRequests: pendingRequests(run),
    ignored: { count: run.ignored.count, last: [...run.ignored.last] },
  };
}

function waitingFor(run: Run, step: Step): string | null {
  switch (step.kind) {
    case 'watch':
      return words.posting(run.billRun?.status, run.postingFailed, run.billRun !== null && hasNoDocuments(run.billRun));
    case 'wait':
      return step.waitingFor;
    case 'look':
      return words.posting(undefined, false, false);
    case 'recall':
      return words.recalling();
    case 'handOver':
      return words.handingOver(step.to);
    case 'attempt':
      return words.answerTo(step.send.attempts.length + 1);
    case 'count':
      return words.answer();
    case 'complete':
    case 'cancel':
    case 'fail':
      return null;
  }
}

export function sendsOf(run: Run): readonly SendRecord[] {
  return run.sends.map(recordOf);
}

export function resultOf(run: Run, state: EmailBillRunResult['state']): EmailBillRunResult {
  return {
    state,
    billRunNumber: run.billRun?.number ?? null,
    billRunId: run.billRun?.id ?? null,
    sends: sendsOf(run),
    unsettled: unsettledOf(run),
    ...(isGuest(run) && state === 'HandedOver' ? { handedOverTo: homeOf(run) ?? '' } : {}),
  };
}
