import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createEmailBillRunDocuments } from '../../activities/email-bill-run-documents.js';
import { billRunReader } from '../../activities/look.js';
import { Withheld } from '../../activities/last-question.js';
import type { AttemptInput, BillRun, Receipt } from '../../workflows/contract/activities.js';
import { ZuoraFailure, type EmailAnswer, type Zuora } from '../../zuora/client.js';
import { NeverLeft, type LastQuestion } from '../../zuora/transport.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const NOW = Date.UTC(2026, 0, 5, 12);
const RUN_ID = 'run-1';

const INPUT: AttemptInput = {
  billRunKey: 'BR-00000001',
  resend: false,
  idempotencyKey: 'bill-run-email/8ad0/first/1',
  trackId: 'bre-first-1',
  notAfter: NOW + 1,
};
const ACCEPTED: EmailAnswer = {
  verdict: 'accepted',
  reasons: [],
  tokenRejected: false,
  httpStatus: 200,
  zuoraRequestId: 'zr-1',
  echoedTrackId: 'bre-first-1',
};

type Call = Zuora['emailBillRunDocuments'];

/** Temporal allows the call. */
const allows: LastQuestion = () => Promise.resolve(() => true);

interface Surroundings {
  readonly question?: LastQuestion;
  /** How long the retry policy has tried already. */
  readonly triedForMs?: number;
  readonly billRun?: Promise<BillRun>;
  readonly notifications?: readonly string[];
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setInterval', 'clearInterval'], now: NOW });
});
afterEach(() => vi.useRealTimers());

function open(call: Call, { question = allows, triedForMs = 0, billRun, notifications = [] }: Surroundings = {}) {
  const zuora: Zuora = {
    getBillRun: vi.fn<Zuora['getBillRun']>().mockImplementation(() => billRun ?? expect.unreachable('no look')),
    emailBillRunDocuments: call,
    authenticate: vi.fn(),
    probe: vi.fn(),
    postedNotifications: () => Promise.resolve(notifications),
    get: vi.fn(),
    close: vi.fn(),
  };
  const emailBillRunDocuments = createEmailBillRunDocuments({
    zuora,
    readBillRun: billRunReader(zuora),
    question: () => Promise.resolve({ now: () => Date.now(), lastQuestion: () => question }),
  });
  const environment = new MockActivityEnvironment(
    {
      workflowExecution: { workflowId: 'w', runId: RUN_ID },
      scheduledTimestampMs: NOW,
      currentAttemptScheduledTimestampMs: NOW + triedForMs,
    },
    { logger: new DefaultLogger('ERROR') },
  );
  let heartbeats = 0;
  environment.on('heartbeat', () => heartbeats++);
  return {
    environment,
    heartbeats: () => heartbeats,
    run: (input: AttemptInput): Promise<Receipt> => environment.run(emailBillRunDocuments, input),
  };
}

const answers = (answer: EmailAnswer) => vi.fn<Call>().mockResolvedValue(answer);
const fails = (error: unknown) => vi.fn<Call>().mockRejectedValue(error);

async function failureOf(attempt: Promise<unknown>): Promise<ApplicationFailure> {
  const failure = await attempt.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  return failure as ApplicationFailure;
}

/** A call that is open until the test ends it. */
function pendingCall() {
  let answer: (answer: EmailAnswer) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const ended = new Promise<EmailAnswer>((resolve, reject) => {
    answer = resolve;
    fail = reject;
  });
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const call: Call = () => {
    begin();
    return ended;
  };
  return { call, answer, fail, begun };
}

