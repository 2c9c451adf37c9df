/** What came of a request, by what Temporal shows. The rows are those of docs/pipelines.md. */
import { describe, expect, test } from 'vitest';
import { insideOf, outcomeOf } from '../../client/outcome.js';

type Job = Parameters<typeof outcomeOf>[0];

const open = (job: Partial<Job>): Job => ({
  ...{ isOpen: true, isChanging: false, status: 'RUNNING', state: null, reason: null, paused: [] },
  ...{ sends: 0, resends: [], documentsNotSent: null, ...job },
});
const closed = (job: Partial<Job>): Job => open({ isOpen: false, status: 'COMPLETED', ...job });
const paused = [{ what: 'attempt', by: null, at: null, reason: null }] as const;

const pausedJob: Partial<Job> = { status: 'PAUSED', paused: [{ ...paused[0], what: 'job' }] };

/** Rows: the job, then the outcome until `accepted`, and until `emailed`. */
const rows: readonly (readonly [string, Job, string, string])[] = [
  ['not begun', open({}), 'waiting', 'waiting'],
  ['waits for the post', open({ state: 'Waiting', reason: 'notPosted' }), 'waiting', 'waiting'],
  ['sending', open({ state: 'Sending' }), 'waiting', 'waiting'],
  ['on hold', open({ state: 'Held', reason: 'job' }), 'needsPerson', 'needsPerson'],
  ['asks', open({ state: 'NeedsAttention', reason: 'refused' }), 'needsPerson', 'needsPerson'],
  ['asked, and the answer is not taken yet', open({ state: 'NeedsAttention', isChanging: true }), 'waiting', 'waiting'],
  ['paused', open({ state: 'Waiting', status: 'PAUSED', paused }), 'needsPerson', 'needsPerson'],
  ['asks about a later resend', open({ state: 'NeedsAttention', sends: 1 }), 'needsPerson', 'needsPerson'],
  ['sends again', open({ state: 'Sending', sends: 1 }), 'accepted', 'waiting'],
  ['delivering', open({ state: 'Delivering', sends: 1 }), 'accepted', 'waiting'],
  ['delivering and paused', open({ state: 'Delivering', sends: 1, paused }), 'accepted', 'needsPerson'],
  ['delivering by Zuora', open({ state: 'Delivering', reason: 'autoEmail' }), 'accepted', 'waiting'],
  ['not readable', open({ state: 'Delivering', reason: 'cannotRead', sends: 1 }), 'accepted', 'waiting'],
  ['not sent', open({ state: 'Delivering', reason: 'notSent', sends: 1, documentsNotSent: 1 }), 'notSent', 'ask'],
  ['not seen', open({ state: 'Delivering', reason: 'unknown', sends: 1, documentsNotSent: 0 }), 'accepted', 'unknown'],
  ['emailed', open({ state: 'Emailed', sends: 1, documentsNotSent: 0 }), 'accepted', 'emailed'],
  ['emailed and closed', closed({ state: 'Emailed', sends: 1, documentsNotSent: 0 }), 'accepted', 'emailed'],
  ['closed at acceptance', closed({ state: 'Delivering', sends: 1 }), 'accepted', 'accepted'],
  ['left to Zuora', closed({ state: 'Delivering', reason: 'autoEmail' }), 'accepted', 'accepted'],
  ['closed, not seen', closed({ state: 'Delivering', reason: 'unknown', sends: 1 }), 'accepted', 'unknown'],
  ['closed, not sent', closed({ state: 'Delivering', sends: 1, documentsNotSent: 2 }), 'notSent', 'notSent'],
  ['stopped', closed({ state: 'Stopped' }), 'notEmailed', 'notEmailed'],
  ['a later resend was stopped', closed({ state: 'Stopped', sends: 1 }), 'accepted', 'accepted'],
  ['skipped', closed({ state: 'Skipped', reason: 'noDocuments' }), 'notEmailed', 'notEmailed'],
  ['never posted', closed({ state: 'NotPosted', status: 'FAILED' }), 'notEmailed', 'notEmailed'],
  ['nobody answered', closed({ state: 'Unsettled', status: 'FAILED' }), 'notEmailed', 'notEmailed'],
  ['terminated', closed({ state: 'Held', status: 'TERMINATED' }), 'notEmailed', 'notEmailed'],
  ['terminated, nothing accepted', closed({ state: 'Delivering', status: 'TERMINATED' }), 'notEmailed', 'notEmailed'],
];

test.each(rows)('%s', (_, job, accepted, emailed) => {
  expect(outcomeOf(job, { until: 'accepted' })).toBe(accepted);
  expect(outcomeOf(job, { until: 'emailed' })).toBe(emailed);
});

test('documents that may still be on their way need a person while the job, or its check, is paused', () => {
  const notSent = { state: 'Delivering', reason: 'notSent', sends: 1, documentsNotSent: 1 } as const;
  const goal = { until: 'emailed' } as const;
  expect(outcomeOf(open({ ...notSent, ...pausedJob }), goal)).toBe('needsPerson');
  expect(outcomeOf(open({ ...notSent, ...pausedJob }), { until: 'accepted' })).toBe('notSent');
  expect(outcomeOf(open({ ...notSent, paused }), goal)).toBe('ask');
  const outcome = (waiting: number) => outcomeOf(open({ ...notSent, paused }), goal, { isBusy: false, waiting });
  expect([outcome(1), outcome(0)]).toEqual(['needsPerson', 'notSent']);
});

