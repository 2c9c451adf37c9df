/** The life of a job on the pure core: what messages do at each phase, how a job closes, and what people read. */
import { describe, expect, test } from 'vitest';
import { attemptSummary, detailsOf } from '../../workflows/rules/details.js';
import * as jobs from '../../workflows/rules/job.js';
import * as messages from '../../workflows/rules/messages.js';
import * as status from '../../workflows/rules/status.js';
import * as steps from '../../workflows/rules/next-step.js';
import { undecodableMark } from '../../workflows/contract/undecodable.js';
import { openSend } from '../../workflows/rules/send.js';
import { quoted, summary, wellFormed } from '../../workflows/rules/text.js';
import {
  accepts,
  begin,
  busy,
  cutOff,
  DAY,
  during,
  findsNoWorker,
  HOUR,
  makesNoCall,
  MINUTE,
  neverLeaves,
  NOON,
  refuses,
  Life,
} from '../support/life.js';

const unposted = { billRun: { status: 'Completed' } };
const autoEmailing = { billRun: { autoEmail: true } };
const emailedElsewhere = { billRun: { invoicesEmailed: true } };
const coolingDown = { billRun: { lastEmailSentTime: new Date(NOON).toISOString() } };
const empty = { numberOfInvoices: 0, numberOfCreditMemos: 0 };

/** It was started by the ID of the bill run, and another job emails the bill run. */
const alias = { workflowId: 'email-bill-run/8ad09e208b1a' };

function cutOffs(count: number) {
  return Array.from({ length: count }, cutOff);
}

function outcomes(life: Life): readonly string[] {
  return life.sends.map(({ resend, outcome }) => `${resend ? 'resend' : 'first'} ${outcome}`);
}

function requestsOf(life: Life): readonly (readonly string[])[] {
  return life.sends.map(({ requests }) => requests.map(({ requestId }) => requestId));
}

/** What a closed job leaves open. */
function unsettledIn(life: Life): readonly string[] {
  return jobs.unsettledOf(life.job);
}

/** A job in each state, and how to get there. */
const phases: readonly (readonly [string, () => Life])[] = [
  ['Waiting notPosted', () => begin(unposted)],
  ['Waiting coolDown', () => begin(coolingDown)],
  ['Sending', () => begin({ answers: [cutOff(), busy(HOUR)] })],
  ['Sending unknown', () => begin({ answers: cutOffs(300) }).pass(HOUR)],
  ['Held job', () => begin(unposted).hold().change({ status: 'Posted' })],
  [
    'Held job',
    () =>
      begin(unposted)
        .hold()
        .change({ status: 'Posted', ...empty }),
  ],
  ['NeedsAttention refused', () => begin({ answers: [refuses()] })],
  ['NeedsAttention refused', () => begin({ answers: Array.from({ length: 300 }, neverLeaves) }).pass(HOUR)],
  ['NeedsAttention unknown', () => begin({ answers: cutOffs(300) }).pass(13 * HOUR)],
  [
    'NeedsAttention unknown',
    () =>
      begin({
        input: { resend: true, requestId: 'START' },
        answers: [makesNoCall('afterReset'), makesNoCall('afterReset')],
      }),
  ],
  ['Delivering', () => begin()],
  ['Delivering autoEmail', () => begin(autoEmailing)],
  ['Delivering emailedElsewhere', () => begin(emailedElsewhere)],
];

test.each(phases)('the job shows as %s at that point of its life: %#', (expected, at) => {
  const life = at();
  expect(life.stateAndReason).toBe(expected);
  const { state, reason, since } = status.statusOf(life.job, life.now);
  expect([state, reason].filter((each) => each !== null).join(' ')).toBe(expected);
  expect(since).toMatch(/^2026-03-02T/);
  expect(detailsOf(life.job, life.now)).toContain(reason === null ? `: ${state}\n` : `: ${state} (${reason})\n`);
});

