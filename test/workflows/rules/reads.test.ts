/** Looks, look-ups and handovers that do not work end in a question after 15 minutes. */
import { describe, expect, test } from 'vitest';
import { detailsOf } from '../../../workflows/rules/details.js';
import { beginRead, recordCannotRead, recordUnread, unsettledOf, type Read } from '../../../workflows/rules/job.js';
import { outlookOf } from '../../../workflows/rules/outlook.js';
import { statusOf } from '../../../workflows/rules/status.js';
import {
  begin,
  busy,
  DAY,
  HOUR,
  iso,
  Life,
  MINUTE,
  NOON,
  refuses,
  SECOND,
  type Circumstances,
} from '../../support/life.js';

const RISK = { sendAnyway: true, requestedBy: 'alice', reason: 'seen in Zuora' };

function unread(what: Read, circumstances?: Circumstances): Life {
  const life = new Life(circumstances);
  life.unreadable.add(what);
  return life.go();
}

/** After a cool-down of two minutes, the job looks at the bill run. */
const lookFails = (input: object = {}): Life =>
  unread('look', { billRun: { lastEmailSentTime: iso(NOON) }, input: { coolDown: '2 minutes', ...input } }).pass(
    2 * MINUTE,
  );
const lookUpFails = (input: object = {}): Life => unread('lookUp', { input: { requestId: 'JOB', ...input } });
const handoverFails = (input: object = {}): Life =>
  unread('handOver', { workflowId: 'email-bill-run/8ad09e208b1a', input: { requestId: 'JOB', ...input } });

const reads = [
  ['look', lookFails, 'The bill run cannot be read in Zuora', 'Sending cannotRead'],
  ['lookUp', lookUpFails, 'It cannot be read in Temporal what earlier jobs of this bill run did', 'Sending'],
  ['handOver', handoverFails, 'The requests cannot be handed to the job that emails this bill run', 'Sending'],
] as const;