test('documents that were not sent are the outcome once none is on its way', () => {
  const job = open({ state: 'Delivering', reason: 'notSent', sends: 1, documentsNotSent: 1 });
  const outcome = (waiting: number) => outcomeOf(job, { until: 'emailed' }, { isBusy: false, waiting });
  expect([outcome(1), outcome(0)]).toEqual(['waiting', 'notSent']);
});

describe('A resend', () => {
  const until = 'accepted';

  test('is accepted by its own id, whatever else was sent or is asked', () => {
    const goal = { until, resend: 'T-1' } as const;
    expect(outcomeOf(open({ state: 'Delivering', sends: 1, resends: ['T-0'] }), goal)).toBe('waiting');
    expect(outcomeOf(open({ state: 'NeedsAttention', sends: 1 }), goal)).toBe('needsPerson');
    expect(outcomeOf(open({ state: 'NeedsAttention', sends: 2, resends: ['T-1'] }), goal)).toBe('accepted');
    expect(outcomeOf(closed({ state: 'Delivering', sends: 1, resends: ['T-1'] }), goal)).toBe('accepted');
    expect(outcomeOf(closed({ state: 'Delivering', sends: 1 }), goal)).toBe('notEmailed');
  });
});

describe('A retry', () => {
  const goal = { until: 'accepted', retry: true } as const;
  const notSent = { state: 'Delivering', reason: 'notSent', sends: 1, documentsNotSent: 1 } as const;

  test('of documents that were not sent waits until its send is settled', () => {
    expect(outcomeOf(open({ ...notSent, isChanging: true }), goal)).toBe('waiting');
    expect(outcomeOf(open(notSent), goal)).toBe('ask');
    expect(outcomeOf(open(notSent), goal, { isBusy: true, waiting: 0 })).toBe('waiting');
    expect(outcomeOf(open(notSent), goal, { isBusy: false, waiting: 0 })).toBe('notSent');
    expect(outcomeOf(open({ state: 'Sending', sends: 1 }), goal)).toBe('waiting');
    expect(outcomeOf(open({ state: 'Emailed', sends: 1, documentsNotSent: 0 }), goal)).toBe('accepted');
    const sent = open({ state: 'Delivering', sends: 2 });
    expect(outcomeOf(sent, goal)).toBe('ask');
    expect(outcomeOf(sent, goal, { isBusy: false, waiting: 1 })).toBe('accepted');
    expect(outcomeOf(sent, { ...goal, until: 'emailed' }, { isBusy: false, waiting: 1 })).toBe('waiting');
    expect(outcomeOf(closed({ state: 'Delivering', sends: 2 }), goal)).toBe('accepted');
  });

  test('of a job that closed before its send was accepted has not emailed, whatever was accepted earlier', () => {
    expect(outcomeOf(closed({ state: 'Stopped', sends: 1, documentsNotSent: 1 }), goal)).toBe('notEmailed');
    expect(outcomeOf(closed({ state: 'Unsettled', status: 'FAILED', sends: 1 }), goal)).toBe('notEmailed');
    expect(outcomeOf(closed({ state: 'Sending', status: 'TERMINATED', sends: 1 }), goal)).toBe('notEmailed');
    expect(outcomeOf(closed({ state: 'Emailed', sends: 2, documentsNotSent: 0 }), goal)).toBe('accepted');
    expect(outcomeOf(closed({ ...notSent, sends: 2 }), goal)).toBe('notSent');
  });

  test('of a job that is paused needs a person at once', () => {
    expect(outcomeOf(open({ ...notSent, ...pausedJob }), goal)).toBe('needsPerson');
    expect(outcomeOf(open({ ...notSent, ...pausedJob }), { ...goal, until: 'emailed' })).toBe('needsPerson');
    // Only what the job does now is paused: the job can still be asked.
    expect(outcomeOf(open({ ...notSent, paused }), goal)).toBe('ask');
    expect(outcomeOf(open({ ...notSent, paused }), goal, { isBusy: true, waiting: 1 })).toBe('needsPerson');
    expect(outcomeOf(open({ ...notSent, paused }), goal, { isBusy: false, waiting: 1 })).toBe('notSent');
  });

  test('of a question is done when the job asks again, or has sent', () => {
    expect(outcomeOf(open({ state: 'NeedsAttention', sends: 1 }), goal)).toBe('needsPerson');
    expect(outcomeOf(open({ state: 'Waiting', reason: 'coolDown' }), goal)).toBe('waiting');
  });

  test('is busy while a request or a send is not settled', () => {
    const request = { requestId: 'T-1', resend: false, requestedAt: '2026-03-02T12:00:00.000Z' };
    const nothing = { pendingRequests: [], documents: null, reason: null };
    expect(insideOf(nothing, [{ outcome: 'accepted' }])).toEqual({ isBusy: false, waiting: 0 });
    expect(insideOf(nothing, [{ outcome: 'accepted' }, { outcome: 'pending' }]).isBusy).toBe(true);
    expect(insideOf({ ...nothing, pendingRequests: [request] }, []).isBusy).toBe(true);
    expect(insideOf({ ...nothing, reason: 'autoEmail' }, [{ outcome: 'pending' }]).isBusy).toBe(false);
  });
});