describe('resend', () => {
  test('requests that arrive before the next send begins are served by that one send, which names them all', () => {
    const life = begin({ ...unposted, input: { requestId: 'JOB' } });
    life.resend({ requestId: 'A' }).resend({ requestId: 'B' }).change({ status: 'Posted' });
    expect(requestsOf(life)).toEqual([['JOB', 'A', 'B']]);
    expect(life.keys).toEqual(['resend/A/1']);
    expect(outcomes(life)).toEqual(['resend accepted']);
  });

  test('fifty requests during an attempt are served by one send', () => {
    const burst = (life: Life): void => {
      for (let index = 0; index < 50; index++) life.resend({ requestId: `R${index}` });
    };
    const life = begin({ answers: [during(burst, accepts())] });
    expect(outcomes(life)).toEqual(['first accepted', 'resend accepted']);
    expect(life.send.requests).toHaveLength(50);
  });

  test('requests that arrive while a resend is held before its first attempt join it', () => {
    const life = begin().hold().resend({ requestId: 'A' }).resend({ requestId: 'B' });
    expect(life.update('resend', { requestId: 'C' })).toEqual({ requestId: 'C', state: 'Held' });
    life.release();
    expect(requestsOf(life).slice(1)).toEqual([['A', 'B', 'C']]);
    expect(life.keys).toEqual(['first/1', 'resend/A/1']);
  });

  test('a request that arrives while a resend waits for a worker joins it', () => {
    const life = begin().willAnswer(during((it) => it.resend({ requestId: 'B' }), findsNoWorker()));
    expect(requestsOf(life.resend({ requestId: 'A' })).slice(1)).toEqual([['A', 'B']]);
  });

  test('a request that arrives between the attempts of a resend waits for the next send', () => {
    const life = begin().willAnswer(busy()).resend({ requestId: 'A' }).resend({ requestId: 'B' });
    expect(status.statusOf(life.job, life.now).pendingRequests).toMatchObject([{ requestId: 'B' }]);
    life.pass(MINUTE);
    expect(requestsOf(life).slice(1)).toEqual([['A'], ['B']]);
    expect(life.keys).toEqual(['first/1', 'resend/A/1', 'resend/A/1', 'resend/B/1']);
  });

  test('a request with a known name is ignored, with the reason', () => {
    const life = begin().resend({ requestId: 'A' }).resend({ requestId: 'A' });
    life.continueAsNew().resend({ requestId: 'A' });
    expect(life.calls).toHaveLength(2);
    expect(life.ignored).toEqual(Array(2).fill('request A was made before; to email again, name a new request'));
  });

  test('a first send and a resend may share an id, because the name of a request is its kind and its id', () => {
    const life = begin({ input: { requestId: 'JOB' } }).resend({ requestId: 'JOB' });
    expect(life.keys).toEqual(['first/1', 'resend/JOB/1']);
    expect(requestsOf(life)).toEqual([['JOB'], ['JOB']]);
    expect(life.ignored).toEqual([]);
  });

  test.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString', '\u0000', '🙂', '../..', ' '])(
    'the request id %j is one like any other',
    (requestId) => {
      const life = begin().resend({ requestId }).resend({ requestId });
      expect(requestsOf(life).slice(1)).toEqual([[requestId]]);
      expect(life.ignored).toHaveLength(1);
    },
  );

  test('a request without an id gets one from the first run id and a counter, the same when signals are applied again', () => {
    const ids = (): readonly unknown[] => requestsOf(begin().resend().resend(null).resend({}));
    expect(ids()).toEqual([['first-run-0'], ['first-run-1'], ['first-run-2'], ['first-run-3']]);
    expect(ids()).toEqual(ids());
  });

  test('a request without an id is not lost if a caller took the id that it would get', () => {
    const life = begin().resend({ requestId: 'first-run-1' }).resend();
    expect(requestsOf(life)).toEqual([['first-run-0'], ['first-run-1'], ['first-run-2']]);
    expect(requestsOf(life.resend()).at(-1)).toEqual(['first-run-3']);
  });

  test('more requests than a job can carry are ignored, with the reason, and the updates are rejected', () => {
    const life = begin({ billRun: { status: 'Completed' } });
    const reason = '€'.repeat(1_000);
    for (let index = 0; index < 500; index++)
      messages.receiveResend(life.job, { requestId: `R-${index}`, reason }, NOON);
    expect(JSON.stringify(life.continueAsNew().job).length).toBeLessThan(1_000_000);
    expect(life.job.ignored.count).toBeGreaterThan(100);
    expect(life.ignored.at(-1)).toContain('as many requests as it can keep');
    expect(life.update('resend', { requestId: 'NEW' })).toContain('as many requests');
    // A known name needs no room.
    expect(life.update('resend', { requestId: 'R-0' })).toEqual({ requestId: 'R-0', state: 'Waiting' });
    life.change({ status: 'Posted' });
    expect(life.send.requests.length + life.job.ignored.count).toBe(501);
  });

  test('a start with resend and a signal with the same request id are one request', () => {
    const life = begin({ input: { resend: true, requestId: 'T' } }).resend({ requestId: 'T' });
    expect(requestsOf(life)).toEqual([['T']]);
    expect(life.ignored).toEqual([]);
  });

  test('a resend between the attempts of a first send supersedes it', () => {
    const life = begin({ answers: [busy(), accepts()] })
      .resend({ requestId: 'A' })
      .pass(HOUR);
    expect(outcomes(life)).toEqual(['first superseded', 'resend accepted']);
    expect(life.sends[0]?.note).toBe('superseded by send 2, which emails all documents');
    expect(life.keys).toEqual(['first/1', 'resend/A/1']);
  });

  test('a resend after an unknown attempt of a first send closes that one as unknown, with a note, and follows', () => {
    const life = begin({ answers: [cutOff(), accepts()] }).resend();
    expect(outcomes(life)).toEqual(['first unknown', 'resend accepted']);
    expect(life.sends[0]?.note).toContain('closed as unknown');
    expect(life.sends[0]?.settledAt).not.toBeNull();
  });

  test.each([
    ['refused', () => begin({ answers: [refuses()] }), 'first superseded'],
    ['never left', () => begin({ answers: [neverLeaves()] }), 'first superseded'],
    ['in its cool-down', () => begin(coolingDown), 'first superseded'],
    ['not needed', () => begin(autoEmailing), 'first superseded'],
    ['held', () => begin(unposted).hold().change({ status: 'Posted' }), 'first superseded'],
    ['unknown at the end of its budget', () => begin({ answers: cutOffs(300) }).pass(13 * HOUR), 'first unknown'],
  ])('a resend while the first send is %s closes it', (_, at, closed) => {
    expect(outcomes(at().resend().release())[0]).toBe(closed);
    expect(outcomes(at().resend().release())).toHaveLength(2);
  });

  test('a resend supersedes one that waits for a person', () => {
    const life = begin().willAnswer(refuses()).resend({ requestId: 'A' }).resend({ requestId: 'B' });
    expect(outcomes(life)).toEqual(['first accepted', 'resend superseded', 'resend accepted']);
  });

  test('a resend waits for one that a person has just retried', () => {
    const life = begin().willAnswer(refuses()).resend({ requestId: 'A' }).hold().retry().resend({ requestId: 'B' });
    expect(outcomes(life.release())).toEqual(['first accepted', 'resend accepted', 'resend accepted']);
    expect(life.keys).toEqual(['first/1', 'resend/A/1', 'resend/A/2', 'resend/B/1']);
  });
});

describe('The update resend', () => {
  test('at every phase the request is served by one send, which the repeated update then names', () => {
    for (const [, at] of phases) {
      const life = at();
      expect(life.update('resend', { requestId: 'X' })).toEqual({
        requestId: 'X',
        state: expect.any(String) as string,
      });
      life
        .change({ status: 'Posted' })
        .release()
        .pass(13 * HOUR);
      const serving = life.sends.filter(({ requests }) => requests.some(({ requestId }) => requestId === 'X'));
      expect(serving).toHaveLength(1);
      const calls = life.calls.length;
      const answer = { requestId: 'X', ordinal: serving[0]?.ordinal, state: life.state };
      expect(life.update('resend', { requestId: 'X' })).toEqual(answer);
      expect(life.calls).toHaveLength(calls);
    }
  });

  test('names the send of a request that came with the start, or with a signal', () => {
    const started = begin({ input: { resend: true, requestId: 'T' } });
    expect(started.update('resend', { requestId: 'T' })).toEqual({ requestId: 'T', ordinal: 1, state: 'Delivering' });
    const signaled = begin().resend({ requestId: 'T' });
    expect(signaled.update('resend', { requestId: 'T' })).toEqual({ requestId: 'T', ordinal: 2, state: 'Delivering' });
    expect([started.calls.length, signaled.calls.length]).toEqual([1, 2]);
  });

  test('does not mistake a first send with the same id for the resend', () => {
    const life = begin({ input: { requestId: 'T' } }).hold();
    expect(life.update('resend', { requestId: 'T' })).toEqual({ requestId: 'T', state: 'Held' });
    expect(life.update('resend', { requestId: 'T' })).toEqual({ requestId: 'T', ordinal: 2, state: 'Held' });
  });

  test('is rejected with the reason', () => {
    const life = begin().resend({ requestId: 'A' });
    expect(life.update('resend')).toMatch(/^requestId is missing/);
    expect(life.update('resend', { requestedBy: 'alice' })).toMatch(/^requestId is missing/);
    expect(life.update('resend', { requestId: 7 })).toMatch(/^requestId must be/);
    expect(life.job.ignored.count).toBe(0);
    life.finish();
    expect(life.update('resend', { requestId: 'B' })).toBe(
      'the job is closing; ask again, and a new job takes the resend',
    );
  });

  test('is rejected while the job closes, except for a request that it has', () => {
    const answers: unknown[] = [];
    const reads = during((life) => {
      life.finish();
      answers.push(life.update('resend', { requestId: 'A' }), life.update('resend', { requestId: 'B' }));
    }, accepts());
    begin().willAnswer(reads).resend({ requestId: 'A' });
    expect(answers).toEqual([
      { requestId: 'A', ordinal: 2, state: 'Sending' },
      expect.stringMatching(/^the job is closing/),
    ]);
  });
});

