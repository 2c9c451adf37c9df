/** What comes next in a job, and what people read about it, at moments that the rules of sending only pass by. */
import { describe, expect, test } from 'vitest';
import { aliasStep } from '../../../workflows/rules/alias.js';
import { deliveringStep } from '../../../workflows/rules/delivering.js';
import { endingOf } from '../../../workflows/rules/ending.js';
import { recordEarlier, recordFailedLook, recordHandover, recordLook } from '../../../workflows/rules/job.js';
import { receiveRetry } from '../../../workflows/rules/messages.js';
import { nextStep, settle } from '../../../workflows/rules/next-step.js';
import { sendingStep } from '../../../workflows/rules/sending.js';
import { statusOf } from '../../../workflows/rules/status.js';
import { waitingStep } from '../../../workflows/rules/waiting.js';
import {
  accepts,
  begin,
  busy,
  cutOff,
  DAY,
  during,
  HOUR,
  iso,
  Life,
  MINUTE,
  neverLeaves,
  NOON,
  refuses,
} from '../../support/life.js';

const unposted = { billRun: { status: 'Completed' } };
const alias = { workflowId: 'email-bill-run/8ad09e208b1a' };

/** The phases that have a step for the job. */
function phasesOf({ job, now }: Life): readonly string[] {
  const steps = {
    ending: endingOf(job, now),
    waiting: waitingStep(job),
    alias: aliasStep(job, now),
    sending: sendingStep(job, now),
    delivering: deliveringStep(job, now),
  };
  return Object.entries(steps).flatMap(([phase, step]) => (step === null ? [] : [phase]));
}

const NOTHING_EARLIER = { sends: [], accepted: 0, resends: [], unreadable: [] };

/** One document of three was not sent. */
const partly = (): Life => begin().pass(MINUTE).check({ notSent: 1 }).pass(MINUTE);

describe('A job is in one phase', () => {
  test.each<readonly [string, () => Life]>([
    ['waiting', () => new Life()],
    ['waiting', () => begin(unposted)],
    ['waiting', () => begin(unposted).resend().hold()],
    ['alias', () => new Life({ ...alias, input: { requestId: 'JOB' } }).hold()],
    ['sending', () => begin({ billRun: { lastEmailSentTime: iso(NOON) } })],
    ['sending', () => begin({ answers: [cutOff(), busy(HOUR)] })],
    ['sending', () => begin({ answers: [refuses()] })],
    ['sending', () => begin({ answers: [refuses()] }).hold()],
    ['sending', () => begin().hold().resend()],
    ['sending', () => begin(unposted).hold().change({ status: 'Posted', numberOfInvoices: 0, numberOfCreditMemos: 0 })],
    ['delivering', () => begin()],
    ['delivering', () => begin().hold()],
    ['delivering', () => begin({ billRun: { autoEmail: true } })],
    ['delivering', () => begin({ billRun: { invoicesEmailed: true } })],
  ])('%s: %#', (phase, at) => {
    expect(phasesOf(at())).toEqual([phase]);
  });

  test.each<readonly [string, () => Life]>([
    ['a post deadline', () => begin(unposted).pass(31 * DAY)],
    ['a bill run that never posts', () => begin({ billRun: { status: 'Error' } })],
    ['no documents', () => begin({ billRun: { numberOfInvoices: 0, numberOfCreditMemos: 0 } })],
    ['an unanswered question', () => begin({ answers: [refuses()] }).pass(8 * DAY)],
    ['the end of openFor', () => begin().pass(8 * DAY)],
    ['finish', () => begin().finish()],
    ['cancellation', () => begin(unposted).cancel()],
    ['handover', () => begin(alias)],
  ])('or closes, by %s, which goes before every phase', (_, at) => {
    const { job, now, end } = at();
    expect(end).toBeDefined();
    expect(nextStep(job, now)).toEqual(endingOf(job, now));
  });

  test('an attempt under way goes before every ending', () => {
    const phases: unknown[] = [];
    const reads = during((life) => {
      life.finish().cancel();
      phases.push(phasesOf(life));
    }, accepts());
    begin({ answers: [reads] });
    expect(phases).toEqual([['sending']]);
  });
});

