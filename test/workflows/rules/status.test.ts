/** What people and pipelines read about a job: the whole answer to `status`, the result, and why it is on hold. */
import { describe, expect, test } from 'vitest';
import { held, heldBy } from '../../../workflows/rules/held.js';
import { ignore } from '../../../workflows/rules/job.js';
import { noteState, resultOf, sentence, sendsOf, statusOf } from '../../../workflows/rules/status.js';
import { begin, busy, HOUR, iso, Life, MINUTE, NOON, POSTED, refuses } from '../../support/life.js';

const SENT = 'nothing is sent until a person releases the job';
const alias = { workflowId: 'email-bill-run/8ad09e208b1a', input: { requestId: 'JOB' } };

describe('A hold says', () => {
  test.each([
    [null, `On hold: ${SENT}`],
    [{ at: NOON }, `On hold since 2026-03-02 12:00:00 UTC: ${SENT}`],
    [{ at: NOON, requestedBy: 'ann' }, `On hold since 2026-03-02 12:00:00 UTC, by \`ann\`: ${SENT}`],
    [{ at: NOON, reason: 'month end' }, `On hold since 2026-03-02 12:00:00 UTC (\`month end\`): ${SENT}`],
    [
      { at: NOON, requestedBy: 'ann', reason: 'month end' },
      `On hold since 2026-03-02 12:00:00 UTC, by \`ann\` (\`month end\`): ${SENT}`,
    ],
  ])('who gave it, since when and why, as far as it is known: %j', (note, words) => {
    const { job } = new Life();
    Object.assign(job, { held: true, heldBy: note });
    expect(heldBy(job)).toBe(words);
    expect(held(job)).toEqual({ state: 'Held', reason: 'job', text: words });
  });

  test('that all jobs are on hold, and where it stands why', () => {
    const { job } = new Life();
    job.heldByAll = true;
    const text =
      'All jobs are on hold by one order, and nothing is sent until a person ends it. ' +
      'Who gave it, and why, stands in the workflow `bill-run-emails/hold-all`';
    expect(held(job)).toEqual({ state: 'Held', reason: 'all', text });
  });
});

describe('The time of a state', () => {
  const waiting = { kind: 'wait', until: Infinity, wake: Infinity, text: '' } as const;

  test('counts since it was noted first, with the same reason', () => {
    const { job } = new Life();
    noteState(job, { ...waiting, state: 'Waiting', reason: 'notPosted' }, NOON);
    expect(job.stateSince).toEqual({ state: 'Waiting', reason: 'notPosted', at: NOON });
    noteState(job, { ...waiting, state: 'Waiting', reason: 'notPosted' }, NOON + 1);
    expect(job.stateSince?.at).toBe(NOON);
    noteState(job, { ...waiting, state: 'Waiting', reason: 'coolDown' }, NOON + 2);
    expect(job.stateSince).toEqual({ state: 'Waiting', reason: 'coolDown', at: NOON + 2 });
    noteState(job, { ...waiting, state: 'Delivering', reason: 'coolDown' }, NOON + 3);
    expect(job.stateSince).toEqual({ state: 'Delivering', reason: 'coolDown', at: NOON + 3 });
  });
});