describe('retry', () => {
  test('answers an open question, or ends a cool-down, and is ignored otherwise', () => {
    for (const at of [() => begin(), () => begin(unposted), () => begin({ answers: [busy()] })]) {
      const life = at().retry();
      expect(life.ignored).toEqual([expect.stringMatching(/^no question is open/)]);
      expect(life.calls.length).toBeLessThanOrEqual(1);
    }
  });

  test('answers only the question about the send that it names', () => {
    const life = begin().willAnswer(refuses()).resend().retry({ ordinal: 1 });
    expect(life.ignored).toEqual(['send 2 is open, not send 1']);
    expect(life.calls).toHaveLength(2);
    expect(life.retry({ ordinal: 2 }).calls).toHaveLength(3);
  });

  test('given twice, tries once', () => {
    const life = begin({ answers: [refuses(), refuses()] })
      .hold()
      .retry()
      .retry();
    expect(life.ignored).toEqual(['no question is open']);
    expect(life.release().calls).toHaveLength(2);
    expect(life.send.decisions).toHaveLength(1);
  });

  test('during a cool-down looks again or, with sendAnyway, sends; each only for the send that it names', () => {
    const life = begin(coolingDown).retry({ ordinal: 2 });
    expect(life.ignored).toEqual(['send 1 is open, not send 2']);
    expect(life.retry({ ordinal: 1 }).looks).toBe(2);
    expect([life.stateAndReason, life.calls.length]).toEqual(['Waiting coolDown', 0]);
    expect(life.retry({ sendAnyway: true }).send.outcome).toBe('accepted');
  });

  test('with a known request id changes nothing, by signal or update', () => {
    const message = { requestId: 'R-1', requestedBy: 'alice' };
    const life = begin({ answers: [refuses(), refuses()] }).retry(message);
    const { sends } = life;
    expect(life.calls).toHaveLength(2);
    life.retry(message);
    life.update('retry', message);
    expect(life.continueAsNew().retry(message).sends).toEqual(sends);
    expect(life.retry({ requestId: 'R-2' }).calls).toHaveLength(3);
    expect(life.ignored).toEqual([]);
  });

  test('that is ignored leaves its request id free', () => {
    const life = begin({ answers: cutOffs(300) }).pass(DAY);
    life.retry({ requestId: 'R-1' });
    expect(life.ignored).toHaveLength(1);
    life.retry({ requestId: 'R-1', sendAnyway: true });
    expect([life.ignored.length, life.send.decisions.length]).toEqual([1, 1]);
  });
});

describe('The update retry', () => {
  test('answers with the send that it retries, and the repeated update names the same send', () => {
    const life = begin({ answers: [refuses(), accepts(), refuses()] });
    const message = { requestId: 'R-1' };
    expect(life.update('retry', message)).toEqual({ requestId: 'R-1', ordinal: 1, state: 'Sending' });
    expect([life.calls.length, life.stateAndReason]).toEqual([2, 'Delivering']);
    expect(life.update('retry', message)).toEqual({ requestId: 'R-1', ordinal: 1, state: 'Delivering' });
    life.resend();
    expect(life.update('retry', message)).toEqual({ requestId: 'R-1', ordinal: 1, state: 'NeedsAttention' });
    expect(life.calls).toHaveLength(3);
    expect(life.update('retry')).toEqual({ ordinal: 2, state: 'Sending' });
  });

  test('answers at every phase, or is rejected with the reason, which it does not record as ignored', () => {
    const answers = phases.map(([state, at]) => {
      const life = at();
      const answer = life.update('retry');
      expect(life.job.ignored.count).toBe(0);
      return [state, typeof answer === 'string' ? answer : answer.state];
    });
    const anyway = (why: string) => `retry must say sendAnyway: true here, because ${why}`;
    expect(answers).toEqual([
      ['Waiting notPosted', 'no question is open'],
      ['Waiting coolDown', 'Waiting'],
      ['Sending', 'no question is open'],
      ['Sending unknown', 'Sending'],
      ['Held job', 'no question is open'],
      ['Held job', 'Held'],
      ['NeedsAttention refused', 'Sending'],
      ['NeedsAttention refused', 'Sending'],
      ['NeedsAttention unknown', 'Sending'],
      ['NeedsAttention unknown', anyway('the idempotency key does not protect another attempt')],
      ['Delivering', 'no question is open, and the documents are not checked yet; wait'],
      ['Delivering autoEmail', 'Waiting'],
      ['Delivering emailedElsewhere', 'Waiting'],
    ]);
  });

  test('is rejected if it is malformed or names another send', () => {
    const life = begin({ answers: [refuses()] });
    expect(life.update('retry', { ordinal: '1' })).toMatch(/^ordinal must be/);
    expect(life.update('retry', { ordinal: 2 })).toBe('send 1 is open, not send 2');
    expect(life.calls).toHaveLength(1);
  });
});