describe('Between a look or a look-up and the settle that follows it', () => {
  test('a job whose first send is not begun yet shows as Sending, or as Held', () => {
    const life = new Life({ earlierRun: '' });
    recordLook(life.job, life.billRun, life.now);
    expect(phasesOf(life)).toEqual([]);
    expect(life.stateAndReason).toBe('Sending');
    expect(life.step).toMatchObject({ kind: 'wait', until: Infinity, wake: Infinity });
    life.job.held = true;
    expect(life.stateAndReason).toBe('Held job');
    expect(statusOf(life.job, life.now)).toMatchObject({ until: null, question: null, since: null });
  });

  test('a job with a resend to begin shows as Sending, and does not close, although openFor is over', () => {
    const life = begin({ input: { openFor: '1 hour' } });
    life.job.incoming.push({ requestId: 'T-1', resend: true, requestedAt: iso(NOON) });
    recordEarlier(life.job, [...life.job.incoming], NOTHING_EARLIER);
    life.now += 2 * HOUR;
    expect(phasesOf(life)).toEqual([]);
    expect(life.stateAndReason).toBe('Sending');
    expect(life.go().keys).toEqual(['first/1', 'resend/T-1/1']);
  });

  test('a job that sends only what was missed keeps its state until the documents are checked once more', () => {
    const { job, now } = partly();
    receiveRetry(job, {}, now);
    const text = 'The bill run is posted, and a send is about to begin';
    const wait = { kind: 'wait', until: Infinity, wake: Infinity };
    expect(nextStep(job, now)).toEqual({ ...wait, state: 'Delivering', reason: 'notSent', text });
    job.queue.push({ requestId: 'T-1', resend: true, requestedAt: iso(now) });
    expect(nextStep(job, now)).toMatchObject({ state: 'Sending', reason: null, text });
  });
});

describe('A held job shows as Held', () => {
  test('while it looks at the bill run again, and while it looks up earlier jobs', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
    life.job.lookWanted = true;
    expect([life.step.kind, life.stateAndReason]).toEqual(['look', 'Waiting coolDown']);
    life.job.held = true;
    expect([life.step.kind, life.stateAndReason]).toEqual(['look', 'Held job']);
    life.job.lookWanted = false;
    life.job.incoming.push({ requestId: 'T-1', resend: true, requestedAt: iso(NOON) });
    expect([life.step.kind, life.stateAndReason]).toEqual(['lookUp', 'Held job']);
  });
});

describe('A bill run that does not post', () => {
  test('is named with Zuora’s error message, if there is one', () => {
    const endWith = (errorMessage?: string): unknown =>
      begin({ billRun: { status: 'Error', ...(errorMessage === undefined ? {} : { errorMessage }) } }).end;
    const text = (words: string): string =>
      `bill run BR-00000001 ended as Error${words}; it will not post, and nothing was emailed`;
    const end = { kind: 'fail', type: 'NotPosted', state: 'NotPosted', reason: null };
    expect(endWith()).toEqual({ ...end, text: text('') });
    expect(endWith('no accounts')).toEqual({ ...end, text: text(' (no accounts)') });
  });

  test('is named by its number and last status at the deadline, or by its key if it was never seen', () => {
    const at = { input: { billRunKey: '8ad0', postDeadline: '1 day' }, workflowId: 'job-17' };
    expect(nextStep(new Life(at).job, NOON + DAY).text).toMatch(
      /^bill run 8ad0 did not post by .* and was never seen; nothing was emailed\. Post it/,
    );
    const life = begin({ input: { postDeadline: '1 day' }, billRun: { status: 'Completed' } }).pass(DAY);
    expect(life.end?.text).toMatch(
      /^bill run BR-00000001 did not post by .* and is Completed; nothing was emailed\. Post it/,
    );
  });
});

describe('A request that must be looked up first', () => {
  test('keeps a resend that was looked up from superseding a first send', () => {
    const life = begin({ answers: [busy(HOUR)] });
    const [known, other] = ['T-1', 'T-2'].map((requestId) => ({ requestId, resend: true, requestedAt: iso(NOON) }));
    life.job.incoming.push(...[known, other].flatMap((request) => request ?? []));
    recordEarlier(life.job, life.job.incoming.slice(0, 1), NOTHING_EARLIER);
    settle(life.job, life.now);
    expect(life.job.sends.map(({ outcome }) => outcome)).toEqual(['pending']);
    expect(life.go().job.sends.map(({ outcome }) => outcome)).toEqual(['superseded', 'accepted']);
  });
});

describe('A job does not close', () => {
  test('while a look is wanted, as after a retry and a release that come together', () => {
    const empty = { status: 'Posted', numberOfInvoices: 0, numberOfCreditMemos: 0 };
    const { job, now } = begin(unposted).hold().change(empty);
    job.held = false;
    expect(endingOf(job, now)).toMatchObject({ state: 'Skipped' });
    job.lookWanted = true;
    expect(endingOf(job, now)).toBeNull();
  });

  test('while a request must be looked up, although nobody has answered a question in time', () => {
    const { job } = begin({ answers: [refuses()] });
    expect(endingOf(job, NOON + 8 * DAY)).toMatchObject({ state: 'Unsettled' });
    job.incoming.push({ requestId: 'T-1', resend: true, requestedAt: iso(NOON) });
    expect(endingOf(job, NOON + 8 * DAY)).toBeNull();
  });
});

describe('An alias', () => {
  test('whose requests are refused fails with the reason alone', () => {
    const { job, billRun, now } = new Life(alias);
    recordLook(job, billRun, now);
    recordFailedLook(job, 'InvalidInput', 'the canonical job is on another task queue');
    const text = 'the canonical job is on another task queue';
    expect(endingOf(job, now)).toMatchObject({ kind: 'fail', type: 'InvalidInput', text });
  });
});