describe('one attempt is one call and one receipt', () => {
  test('the call is the one that was asked for, with a deadline that Zuora keeps first', async () => {
    const call = answers(ACCEPTED);
    await open(call).run({ ...INPUT, entityId: 'e-1', orgIds: ['o-1'], resend: true });
    expect(call).toHaveBeenCalledExactlyOnceWith(
      'BR-00000001',
      { resend: true },
      { idempotencyKey: INPUT.idempotencyKey, trackId: INPUT.trackId },
      { entityId: 'e-1', orgIds: ['o-1'], deadlineMs: 130 * SECOND, leaveWithinMs: 15 * SECOND, lastQuestion: allows },
    );
  });

  test('the receipt tells all of an answer', async () => {
    const call = vi.fn<Call>().mockImplementation(() => {
      vi.advanceTimersByTime(1234);
      return Promise.resolve({
        ...ACCEPTED,
        verdict: 'notExecuted',
        reasons: [{ code: '70', message: 'retry later' }],
        httpStatus: 429,
        retryAfterMs: 9000,
      });
    });
    expect(await open(call).run(INPUT)).toEqual({
      called: true,
      startedAt: '2026-01-05T12:00:00.000Z',
      durationMs: 1234,
      verdict: 'notExecuted',
      reasons: [{ code: '70', message: 'retry later' }],
      httpStatus: 429,
      zuoraRequestId: 'zr-1',
      echoedTrackId: 'bre-first-1',
      retryAfterMs: 9000,
    });
  });

  test('the receipt of silence has all fields, too', async () => {
    const silence: EmailAnswer = {
      verdict: 'unknown',
      reasons: [{ code: 'ECONNRESET', message: 'read ECONNRESET' }],
      tokenRejected: false,
    };
    expect(await open(answers(silence)).run(INPUT)).toEqual({
      called: true,
      startedAt: '2026-01-05T12:00:00.000Z',
      durationMs: 0,
      verdict: 'unknown',
      reasons: [{ code: 'ECONNRESET', message: 'read ECONNRESET' }],
      httpStatus: null,
      zuoraRequestId: null,
      echoedTrackId: null,
      retryAfterMs: null,
    });
  });

  test.each(['accepted', 'notExecuted', 'refused', 'unknown'] as const)(
    'a verdict is a receipt, never a failure: %s',
    async (verdict) => {
      expect(await open(answers({ ...ACCEPTED, verdict })).run(INPUT)).toMatchObject({ called: true, verdict });
    },
  );

  test('a clock that is set back during the call does not make it shorter than nothing', async () => {
    const call = vi.fn<Call>().mockImplementation(() => {
      vi.advanceTimersByTime(50);
      vi.setSystemTime(NOW - 3_600_000);
      return Promise.resolve(ACCEPTED);
    });
    expect(await open(call).run(INPUT)).toMatchObject({ startedAt: '2026-01-05T12:00:00.000Z', durationMs: 50 });
  });
});

describe('no call is made', () => {
  test.each(['heldByAll', 'takenBack', 'keyTooOld'] as const)('for which Temporal gives a reason: %s', async (why) => {
    expect(await open(fails(new Withheld(why))).run(INPUT)).toEqual({ called: false, why });
  });

  test('if Temporal gives the reason before the token', async () => {
    const call = answers(ACCEPTED);
    const questioner = createEmailBillRunDocuments({
      zuora: {} as Zuora,
      readBillRun: () => expect.unreachable('no look'),
      question: () => Promise.reject(new Withheld('takenBack')),
    });
    expect(await open(call).environment.run(questioner, INPUT)).toEqual({ called: false, why: 'takenBack' });
    expect(call).not.toHaveBeenCalled();
  });

  test('in a run that was reset, whose key the history that is gone may have used', async () => {
    const call = answers(ACCEPTED);
    expect(await open(call).run({ ...INPUT, originalRunId: 'run-0' })).toEqual({
      called: false,
      why: 'afterReset',
      runId: 'run-1',
    });
    expect(call).not.toHaveBeenCalled();
  });

  test('but one is in the run that history begins with', async () => {
    expect(await open(answers(ACCEPTED)).run({ ...INPUT, originalRunId: RUN_ID })).toMatchObject({ called: true });
  });
});

describe('a look at the bill run', () => {
  const look = { at: NOW - MINUTE - 1, coolDownMs: 60 * MINUTE };
  const POSTED: BillRun = { id: '8ad0', number: 'BR-00000001', status: 'Posted' };

  test('is repeated before the call if it is older than a minute, and the call is made if nothing forbids it', async () => {
    const { run } = open(answers(ACCEPTED), { billRun: Promise.resolve(POSTED) });
    expect(await run({ ...INPUT, look })).toMatchObject({ called: true });
  });

  test('is not repeated within a minute', async () => {
    expect(await open(answers(ACCEPTED)).run({ ...INPUT, look: { ...look, at: NOW - MINUTE } })).toMatchObject({
      called: true,
    });
  });

  test.each<[string, Partial<BillRun>]>([
    ['the bill run is no longer posted', { status: 'Completed' }],
    ['Zuora emails by itself', { autoEmail: true }],
    ['somebody else emailed it', { invoicesEmailed: true }],
    ['emails left meanwhile', { lastEmailSentTime: new Date(NOW - MINUTE).toISOString() }],
  ])('comes back, and no call is made, if %s', async (_, change) => {
    const billRun = { ...POSTED, ...change };
    const call = answers(ACCEPTED);
    const { run } = open(call, { billRun: Promise.resolve(billRun) });
    expect(await run({ ...INPUT, look })).toEqual({ called: false, why: 'looked', billRun });
    expect(call).not.toHaveBeenCalled();
  });

  test('does not forbid what is to email the documents that other emails missed', async () => {
    const billRun = { ...POSTED, autoEmail: true, invoicesEmailed: true };
    const { run } = open(answers(ACCEPTED), { billRun: Promise.resolve(billRun) });
    expect(await run({ ...INPUT, look: { ...look, missing: true } })).toMatchObject({ called: true });
  });

  test('comes back, and no call is made, if Zuora has been emailing since the post', async () => {
    const billRun = { ...POSTED, postedDate: new Date(NOW - MINUTE).toISOString() };
    const call = answers(ACCEPTED);
    const notifications = ['Invoice Posted'];
    const { run } = open(call, { billRun: Promise.resolve(billRun), notifications });
    const looked = { ...billRun, postedNotifications: notifications };
    expect(await run({ ...INPUT, look })).toEqual({ called: false, why: 'looked', billRun: looked });
    expect(call).not.toHaveBeenCalled();
  });

  test('that fails lets nothing leave', async () => {
    const failure = new ZuoraFailure('unavailable', 'Zuora answered HTTP 503', 503, 7 * SECOND);
    const { run } = open(answers(ACCEPTED), { billRun: Promise.reject(failure) });
    expect(await failureOf(run({ ...INPUT, look }))).toMatchObject({ type: 'NeverLeft', nextRetryDelay: 7 * SECOND });
  });
});