describe('hold and release', () => {
  test('a hold lets no attempt start, at any phase, until it is released', () => {
    for (const [, at] of phases) {
      const life = at().hold();
      const calls = life.calls.length;
      life.change({ status: 'Posted' }).resend().retry({ sendAnyway: true }).pass(DAY);
      expect(life.calls).toHaveLength(calls);
      life.release().pass(2 * DAY);
      expect(life.calls.length).toBeGreaterThan(calls);
    }
  });

  test('a held job says so at once, also between attempts', () => {
    const life = begin({ answers: [busy(HOUR)] }).hold();
    expect(life.stateAndReason).toBe('Held job');
    expect(status.statusOf(life.job, life.now).text).toBe(
      'On hold since 2026-03-02 12:00:00 UTC: nothing is sent until a person releases the job.',
    );
    expect(life.pass(2 * HOUR).stateAndReason).toBe('Held job');
  });

  test('a hold counts more than an open question, which the details show beside it', () => {
    const life = begin({ answers: [refuses()] }).hold();
    expect([life.stateAndReason, life.question?.kind]).toEqual(['Held job', 'refused']);
    expect(detailsOf(life.job, life.now)).toContain('On hold since');
    expect(detailsOf(life.job, life.now)).toContain('**About send 1:** Zuora refused');
  });

  test('a held job with nothing left to send shows its own state', () => {
    expect(begin().hold().stateAndReason).toBe('Delivering');
    expect(begin(autoEmailing).hold().stateAndReason).toBe('Delivering autoEmail');
    expect(begin().hold().resend().stateAndReason).toBe('Held job');
  });

  test('a second hold and a release without a hold are ignored, with the reason', () => {
    expect(begin().hold().hold().release().release().ignored).toEqual([
      'the job is on hold already',
      'the job is not on hold',
    ]);
  });
});

describe('finish and cancel', () => {
  test.each([
    ['finish', (life: Life) => life.finish({ requestedBy: 'dan', reason: 'by hand' }), 'complete'],
    ['cancel', (life: Life) => life.cancel(), 'cancel'],
  ])('%s closes the job at every phase, and nothing more is sent', (_, close, kind) => {
    for (const [, at] of phases) {
      const life = at();
      const calls = life.calls.length;
      close(life);
      expect(life.end?.kind).toBe(kind);
      life
        .resend()
        .retry({ sendAnyway: true })
        .release()
        .change({ status: 'Posted' })
        .pass(10 * DAY);
      expect(life.calls).toHaveLength(calls);
      for (const { settledAt } of life.sends) expect(settledAt).not.toBeNull();
    }
  });

  test('an attempt under way ends first, and counts', () => {
    for (const [close, kind] of [
      [(life: Life) => life.finish(), 'complete'],
      [(life: Life) => life.cancel(), 'cancel'],
    ] as const) {
      const life = begin({ answers: [during(close, accepts())] });
      expect(life.end).toMatchObject({ kind, state: 'Delivering', reason: null });
      expect(life.send.outcome).toBe('accepted');
      expect(unsettledIn(life)).toEqual([]);
    }
  });

  test('an attempt under way that ends as unknown is closed as unknown, and named', () => {
    const life = begin({ answers: [during((it) => it.finish(), cutOff())] });
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Stopped', reason: 'finish' });
    expect(life.send.outcome).toBe('unknown');
    expect(unsettledIn(life)).toEqual(['send 1 (first send): it is not known whether the documents were emailed']);
  });

  test('the send that finish leaves unsettled records who decided', () => {
    const life = begin({ answers: [refuses()] }).finish({ requestedBy: 'dan', reason: 'by hand' });
    expect(life.send).toMatchObject({
      outcome: 'refused',
      decisions: [{ decision: 'finish', requestedBy: 'dan', reason: 'by hand' }],
      note: 'closed by finish before it was settled; nothing more is sent',
    });
  });

  test('requests that no send will serve are named', () => {
    const late = begin({ answers: [during((it) => it.finish().resend({ requestId: 'LATE' }), accepts())] });
    expect(late.end).toMatchObject({ kind: 'complete', state: 'Stopped', reason: 'finish' });
    expect(unsettledIn(late)).toEqual(['request LATE (resend): no send was begun for it']);
    const early = begin({ ...unposted, input: { requestId: 'JOB' } }).finish();
    expect(unsettledIn(early)).toEqual(['request JOB (first send): no send was begun for it']);
  });

  test.each([
    ['Delivering', null, () => begin()],
    ['Delivering', null, () => begin().hold()],
    ['Delivering', 'autoEmail', () => begin(autoEmailing)],
    ['Delivering', 'emailedElsewhere', () => begin(emailedElsewhere)],
    ['Delivering', null, () => begin({ answers: [cutOff(), accepts()] }).resend()],
    [
      'Skipped',
      'noDocuments',
      () =>
        begin(unposted)
          .hold()
          .change({ status: 'Posted', ...empty }),
    ],
    ['Stopped', 'own', () => begin(unposted)],
    ['Stopped', 'own', () => begin(coolingDown)],
    ['Stopped', 'own', () => begin({ answers: [refuses()] })],
    ['Stopped', 'own', () => begin({ answers: [cutOff(), busy(HOUR)] })],
    ['Stopped', 'own', () => begin().willAnswer(refuses()).resend()],
    ['Stopped', 'own', () => begin().hold().resend()],
  ])('finish and cancellation end as %s (%s): %#', (state, reason, at) => {
    const own = reason === 'own';
    expect(at().finish().end).toMatchObject({ kind: 'complete', state, reason: own ? 'finish' : reason });
    expect(at().cancel().end).toMatchObject({ kind: 'cancel', state, reason: own ? 'cancel' : reason });
  });

  test('the note of a send that was not needed stays as it is', () => {
    const note = 'not attempted: Zuora should email the documents by itself (autoEmail is on)';
    expect(begin(autoEmailing).finish().send).toMatchObject({ outcome: 'stopped', note });
    expect(begin(autoEmailing).cancel().send).toMatchObject({ outcome: 'stopped', note });
  });

  test('the update finish answers with the state in which the job closes', () => {
    expect(begin().update('finish')).toEqual({ state: 'Delivering' });
    expect(begin(autoEmailing).update('finish', null)).toEqual({ state: 'Delivering' });
    const life = begin({ answers: [refuses()] });
    expect(life.update('finish', { requestedBy: 'dan' })).toEqual({ state: 'Stopped' });
    expect(life.end?.kind).toBe('complete');
    expect(life.send.decisions).toMatchObject([{ decision: 'finish', requestedBy: 'dan' }]);
  });

  test('the update finish during an attempt answers Sending; repeated, it keeps the first note', () => {
    const answers: unknown[] = [];
    const reads = during((life) => {
      answers.push(life.update('finish', { requestedBy: 'dan' }), life.update('finish', { requestedBy: 'eve' }));
    }, refuses());
    const life = begin({ answers: [reads] });
    expect(answers).toEqual([{ state: 'Sending' }, { state: 'Sending' }]);
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Stopped', reason: 'finish' });
    expect(life.send.decisions).toMatchObject([{ decision: 'finish', requestedBy: 'dan' }]);
  });

  test('the update finish is rejected if its note is malformed, and the job stays open', () => {
    const life = begin();
    expect(life.update('finish', { requestedBy: 7 })).toMatch(/^requestedBy must be/);
    expect([life.end, life.job.ignored.count]).toEqual([undefined, 0]);
  });

  test('cancellation wins over finish', () => {
    const both = during((life) => life.finish().cancel(), accepts());
    expect(begin({ answers: [both] }).end?.kind).toBe('cancel');
  });
});