describe('A bill run that is not posted any more', () => {
  test('asks nothing, and is waited for', () => {
    const life = begin({ answers: [refuses()] });
    recordLook(life.job, { ...life.billRun, status: 'Completed' }, life.now);
    expect(life.question).toBeNull();
    expect(life.stateAndReason).toBe('Waiting notPosted');
  });
});

describe('A look that fails for good', () => {
  test('after the post names what it leaves open', () => {
    const life = begin({ answers: [busy(HOUR)] });
    recordFailedLook(life.job, 'NotPosted', 'the bill run is gone');
    life.resend({ requestId: 'T-1' });
    expect(life.step).toEqual({
      kind: 'fail',
      type: 'Unsettled',
      state: 'Unsettled',
      reason: null,
      text: expect.stringMatching(/^the bill run is gone; send 1 .*; request T-1 /) as string,
    });
  });
});

describe('An attempt', () => {
  test('under way is named by its number', () => {
    const texts: string[] = [];
    const reads = during((life) => texts.push(statusOf(life.job, life.now).text), accepts());
    begin({ answers: [busy(), reads] }).pass(MINUTE);
    expect(texts).toEqual(['Attempt 2 is under way.']);
  });
});

describe('A question', () => {
  test('is shown during a hold as well, which keeps its state', () => {
    for (const [at, kind] of [
      [() => begin({ answers: [refuses()] }), 'refused'],
      [() => begin({ otherwise: neverLeaves() }).pass(HOUR), 'refused'],
      [() => begin({ otherwise: cutOff() }).pass(HOUR), 'unknown'],
      [() => begin({ otherwise: cutOff() }).pass(13 * HOUR), 'unknown'],
    ] as const) {
      const life = at().hold();
      const { state, reason, text, question } = statusOf(life.job, life.now);
      expect([state, reason, question?.kind]).toEqual(['Held', 'job', kind]);
      expect(text).toMatch(
        /^On hold since 2026-03-0\d \d\d:00:00 UTC: nothing is sent until a person releases the job\.$/,
      );
    }
  });

  test('gives the time since when the job asks, not the time when it is read', () => {
    const life = begin({ answers: [refuses()] }).pass(HOUR);
    expect(statusOf(life.job, life.now).since).toBe(iso(NOON));
  });

  test('has its text and its cause as the text of the status', () => {
    const life = begin({ answers: [refuses()] });
    const { text, question } = statusOf(life.job, life.now);
    expect(text).toBe(question?.text);
    expect(text).toContain('58730030: notification is inactive');
  });

  test('that came up by time alone has no time yet in the status until the job notes it', () => {
    const life = begin({ otherwise: cutOff() }).pass(14 * MINUTE);
    expect(statusOf(life.job, life.now).since).toBe(iso(NOON));
    const later = statusOf(life.job, NOON + 16 * MINUTE);
    expect([later.state, later.reason, later.since]).toEqual(['Sending', 'unknown', null]);
  });
});

describe('A cool-down', () => {
  test('keeps its record while a new look is under way', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
    const before = structuredClone(life.job);
    life.job.lookWanted = true;
    settle(life.job, NOON + 2 * DAY);
    expect(life.job).toEqual({ ...before, lookWanted: true });
  });
});

describe('Requests', () => {
  test('go to the canonical job a hundred at a time', () => {
    const life = new Life(alias).hold();
    for (let number = 1; number <= 100; number++) life.resend({ requestId: `T-${number}` });
    life.job.held = false;
    const step = life.step;
    expect(step).toMatchObject({ kind: 'handOver', to: 'email-bill-run/BR-00000001' });
    expect(step.kind === 'handOver' && step.requests).toHaveLength(100);
    expect(life.go().handedOver).toHaveLength(101);
  });
});

describe('A job that is closed', () => {
  test.each([
    ['joined', 'HandedOver', null],
    ['alreadyEmailed', 'HandedOver', null],
    ['stopped', 'Stopped', 'finish'],
  ] as const)('by finish after the canonical job answered %s is %s', (result, state, reason) => {
    const life = new Life({ ...alias, input: { requestId: 'JOB' } }).hold();
    recordHandover(life.job, [...life.job.incoming], [{ requestId: 'JOB', result }]);
    life.job.held = false;
    life.job.finish = {};
    expect(life.step).toMatchObject({ kind: 'complete', state, reason });
  });

  test('closes the open send as stopped, unless Zuora refused it', () => {
    expect(begin({ answers: [busy()] }).finish().send.outcome).toBe('stopped');
    expect(begin({ answers: [refuses()] }).finish().send.outcome).toBe('refused');
  });

  test('says in the note of the open send whether finish or cancellation closed it', () => {
    expect(begin({ answers: [refuses()] }).cancel().send.note).toContain('closed by cancellation');
    expect(begin({ answers: [refuses()] }).finish().send.note).not.toContain('cancellation');
  });
});