describe('what never left', () => {
  test('for two minutes comes back, with the reason', async () => {
    const error = new NeverLeft('connect ECONNREFUSED', 'ECONNREFUSED');
    const { run } = open(fails(error), { triedForMs: 2 * MINUTE });
    expect(await run(INPUT)).toEqual({
      ...{ called: false, why: 'neverLeft' },
      reason: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
    });
    expect(await failureOf(open(fails(error), { triedForMs: 2 * MINUTE - 1 }).run(INPUT))).toMatchObject({
      type: 'NeverLeft',
    });
  });

  test('is the only failure that is tried again, and says that nothing was sent', async () => {
    const error = new NeverLeft('the call to rest.zuora.com did not leave: connect ECONNREFUSED', 'ECONNREFUSED');
    const failure = await failureOf(open(fails(error)).run(INPUT));
    expect(failure).toMatchObject({
      type: 'NeverLeft',
      nonRetryable: false,
      message: 'nothing was sent: the call to rest.zuora.com did not leave: connect ECONNREFUSED',
      details: [{ code: 'ECONNREFUSED', message: error.message }],
    });
    expect(failure.nextRetryDelay).toBeUndefined();
  });

  test.each([
    [0, SECOND],
    [30 * SECOND, 30 * SECOND],
    [600 * SECOND, 60 * SECOND],
  ])('is tried again when Zuora asks, within bounds: %d ms', async (retryAfterMs, delay) => {
    const error = new NeverLeft('no token: HTTP 429', 'TOKEN_UNAVAILABLE', retryAfterMs);
    expect((await failureOf(open(fails(error)).run(INPUT))).nextRetryDelay).toBe(delay);
  });

  test.each([
    ['an error of ours', new TypeError('x is not a function'), /x is not a function$/],
    ['an error with a code of the network', Object.assign(new Error('reset'), { code: 'ECONNREFUSED' }), /reset$/],
    ['a text instead of an error', 'a string', /unknown$/],
    ['half a character', new Error('\ud83d'), /\ufffd$/],
    // Temporal would record these two as an attempt that was never begun.
    ['a cancellation', new CancelledFailure('CANCELLED'), /CANCELLED$/],
    ['an abort', new DOMException('This operation was aborted', 'AbortError'), /aborted$/],
  ])('is not claimed for anything else, which is never tried again: %s', async (_what, error, words) => {
    const failure = await failureOf(open(fails(error)).run(INPUT));
    expect(failure).toMatchObject({ type: 'AttemptFailed', nonRetryable: true });
    expect(failure.message).toMatch(words);
  });
});

describe('while the call is open', () => {
  test('the worker shows that it lives, often enough for the heartbeat time-out of 30 s, and stops with the answer', async () => {
    const { call, answer, begun } = pendingCall();
    const { run, heartbeats } = open(call);
    const receipt = run(INPUT);
    await begun;
    expect(heartbeats()).toBe(0);
    vi.advanceTimersByTime(29 * SECOND);
    expect(heartbeats()).toBeGreaterThanOrEqual(2);
    vi.advanceTimersByTime(100 * SECOND);
    const count = heartbeats();
    expect(count).toBeGreaterThanOrEqual(12);

    answer(ACCEPTED);
    expect(await receipt).toMatchObject({ durationMs: 129 * SECOND });
    vi.advanceTimersByTime(60 * SECOND);
    expect(heartbeats()).toBe(count);
  });

  test('a failure ends the heartbeats, too', async () => {
    const { call, fail, begun } = pendingCall();
    const { run, heartbeats } = open(call);
    const failure = failureOf(run(INPUT));
    await begun;
    fail(new NeverLeft('refused', 'ECONNREFUSED'));
    await failure;
    vi.advanceTimersByTime(60 * SECOND);
    expect(heartbeats()).toBe(0);
  });

  test('a cancellation does not cut it off: it obeys its own deadline only', async () => {
    const { call, answer, begun } = pendingCall();
    const { run, environment } = open(call);
    const receipt = run(INPUT);
    await begun;
    environment.cancel('CANCELLED');
    vi.advanceTimersByTime(15 * SECOND);
    answer(ACCEPTED);
    expect(await receipt).toMatchObject({ called: true, verdict: 'accepted' });
  });
});