describe('The status', () => {
  const NOTHING = { documents: null, sends: 0, pendingRequests: [], ignored: { count: 0, last: [] }, question: null };
  const own = { requestId: 'first-run-0', resend: false, requestedAt: iso(NOON) };

  test('of a job that has just begun', () => {
    const life = new Life();
    expect(statusOf(life.job, life.now)).toEqual({
      ...NOTHING,
      ...{ state: 'Waiting', reason: 'notPosted', since: null, until: iso(NOON + 30 * 24 * HOUR) },
      text: 'Looking at the bill run for the first time.',
      ...{ billRunNumber: null, billRunId: null, billRunStatus: null, pendingRequests: [own] },
    });
  });

  test('of a job that has emailed', () => {
    const life = begin().pass(MINUTE).check().pass(MINUTE);
    ignore(life.job, 'resend', 'a reason', NOON);
    expect(statusOf(life.job, life.now)).toEqual({
      ...NOTHING,
      ...{ state: 'Emailed', reason: null, since: iso(NOON + MINUTE), until: iso(NOON + MINUTE + 7 * 24 * HOUR) },
      text: 'Zuora shows an email for 3 documents.',
      ...{ billRunNumber: POSTED.number, billRunId: POSTED.id, billRunStatus: 'Posted', sends: 1 },
      documents: expect.objectContaining({ total: 3, sent: 3, checkedAt: iso(NOON + MINUTE) }) as object,
      ignored: { count: 1, last: [{ message: 'resend', at: iso(NOON), reason: 'a reason' }] },
    });
  });

  test('of a job that asks', () => {
    const { job, now } = begin({ answers: [refuses()] });
    const { question, until, since } = statusOf(job, now);
    expect(question).toMatchObject({ ordinal: 1, kind: 'refused' });
    expect([until, since]).toEqual([iso(NOON + 7 * 24 * HOUR), iso(NOON)]);
  });

  test('names no time where nothing happens by itself', () => {
    const held = begin({ input: { hold: true } });
    expect(statusOf(held.job, held.now)).toMatchObject({ state: 'Held', until: null });
    const looksUp = new Life();
    looksUp.unreadable.add('lookUp');
    looksUp.go();
    expect(looksUp.step.kind).toBe('lookUp');
    expect(statusOf(looksUp.job, looksUp.now)).toMatchObject({ state: 'Sending', until: null });
  });

  test('does not know since when, if time alone changed the state', () => {
    const { job } = begin({ answers: [busy(HOUR)], input: { sendBudget: '1s' } });
    expect(statusOf(job, NOON)).toMatchObject({ state: 'NeedsAttention', since: iso(NOON) });
    const waits = begin({ billRun: { status: 'Completed' }, input: { postDeadline: '1 day' } });
    expect(statusOf(waits.job, NOON)).toMatchObject({ state: 'Waiting', since: iso(NOON) });
    expect(statusOf(waits.job, NOON + 24 * HOUR)).toMatchObject({ state: 'NotPosted', since: null });
  });
});

test.each([
  ['zuora accepted', 'Zuora accepted.'],
  ['Zuora accepted.', 'Zuora accepted.'],
  ['', '.'],
])('A sentence begins with a capital letter and has one full stop: %j', (text, expected) => {
  expect(sentence(text)).toBe(expected);
});

describe('The result', () => {
  const nothing = { billRunNumber: null, billRunId: null, sends: [] };

  test('of a job that never saw its bill run', () => {
    const { job } = new Life();
    expect(resultOf(job, { state: 'Stopped', reason: 'finish', text: 'a person stopped it' })).toStrictEqual({
      ...{ state: 'Stopped', reason: 'finish', text: 'A person stopped it.', ...nothing },
      unsettled: ['request first-run-0 (first send): no send was begun for it'],
    });
  });

  test('of a job that emailed', () => {
    const { job, sends } = begin();
    expect(resultOf(job, { state: 'Emailed', reason: null, text: 'done.' })).toStrictEqual({
      ...{ state: 'Emailed', reason: null, text: 'Done.', billRunNumber: POSTED.number, billRunId: POSTED.id },
      ...{ sends, unsettled: [] },
    });
    expect(sendsOf(job)).toMatchObject([{ ordinal: 1, outcome: 'accepted' }]);
  });

  test.each([
    [begin(alias), 'HandedOver', { handedOverTo: 'email-bill-run/BR-00000001' }],
    [begin(alias), 'Stopped', {}],
    [begin(), 'HandedOver', {}],
  ])('names the job that emails, if requests were handed over: %#', ({ job }, state, handedOver) => {
    const result = resultOf(job, { state, reason: null, text: 'done' });
    const { billRun } = job;
    expect(result).toStrictEqual({
      ...{ state, reason: null, text: 'Done.', billRunNumber: billRun?.number, billRunId: billRun?.id },
      ...{ sends: sendsOf(job), unsettled: [], ...handedOver },
    });
  });
});