describe.each(reads)('A %s that does not work', (what, begins, words, before) => {
  const sent = ({ calls, handedOver }: Life): number => calls.length + handedOver.length;

  test('is tried for 15 minutes; then a person is asked, and nothing was sent', () => {
    const life = begins();
    const since = life.now;
    life.pass(15 * MINUTE - SECOND);
    expect([life.stateAndReason, life.question]).toEqual([before, null]);
    life.pass(SECOND);
    expect(life.stateAndReason).toBe('NeedsAttention cannotRead');
    const { question } = life;
    expect(question).toMatchObject({ ordinal: 1, kind: 'cannotRead', needsSendAnyway: false, safeUntil: null });
    expect(question?.text).toContain(`${words}, tried since ${iso(since).replace('T', ' ').replace('.000Z', ' UTC')}`);
    expect(question?.text).toContain('(last: `HTTP 503: no answer`). Nothing was sent');
    expect(`${life.step.text}.`).toBe(question?.text);
    expect(sent(life)).toBe(0);
  });

  test('is tried again by retry, for 15 minutes, and all goes on once it works', () => {
    const life = begins().pass(HOUR).retry({ ordinal: 1 });
    expect([life.stateAndReason, life.question]).toEqual([before, null]);
    life.pass(15 * MINUTE - SECOND);
    expect(life.question).toBeNull();
    life.pass(SECOND);
    expect(life.question?.kind).toBe('cannotRead');
    life.unreadable.clear();
    expect(life.pass(HOUR).question?.kind).toBe('cannotRead');
    life.retry();
    expect(life.ignored).toEqual([]);
    expect(sent(life)).toBe(1);
  });

  test('asks nothing if it works within 15 minutes', () => {
    const life = begins().pass(14 * MINUTE);
    life.unreadable.clear();
    life.go();
    expect(sent(life)).toBe(1);
    expect(life.job.reading).toBeNull();
  });

  test('fails the job as Unsettled if nobody answers, and the time in which a question stays open begins with it', () => {
    const life = begins({ openFor: '2 days' }).pass(15 * MINUTE + 2 * DAY - SECOND);
    expect(life.stateAndReason).toBe('NeedsAttention cannotRead');
    const { until } = statusOf(life.job, life.now);
    expect(until).toBe(iso(life.now + SECOND));
    expect(outlookOf(statusOf(life.job, life.now), life.job.sends)).toMatch(/^Without an answer by/);
    life.pass(SECOND);
    expect(life.end).toMatchObject({ kind: 'fail', type: 'Unsettled', state: 'Unsettled', reason: 'cannotRead' });
    expect(life.end?.text).toContain(unsettledOf(life.job).join('; '));
    expect(sent(life)).toBe(0);
  });

  test('leaves the question visible during a hold, which no deadline ends', () => {
    const life = begins({ openFor: '2 days' }).pass(HOUR).hold();
    expect(life.stateAndReason).toBe('Held job');
    expect(life.question?.kind).toBe('cannotRead');
    life.pass(20 * DAY).release();
    expect(life.stateAndReason).toBe('NeedsAttention cannotRead');
    life.pass(DAY);
    expect(life.stateAndReason).toBe('NeedsAttention cannotRead');
    expect(life.pass(DAY).end).toMatchObject({ type: 'Unsettled', reason: 'cannotRead' });
  });

  test('can be finished', () => {
    const life = begins().pass(HOUR).finish({ requestedBy: 'alice' });
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Stopped', reason: 'finish' });
    expect(sent(life)).toBe(0);
  });

  test('asks after a job that continues as new, too', () => {
    const life = begins()
      .pass(10 * MINUTE)
      .continueAsNew()
      .pass(5 * MINUTE);
    expect(life.question?.kind).toBe('cannotRead');
    expect(life.continueAsNew().question?.kind).toBe('cannotRead');
  });

  test('begins anew if no worker tried it', () => {
    const life = begins();
    recordUnread(life.job, undefined, life.now + HOUR);
    expect(life.job.reading).toBeNull();
    expect(beginRead(life.job, what, life.now + HOUR)).toBe(15 * MINUTE);
  });

  test('keeps at most 400 characters of the words', () => {
    const life = begins();
    recordUnread(life.job, 'x'.repeat(10_000), life.now);
    expect(life.job.reading?.failed?.words).toHaveLength(400);
  });
});

describe('A look that does not work', () => {
  test('is left out by sendAnyway, and the record says who decided', () => {
    const life = lookFails().pass(HOUR).retry(RISK);
    expect(life.send).toMatchObject({
      outcome: 'accepted',
      decisions: [{ decision: 'sendAnyway', requestedBy: 'alice', reason: 'seen in Zuora' }],
    });
    expect(life.looks).toBe(1);
  });

  test('is wanted by a person during a cool-down: sendAnyway leaves it out, retry repeats it, a resend needs none', () => {
    const waits = (): Life => {
      const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
      life.unreadable.add('look');
      return life.retry().pass(HOUR);
    };
    expect(waits().question?.kind).toBe('cannotRead');
    expect(waits().retry(RISK).keys).toEqual(['first/1']);
    const again = waits();
    again.unreadable.clear();
    expect(again.retry().stateAndReason).toBe('Waiting coolDown');
    const resent = waits().resend({ requestId: 'T-1' });
    expect(resent.keys).toEqual(['resend/T-1/1']);
    expect(resent.job).toMatchObject({ lookWanted: false, reading: null });
  });

  test('that shows another status than Posted sends nothing', () => {
    const life = lookFails().pass(HOUR);
    life.unreadable.clear();
    life.billRun = { ...life.billRun, status: 'Completed' };
    expect(life.retry().stateAndReason).toBe('Waiting notPosted');
    expect(life.question).toBeNull();
    expect(life.change({ status: 'Posted' }).calls).toHaveLength(1);
  });

  test('is not asked about while all jobs are on hold', () => {
    const life = lookFails().pass(HOUR);
    life.allOnHold = true;
    life.retry(RISK);
    expect(life.stateAndReason).toBe('Held all');
    expect(life.question).toBeNull();
    // After an hour the decision counts no longer.
    life.pass(2 * HOUR);
    life.allOnHold = false;
    expect(life.pass(HOUR).stateAndReason).toBe('NeedsAttention cannotRead');
  });
});