describe('openFor', () => {
  test('counts from the last acceptance', () => {
    const life = begin({ input: { openFor: '2 days' } })
      .pass(DAY)
      .resend()
      .pass(2 * DAY - 1);
    expect(life.end).toBeUndefined();
    expect(life.pass(1).end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: null });
  });

  test('of 0 s closes the job at its acceptance', () => {
    const life = begin({ input: { openFor: '0s' } });
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: null });
  });

  test('of 0 s lets a request of the last moment be served', () => {
    const zero = { input: { openFor: '0s' } };
    const life = begin({ ...zero, answers: [during((it) => it.resend(), accepts())] });
    expect(outcomes(life)).toEqual(['first accepted', 'resend accepted']);
  });
});

describe('Malformed messages', () => {
  const nonsense: readonly unknown[] = [
    ...[0, 1, '', 'please', true, [], [[]], [{ requestId: 'A' }]],
    ...[{ unknown: 1 }, { requestedBy: 7 }, { reason: {} }, { reason: 'x'.repeat(1001) }, { reason: '\ud800' }],
    JSON.parse('{"__proto__": {"requestId": "A"}}'),
    { ['x'.repeat(1_000_000)]: 1 },
    { a: Array.from({ length: 10_000 }, () => 'x') },
    undecodableMark('ValueError'),
    { ...undecodableMark(''), undecodable: { toString: 1 } },
  ];

  test.each(['resend', 'retry', 'finish'] as const)(
    '%s with nonsense changes nothing but its own mention, with the reason',
    (name) => {
      const life = begin({ answers: [refuses()] });
      const before = structuredClone(life.job);
      for (const argument of nonsense) life[name](argument as never);
      const { ignored } = life.job;
      expect(life.job).toEqual({ ...before, ignored });
      expect(ignored.count).toBe(nonsense.length);
      for (const { message, at, reason } of ignored.last) {
        expect([message, at]).toEqual([name, new Date(NOON).toISOString()]);
        expect(reason.length).toBeGreaterThan(10);
        expect(reason.length).toBeLessThanOrEqual(500);
      }
    },
  );

  test('hold holds all the same, and keeps the note as text of bounded length', () => {
    for (const argument of nonsense) {
      const life = begin({ billRun: { status: 'Completed' } }).hold(argument);
      expect(life.stateAndReason).toBe('Held job');
      expect(life.job.heldBy?.reason?.length).toBeLessThanOrEqual(1000);
      expect(life.ignored).toEqual([]);
    }
    const mistyped = begin({ billRun: { status: 'Completed' } }).hold({ requestedby: 'alice' });
    expect(status.statusOf(mistyped.job, NOON).text).toContain('`{"requestedby":"alice"}`');
  });

  test('release releases all the same, unless it still holds a placeholder', () => {
    for (const argument of nonsense) {
      expect(
        begin({ billRun: { status: 'Completed' } })
          .hold()
          .release(argument).state,
      ).toBe('Waiting');
    }
    const life = begin({ billRun: { status: 'Completed' } })
      .hold()
      .release({ requestedBy: ' <who> ', reason: 'fixed' });
    expect(life.stateAndReason).toBe('Held job');
    expect(life.ignored).toEqual(['write your own text instead of the placeholder <who>']);
  });

  test('a signal that the contract does not know is ignored, and the reason names those it knows', () => {
    const { job } = begin();
    messages.receiveUnknown(job, 'sendNow'.padEnd(1_000_000, '!'), NOON);
    expect(job.ignored.last[0]?.message).toHaveLength(60);
    expect(job.ignored.last[0]?.reason).toContain('resend, retry, finish, hold, release and billRunPosted');
  });

  test('the last 50 are kept word for word, and all are counted', () => {
    const life = begin();
    for (let index = 0; index < 120; index++) messages.receiveUnknown(life.job, `signal-${index}`, life.now);
    const { ignored } = status.statusOf(life.job, life.now);
    expect(ignored.count).toBe(120);
    expect(ignored.last.map(({ message }) => message)).toEqual(
      Array.from({ length: 50 }, (_, index) => `signal-${index + 70}`),
    );
  });
});

describe('A hint that the bill run posted', () => {
  test('is followed at most once in 5 seconds', () => {
    const { job } = begin(unposted);
    messages.receiveHint(job);
    jobs.followHint(job, NOON);
    expect(jobs.hintDueAt(job)).toBe(NOON + 5_000);
    jobs.followHint(job, NOON + 1);
    expect(jobs.hintDueAt(job)).toBe(NOON + 5_000);
  });
});