describe('A look-up that does not work', () => {
  test('is left out by sendAnyway: the requests count as new, and their send keeps the decision', () => {
    const life = lookUpFails().pass(HOUR);
    expect(life.update('retry', { ...RISK, requestId: 'R-1' })).toEqual({ requestId: 'R-1', state: 'Sending' });
    expect(life.keys).toEqual(['first/1']);
    expect(life.send.decisions).toMatchObject([{ decision: 'sendAnyway', requestId: 'R-1', requestedBy: 'alice' }]);
    expect(life.update('retry', { ...RISK, requestId: 'R-1' })).toMatchObject({ ordinal: 1 });
    expect(life.resend({ requestId: 'T-1' }).pass(HOUR).question).toMatchObject({ ordinal: 2, kind: 'cannotRead' });
    expect(life.retry({ ordinal: 1 }).ignored).toEqual(['send 2 is open, not send 1']);
  });

  test('holds back no attempt of a send under way, and its 15 minutes count from the first try', () => {
    const life = begin({ answers: [busy(10 * MINUTE), busy(10 * MINUTE), busy(10 * MINUTE)] });
    life.unreadable.add('lookUp');
    life.resend({ requestId: 'T-1' });
    expect(life.step).toMatchObject({ kind: 'lookUp', wake: NOON + 10 * MINUTE });
    life.pass(15 * MINUTE - SECOND);
    expect([life.calls.length, life.question]).toEqual([2, null]);
    life.pass(SECOND);
    expect(life.question).toMatchObject({ ordinal: 1, kind: 'cannotRead' });
    expect(life.step).toMatchObject({ kind: 'wait', until: NOON + 20 * MINUTE, reason: 'cannotRead' });
    expect(outlookOf(statusOf(life.job, life.now), life.job.sends)).toMatch(/^The next attempt is at/);
    life.pass(HOUR);
    expect(life.send).toMatchObject({ ordinal: 1, outcome: 'accepted' });
    expect(life.calls).toHaveLength(4);
    expect(life.question).toMatchObject({ ordinal: 2, kind: 'cannotRead' });
    expect(life.retry(RISK).keys.at(-1)).toBe('resend/T-1/1');
    expect(life.send).toMatchObject({ ordinal: 2, decisions: [{ decision: 'sendAnyway' }] });
  });

  test('makes no attempt of a held send, and is not repeated during the hold', () => {
    const life = begin({ answers: [busy(HOUR)] });
    life.unreadable.add('lookUp');
    life
      .resend({ requestId: 'T-1' })
      .pass(30 * MINUTE)
      .hold()
      .pass(DAY);
    expect(life.step).toMatchObject({ kind: 'wait', state: 'Held' });
    expect(life.calls).toHaveLength(1);
  });

  test('leaves the first word to the question of a send; a retry answers both', () => {
    const life = begin({ answers: [refuses(), busy(DAY)], input: { openFor: '2 days' } });
    life.unreadable.add('lookUp');
    life.resend({ requestId: 'T-1' }).pass(HOUR);
    expect(life.stateAndReason).toBe('NeedsAttention refused');
    expect(life.question).toMatchObject({ kind: 'refused' });
    life.unreadable.clear();
    life.retry();
    expect(life.keys).toEqual(['first/1', 'first/2', 'resend/T-1/1']);
    expect(life.sends).toMatchObject([{ outcome: 'superseded' }, { outcome: 'accepted' }]);
  });

  test('does not keep open a job whose other question nobody answers', () => {
    const life = begin({ answers: [refuses()], input: { openFor: '2 days' } });
    life.unreadable.add('lookUp');
    life.resend({ requestId: 'T-1' }).pass(2 * DAY);
    expect(life.end).toMatchObject({ type: 'Unsettled', reason: 'refused' });
  });

  test('keeps the decision for a send that has to wait for another one', () => {
    const life = begin({ input: { resend: true, requestId: 'T-1' }, answers: [busy(HOUR)] });
    life.unreadable.add('lookUp');
    life
      .resend({ requestId: 'T-2' })
      .pass(20 * MINUTE)
      .retry(RISK);
    expect(life.sends).toMatchObject([{ outcome: 'pending', decisions: [] }]);
    life.pass(HOUR);
    expect(life.sends).toMatchObject([
      { decisions: [] },
      { outcome: 'accepted', decisions: [{ at: iso(NOON + 20 * MINUTE) }] },
    ]);
  });

  test('is about a resend while Zuora emails by itself', () => {
    const life = begin({ billRun: { autoEmail: true } });
    life.unreadable.add('lookUp');
    expect(life.resend({ requestId: 'T-1' }).pass(HOUR).stateAndReason).toBe('NeedsAttention cannotRead');
    life.unreadable.clear();
    expect(life.retry().keys).toEqual(['resend/T-1/1']);
  });
});

describe('A handover that does not work', () => {
  test('takes no sendAnyway', () => {
    const life = handoverFails().pass(HOUR).retry(RISK);
    const fault = 'this job sends nothing itself; retry without sendAnyway';
    expect(life.ignored).toEqual([fault]);
    expect(life.update('retry', RISK)).toBe(fault);
    expect(life.question?.kind).toBe('cannotRead');
  });
});

test.each([
  [lookFails, [/signal \*\*retry\*\* .* tries again/, /"sendAnyway":true.* sends now, at your risk/]],
  [lookUpFails, [/signal \*\*retry\*\* .* tries again/, /"sendAnyway":true.* sends now, at your risk/]],
  [handoverFails, [/signal \*\*retry\*\* .* tries again/]],
])('Temporal UI offers what answers the question: %#', (begins, offers) => {
  const { job, now } = begins().pass(HOUR);
  const details = detailsOf(job, now);
  for (const offer of offers) expect(details).toMatch(offer);
  expect(details.includes('sendAnyway":true')).toBe(offers.length === 2);
});

describe('A watch that cannot read', () => {
  const fails = (input: Circumstances['input'] = {}): Life => {
    const life = new Life({ billRun: { status: 'Completed' }, input }).go();
    life.unreadable.add('watch');
    return life.go();
  };

  test('shows it, asks nobody, and goes on once reads work', () => {
    const life = fails();
    expect([life.stateAndReason, life.question]).toEqual(['Waiting cannotRead', null]);
    expect(life.step.text).toMatch(/^Reads of the bill run in Zuora have failed since .* \(last: `.*503`\)/);
    life.pass(3 * DAY);
    expect(life.stateAndReason).toBe('Waiting cannotRead');
    life.unreadable.clear();
    expect(life.go().stateAndReason).toBe('Waiting notPosted');
    expect(life.change({ status: 'Posted' }).calls).toHaveLength(1);
  });

  test('is shown as held during a hold', () => {
    expect(fails().hold().stateAndReason).toBe('Held job');
  });

  test('ends at the deadline with what failed', () => {
    const life = fails({ postDeadline: '3 days' }).pass(4 * DAY);
    expect(life.end).toMatchObject({ kind: 'fail', type: 'NotPosted' });
    expect(life.end?.text).toMatch(
      /was last Completed; nothing was emailed. Reads .* have failed since .*503.*. Post it/,
    );
  });

  test('keeps at most 400 characters of the words', () => {
    const life = fails();
    recordCannotRead(life.job, { cannotRead: 'x'.repeat(1_000), since: life.now + HOUR });
    expect(life.job.unreadable).toEqual({ cannotRead: 'x'.repeat(400), since: life.now });
  });
});