describe('What people read', () => {
  const evil = '**PAID** `code` [click](https://example.org)\n### Emailed\u202e\u0007\r\n- signal **finish**';

  test('no text of a caller can pass for markdown of ours', () => {
    const life = begin({
      input: { requestedBy: evil, reason: evil, requestId: evil.slice(0, 100) },
      answers: [refuses(evil)],
    });
    life.retry({ reason: evil, requestedBy: evil, ordinal: 9 });
    const lines = detailsOf(life.job, life.now).split('\n');
    expect(lines.filter((line) => line.startsWith('### '))).toEqual([
      '### Sending does not work: NeedsAttention (refused)',
    ]);
    for (const line of lines.filter((each) => each.includes('PAID'))) {
      const outsideOfCode = line.split('`').filter((_, index) => index % 2 === 0);
      expect(line.split('`').length % 2).toBe(1);
      expect(outsideOfCode.join('')).not.toMatch(/PAID|click|example/);
    }
    expect(lines.join()).not.toMatch(/[\p{Control}\p{Format}]/u);
  });

  test('the text of a caller is quoted on one line, never empty, never with half a character', () => {
    expect(quoted('a\u0000\n\u2028`b\u200e ')).toBe('`a b`');
    for (const blank of ['', ' ', '``', '\n', '\u200f']) expect(quoted(blank)).toBe('` `');
    expect(quoted('x'.repeat(119) + '🙂')).toBe(`\`${'x'.repeat(119)}\ufffd…\``);
    expect(wellFormed('a\ud800b🙂\udc00')).toBe('a\ufffdb🙂\ufffd');
  });

  test('a summary has at most 200 bytes of whole characters, and nothing in it can become a link', () => {
    const by = (requestedBy: string): string => {
      const requests = [{ requestId: 'A', resend: true, requestedBy, requestedAt: '' }];
      return attemptSummary(openSend(2, requests, 'intent'));
    };
    const long = by('🙂'.repeat(99));
    expect(long).toMatch(/^send 2 · resend · attempt 1 · asked by 🙂+…$/u);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(200);
    expect(long).not.toMatch(/\p{Surrogate}/u);
    expect(by('[free](http://x.example)')).toMatch(/asked by free \(http:\/\/x\.example\)$/);
    expect(summary('short')).toBe('short');
  });

  test('a question comes with what an operator can do, as signals to copy', () => {
    const life = begin({ answers: [refuses()] });
    const details = detailsOf(life.job, life.now);
    expect(details).toContain('**About send 1:** Zuora refused to email the documents');
    expect(details).toContain(
      'signal **retry** with `{"ordinal":1,"requestedBy":"<who>","reason":"<why>"}` tries again',
    );
    expect(details).not.toContain('sendAnyway');
    const risky = begin({ answers: cutOffs(300) }).pass(DAY);
    expect(detailsOf(risky.job, risky.now)).toContain('"sendAnyway":true');
  });

  const note = '`{"requestedBy":"<who>","reason":"<why>"}`';
  const retry = 'signal **retry** with `{"ordinal":1,"requestedBy":"<who>","reason":"<why>"}`';
  const retryAnyway = 'signal **retry** with `{"ordinal":1,"sendAnyway":true,"requestedBy":"<who>","reason":"<why>"}`';
  const resendAll =
    'signal **resend** with `{"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}` emails all documents';
  const resendNow = `${resendAll}, also those that customers already have`;
  const resend = resendNow.replace(' emails all', ' instead of the first send, emails all');
  const resendHeld = resend.replace(' instead', ' after the release, instead');
  const resendMore = `${resendAll} again, such as after a wrong template`;
  const hint =
    'signal **billRunPosted**, without input, is not needed: it makes the job look at once instead of within minutes';
  const hold = `signal **hold** with ${note} sends nothing until a release`;
  const release = `signal **release** with ${note} lets sends continue`;
  const finish = `signal **finish** with ${note} closes the job; nothing more is sent`;
  const finishDelivering = finish.replace('nothing more is sent', 'it does not stop emails that Zuora is sending');
  const lookAgain = `${retry} checks again whether it must wait`;
  const sendRest = `${retry} emails what was never emailed, once no email can be on its way`;
  const tryAgain = `${retry} tries again`;
  const sendNow = `${retryAnyway} sends now, at your risk: customers may get a second email`;
  const startAgain = (json: string, effect: string) =>
    `_More Actions_, **Start Workflow Like This One**, with \`${json}\`: the new job ${effect}`;
  const resendAgain = startAgain(
    '{"billRunKey":"BR-00000001","resend":true,"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}',
    'emails all documents again. On the command line: `bill-run-emails resend BR-00000001`',
  );
  const continueResend = startAgain(
    '{"billRunKey":"BR-00000001","resend":true,"requestId":"A","requestedBy":"<who>","reason":"<why>"}',
    'continues the resend that is open. On the command line: `bill-run-emails resend BR-00000001`, with the same request id',
  );
  const sendAgain = startAgain(
    '{"billRunKey":"BR-00000001","requestedBy":"<who>","reason":"<why>"}',
    'emails the documents once the bill run is posted. On the command line: `bill-run-emails start BR-00000001`',
  );

  const goOn = sendAgain.replace(
    'emails the documents once the bill run is posted',
    'takes up the open send, and asks on its own page before anything could be emailed twice',
  );
  const replaced =
    'A canceled bill run is never posted. If another one replaces it: `bill-run-emails start <its number>`';
  const noDocuments = 'If Zuora adds documents later: `bill-run-emails start BR-00000001`';
  const openAgain = sendAgain
    .replace('"BR-00000001",', '"BR-00000001","again":true,')
    .replace(' start BR-00000001`', ' start BR-00000001 --again`');

  test.each<readonly [string, () => Life, readonly string[]]>([
    ['Waiting (notPosted)', () => begin(unposted), [hint, hold, finish, resend]],
    ['Held (job)', () => begin(unposted).hold(), [release, hint, finish, resendHeld]],
    ['Waiting (coolDown)', () => begin(coolingDown), [lookAgain, hold, finish, sendNow, resend]],
    ['Sending', () => begin({ answers: [cutOff(), busy(HOUR)] }), [hold, finishDelivering, resend]],
    [
      'Sending (unknown)',
      () => begin({ answers: cutOffs(300) }).pass(HOUR),
      [tryAgain, hold, finishDelivering, resend],
    ],
    ['Held (job)', () => begin(unposted).hold().change({ status: 'Posted' }), [release, finish, resendHeld]],
    ['NeedsAttention (refused)', () => begin({ answers: [refuses()] }), [tryAgain, hold, finish, resend]],
    ['Held (job)', () => begin({ answers: [refuses()] }).hold(), [release, tryAgain, finish, resendHeld]],
    [
      'NeedsAttention (unknown)',
      () => begin({ answers: cutOffs(300) }).pass(13 * HOUR),
      [tryAgain, hold, finishDelivering, resend],
    ],
    [
      'NeedsAttention (unknown)',
      () => begin({ answers: cutOffs(300) }).pass(DAY),
      [hold, finishDelivering, sendNow, resend],
    ],
    ['Delivering', () => begin(), [finishDelivering, resendMore]],
    [
      'Delivering',
      () => begin().hold(),
      [release, finishDelivering, resendMore.replace(' emails', ' after the release, emails')],
    ],
    ['Delivering (autoEmail)', () => begin(autoEmailing), [sendRest, finishDelivering, sendNow, resendNow]],
    ['Delivering (emailedElsewhere)', () => begin(emailedElsewhere), [sendRest, finishDelivering, sendNow, resendNow]],
    [
      'HandedOver',
      () => begin(alias),
      ['look at `email-bill-run/BR-00000001`, which emails this bill run: `bill-run-emails status BR-00000001`'],
    ],
    ['Delivering', () => begin().pass(8 * DAY), [resendAgain]],
    ['Delivering (autoEmail)', () => begin(autoEmailing).pass(8 * DAY), [resendAgain]],
    ['Delivering (autoEmail)', () => begin(autoEmailing).finish(), [resendAgain]],
    ['Unsettled (refused)', () => begin({ answers: [refuses()] }).pass(8 * DAY), [goOn]],
    ['Unsettled (unknown)', () => begin({ answers: cutOffs(300) }).pass(9 * DAY), [goOn]],
    [
      'Unsettled (refused)',
      () =>
        begin({ answers: [refuses(), refuses()] })
          .resend({ requestId: 'A' })
          .pass(8 * DAY),
      [continueResend],
    ],
    [
      'Stopped (finish)',
      () =>
        begin({ answers: [accepts(), refuses()] })
          .resend({ requestId: 'A' })
          .finish(),
      [continueResend],
    ],
    ['Stopped (finish)', () => begin(unposted).resend({ requestId: 'A' }).finish(), [continueResend]],
    ['Skipped (noDocuments)', () => begin({ billRun: empty }), [noDocuments]],
    ['NotPosted', () => begin({ billRun: { status: 'Canceled' } }), [replaced]],
    ['NotPosted', () => begin({ billRun: { status: 'Error' } }), [replaced.replace('canceled', 'failed')]],
    ['Stopped (finish)', () => begin(unposted).finish(), [openAgain]],
    ['Stopped (cancel)', () => begin(unposted).cancel(), [openAgain]],
  ])('a job that is %s says what an operator can do, with the JSON to send: %#', (heading, at, offers) => {
    const { job, now } = at();
    const details = detailsOf(job, now);
    const [first, second] = details.split('\n').filter((line) => line !== '');
    expect(first).toMatch(/^### (?!Email job)[A-Z]/);
    expect(first?.endsWith(`: ${heading}`)).toBe(true);
    expect(second).toMatch(
      /^\*\*(Nothing|Not known|Sent|Accepted) ?.*\*\* Bill run `BR-00000001`.*has been in this state since 2026-03-\d\d [\d:]{8} UTC\.$/,
    );
    const [, choices = ''] = /\*\*What you can do now\*\*\n\n([^\n]+(?:\n[^\n]+)*)/.exec(details) ?? [];
    expect(choices.split('\n')).toEqual(offers.map((offer) => `- ${offer}`));
  });

  test('the details say whose turn it is, and why the last message had no effect', () => {
    const refused = begin({ answers: [refuses()] });
    expect(detailsOf(refused.job, refused.now)).toContain(
      '**Your turn:** fix the cause, then retry; or finish. Without an answer by',
    );
    const continues = begin({ answers: cutOffs(300) }).pass(HOUR);
    expect(detailsOf(continues.job, continues.now)).toContain('**Nothing to do:** the job goes on by itself. The next');
    refused.retry({ ordinal: 7 }).retry({ ordinal: 8 });
    expect(detailsOf(refused.job, refused.now)).toMatch(
      /\*\*The last message had no effect:\*\* `retry` at 2026-03-02 12:00:00 UTC: `.*send 8.*`\. The query `status` has the last 2 of 2/,
    );
    const partly = begin().check({ notSent: 2 });
    expect(detailsOf(partly.job, partly.now)).toMatch(
      /^### 2 of 3 documents were not sent: Delivering \(notSent\)\n\n\*\*Sent once; 1 of 3 documents emailed\.\*\* .*\n\n\*\*Your turn:\*\* fix the cause, then retry\./,
    );
  });

  test.each([
    ['**Nothing to do here:** the other job says what was sent.', () => begin(alias)],
    ['**Nothing to do.**', () => begin({ billRun: empty })],
    [
      '**Nothing to do.**',
      () =>
        begin()
          .check()
          .pass(8 * DAY),
    ],
    ['**Nothing to do,** unless it should be emailed after all.', () => begin(unposted).finish()],
    ['**Nothing to do** for this bill run.', () => begin({ billRun: { status: 'Canceled' } })],
    ['**Nothing to do** for this bill run.', () => begin({ billRun: { status: 'Error' } })],
    ['**Your turn:** post it in Zuora, then start it again.', () => begin(unposted).pass(31 * DAY)],
    [
      '**Your turn:** check its number and who may see it, then start it again.',
      () => {
        const life = new Life();
        jobs.recordFailedLook(life.job, 'NotPosted', 'there is no such bill run');
        return life;
      },
    ],
    [
      '**Your turn:** fix the cause, then retry.',
      () =>
        begin()
          .check({ notSent: 2 })
          .pass(8 * DAY),
    ],
    ['**Your turn:** fix the cause, then start it again.', () => begin({ answers: [refuses()] }).pass(8 * DAY)],
    [
      '**Your turn:** look whether customers have the emails, also by `bill-run-emails documents BR-00000001`. If not, start it again.',
      () => begin({ answers: cutOffs(300) }).pass(9 * DAY),
    ],
  ])('a closed job says whose turn it is: %s (%#)', (words, at) => {
    const { job, now } = at();
    expect(detailsOf(job, now)).toContain(`\n\n${words} This job is closed and takes no more signals.\n\n`);
  });

  test('a hold on all says that only a release of all ends it', () => {
    const { job, now } = begin({ answers: [busy(HOUR)] });
    job.heldByAll = true;
    expect(detailsOf(job, now)).toMatch(
      /\n\n\*\*Your turn:\*\* .*Releasing this one changes nothing.*\n\n.*`bill-run-emails\/hold-all`\.\n/,
    );
  });

  test('every state has a heading in words, also without a reason', () => {
    const { job, now } = begin();
    job.failedLook = { type: 'NotPosted', message: 'Zuora has no such bill run' };
    expect(detailsOf(job, now)).toMatch(/^### Closed without an answer: Unsettled\n/);
  });

  test('earlier jobs that could not be read are named', () => {
    const { job, now } = begin();
    expect(detailsOf(job, now)).not.toContain('cannot be read');
    job.earlier = { ...job.earlier, unreadable: ['run-7'] };
    expect(detailsOf(job, now)).toContain('it is not known what they sent: `run-7`.');
  });

  test('no signal that a job offers is ignored once its placeholders are replaced; before, the reason names one', () => {
    for (const [, at] of phases) {
      const offered = at();
      for (const [, name = '', json = ''] of detailsOf(offered.job, offered.now).matchAll(
        /signal \*\*(\w+)\*\* with `(.*?)`/g,
      )) {
        const ignoredAfter = (text: string): readonly string[] => {
          const life = at();
          const argument = JSON.parse(text) as object;
          const signals: Readonly<Record<string, () => Life>> = {
            resend: () => life.resend(argument),
            retry: () => life.retry(argument),
            hold: () => life.hold(argument),
            release: () => life.release(argument),
            finish: () => life.finish(argument),
          };
          expect(Object.keys(signals)).toContain(name);
          return signals[name]?.().ignored.slice(offered.ignored.length) ?? [];
        };
        expect(ignoredAfter(json.replaceAll(/"<\w+>"/g, '"a text"'))).toEqual([]);
        const left = name === 'hold' ? [] : [expect.stringContaining('instead of the placeholder <')];
        expect(ignoredAfter(json)).toEqual(left);
      }
    }
  });

  test('the details say since when a state lasts, what comes next, and who holds the job', () => {
    const life = begin({ ...unposted, input: { requestedBy: 'pipeline', reason: 'month end' } }).pass(HOUR);
    expect(detailsOf(life.job, life.now)).toContain('in this state since 2026-03-02 12:00:00 UTC.');
    expect(detailsOf(life.continueAsNew().job, life.now)).toContain(
      'Started 2026-03-02 12:00:00 UTC, asked for by `pipeline`: `month end`.',
    );
    expect(detailsOf(life.job, life.now)).toContain(
      '**Your turn:** post it in Zuora. ' +
        'If it is not posted by 2026-04-01 12:00:00 UTC, the job closes as NotPosted, and nothing is emailed. ' +
        'Once it is posted, its documents are emailed.\n\n' +
        'A person must post the bill run in Zuora: its documents are generated, but not posted.',
    );
    life.hold({ requestedBy: 'alice', reason: 'wrong template' }).change({ status: 'Posted' }).pass(HOUR);
    expect(detailsOf(life.job, life.now)).toMatch(
      /^### On hold: Held \(job\)\n\n\*\*Nothing sent\.\*\* .*in this state since 2026-03-02 13:00:00 UTC\./,
    );
    expect(detailsOf(life.job, life.now)).toContain(
      'On hold since 2026-03-02 13:00:00 UTC, by `alice` (`wrong template`): nothing is sent until a person releases the job',
    );
    life.release();
    expect(detailsOf(life.job, life.now)).not.toContain('On hold');
    expect(detailsOf(life.job, life.now)).toContain(
      '**Nothing to do:** the job checks what became of the documents. The job closes at 2026-03-09 14:00:00 UTC; until then it takes a resend.\n\n' +
        'Zuora accepted the request and is sending the emails.',
    );
  });

  test('the details stay short, however many requests and people there are', () => {
    const life = begin({ ...unposted, input: { requestedBy: 'x'.repeat(200), reason: 'x'.repeat(1_000) } });
    for (let index = 0; index < 2_000; index++) {
      life.resend({ requestId: `R${index}`, requestedBy: `${index}`.padEnd(200, 'x'), reason: 'x'.repeat(100) });
    }
    expect(detailsOf(life.job, life.now)).toContain('- 1998 more requests');
    expect(detailsOf(life.job, life.now).length).toBeLessThan(5_000);
    life.change({ status: 'Posted' });
    expect(detailsOf(life.job, life.now)).toContain(' and others');
    expect(detailsOf(life.job, life.now).length).toBeLessThan(5_000);
  });

  test('status, sends, state and details can be read at every phase, and change nothing', () => {
    for (const [, at] of phases) {
      for (const end of [(life: Life) => life, (life: Life) => life.finish(), (life: Life) => life.cancel()]) {
        const life = end(at());
        const before = structuredClone(life.job);
        for (const now of [life.now, life.now + 13 * HOUR, life.now + 365 * DAY]) {
          const { state } = steps.nextStep(life.job, now);
          expect(detailsOf(life.job, now)).toContain(state);
          expect(status.statusOf(life.job, now).state).toBe(state);
        }
        expect(life.job).toEqual(before);
        steps.settle(life.job, life.now);
        expect(life.job).toEqual(before);
      }
    }
  });

  test('the status has all fields of the contract, and no others', () => {
    const life = begin({ answers: [refuses()] })
      .pass(HOUR)
      .resend(7);
    expect(status.statusOf(life.job, life.now)).toEqual({
      state: 'NeedsAttention',
      reason: 'refused',
      since: '2026-03-02T12:00:00.000Z',
      text: life.question?.text,
      until: '2026-03-09T12:00:00.000Z',
      question: {
        ordinal: 1,
        kind: 'refused',
        text: expect.stringMatching(/^Zuora refused to email the documents .* then retry\.$/) as string,
        needsSendAnyway: false,
        safeUntil: null,
      },
      billRunNumber: 'BR-00000001',
      billRunId: life.billRun.id,
      billRunStatus: 'Posted',
      documents: null,
      sends: 0,
      pendingRequests: [],
      ignored: {
        count: 1,
        last: [{ message: 'resend', at: '2026-03-02T13:00:00.000Z', reason: expect.any(String) as string }],
      },
    });
    expect(status.statusOf(begin().resend().job, NOON).sends).toBe(2);
  });

  test('the text of a status is one sentence, with a capital letter and a full stop', () => {
    for (const [, at] of phases) {
      for (const end of [(life: Life) => life, (life: Life) => life.finish()]) {
        const life = end(at());
        expect(status.statusOf(life.job, life.now).text).toMatch(/^[A-Z].*[^.]\.$/);
      }
    }
    expect(status.sentence('nothing')).toBe('Nothing.');
  });

  test('the result of an emailed job names its sends, and leaves nothing unsettled', () => {
    const life = begin({ input: { openFor: '0s' } });
    expect(status.resultOf(life.job, { state: 'Delivering', reason: null, text: 'sent' })).toEqual({
      state: 'Delivering',
      reason: null,
      text: 'Sent.',
      billRunNumber: 'BR-00000001',
      billRunId: life.billRun.id,
      sends: life.sends,
      unsettled: [],
    });
    expect(jobs.acceptedSends(life.job)).toBe(1);
  });

  test('a job that fails as Unsettled says what is open, and what to do', () => {
    const life = begin({ answers: [refuses()] }).pass(8 * DAY);
    expect(life.end).toEqual({
      kind: 'fail',
      type: 'Unsettled',
      state: 'Unsettled',
      reason: 'refused',
      text:
        'nobody answered in time: send 1 (first send): Zuora refused it, and nothing was sent. ' +
        'To continue: start again',
    });
    const resent = begin({ answers: [accepts(), refuses()] })
      .resend({ requestId: 'A' })
      .pass(8 * DAY);
    expect(resent.end).toMatchObject({
      text:
        'nobody answered in time: send 2 (resend): Zuora refused it, and nothing was sent. ' +
        'To continue: ask for the resend again, with the request id `A`',
    });
  });
});
