/** The sentence that people read in each state: in `status`, in Temporal UI and on the command line. */
import { describe, expect, test } from 'vitest';
import { endingOf } from '../../../workflows/rules/ending.js';
import { nextStep } from '../../../workflows/rules/next-step.js';
import { outlookOf, sentSoFar } from '../../../workflows/rules/outlook.js';
import { sendsOf, statusOf } from '../../../workflows/rules/status.js';
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
  loginFails,
  MINUTE,
  NOON,
  refuses,
  replies,
  type Answer,
} from '../../support/life.js';

const none = { numberOfInvoices: 0, numberOfCreditMemos: 0 };
const alias = { workflowId: 'email-bill-run/8ad09e208b1a', input: { billRunKey: '8ad09e208b1a', requestId: 'JOB' } };

describe('Before the post', () => {
  test('the first look is announced', () => {
    expect(new Life().step).toMatchObject({
      kind: 'watch',
      state: 'Waiting',
      reason: 'notPosted',
      text: 'Looking at the bill run for the first time',
    });
  });

  test.each([
    ['Pending', 'The bill run is Pending and not posted yet'],
    ['Completed', 'A person must post the bill run in Zuora: its documents are generated, but not posted'],
    ['PostInProgress', 'Zuora is posting the bill run'],
    ['Paused', 'The bill run is paused: a person must resume it in Zuora'],
    ['CancelInProgress', 'Zuora is removing the bill run (CancelInProgress)'],
    ['RemoveInProgress', 'Zuora is removing the bill run (RemoveInProgress)'],
  ])('a bill run that is %s says who does what', (status, text) => {
    expect(begin({ billRun: { status } }).step.text).toBe(text);
  });

  test('a bill run that fell back from posting says what to do, also if it is empty', () => {
    const posting = begin({ billRun: { status: 'PostInProgress' } });
    expect(posting.change({ status: 'Completed' }).step.text).toBe(
      'Zuora could not post all documents and set the bill run back to Completed; find the documents in error in Zuora, ' +
        'fix them, and post the bill run again',
    );
    const empty = begin({ billRun: { status: 'PostInProgress', ...none } });
    expect(empty.change({ status: 'Completed' }).step.text).toBe(
      'Zuora set the bill run back to Completed, perhaps because it has no documents; if so, finish',
    );
  });
});

describe('A job with an id of its own', () => {
  test('says which job emails the bill run', () => {
    const life = new Life(alias);
    life.job.billRun = life.billRun;
    expect(life.step).toMatchObject({
      kind: 'handOver',
      state: 'Sending',
      reason: null,
      to: 'email-bill-run/BR-00000001',
      text: 'Handing the requests to email-bill-run/BR-00000001, which emails this bill run',
    });
    expect(life.hold().step).toMatchObject({ kind: 'wait', until: Infinity, state: 'Held', reason: 'job' });
    expect(begin(alias).end?.text).toBe(
      'The job `email-bill-run/BR-00000001` has the requests of this job; its page says what was sent',
    );
  });

  test.each([
    ['alreadyEmailed', 'had emailed the documents before, so it sends nothing more'],
    ['stopped', 'was closed by a person, so nothing is sent; to send, start that bill run again'],
  ] as const)('says what the other job answered: %s', (result, words) => {
    const { job, now } = begin(alias);
    job.handedOver.splice(0, Infinity, { requestId: 'JOB', result });
    expect(endingOf(job, now)?.text).toBe(`The job \`email-bill-run/BR-00000001\` ${words}`);
  });
});

describe('What was sent', () => {
  const sent = ({ job, now }: Life, listed?: 'listed'): string => {
    const status = statusOf(job, now);
    return sentSoFar(status, listed === undefined ? sendsOf(job) : null);
  };
  const resent = (answer: Answer) => begin({ answers: [accepts(), answer] }).resend({ requestId: 'T-1' });

  test('is nothing, not known, or a number of times', () => {
    expect(sent(begin({ billRun: { status: 'Completed' } }))).toBe('Nothing sent');
    expect(sent(begin({ answers: [refuses()] }))).toBe('Nothing sent');
    expect(sent(begin({ answers: [busy(HOUR)] }))).toBe('Nothing sent');
    expect(sent(begin({ billRun: { autoEmail: true } }))).toBe('Nothing sent by this job; Zuora sends by itself');
    expect(sent(begin({ billRun: { invoicesEmailed: true } }))).toBe(
      'Nothing sent by this job; Zuora says that it was emailed',
    );
    expect(sent(begin({ otherwise: cutOff() }).pass(HOUR))).toBe('Not known');
    expect(sent(begin({ otherwise: cutOff() }).pass(HOUR).finish())).toBe('Not known');
    expect(sent(begin({ answers: [accepts()] }))).toBe('Accepted by Zuora; the documents are not checked so far');
    expect(sent(begin({ answers: [accepts()] }).check())).toBe('Sent once');
    expect(sent(resent(accepts()))).toBe('Accepted by Zuora 2 times; the documents are not checked so far');
    expect(sent(resent(refuses()))).toBe('Sent once');
    expect(sent(begin({ answers: [accepts()], otherwise: cutOff() }).resend({ requestId: 'T-1' }))).toBe(
      'Sent once; not known for send 2',
    );
    const texts: string[] = [];
    begin({ answers: [during((life) => texts.push(sent(life)), accepts())] });
    expect(texts).toEqual(['Nothing sent so far as Zuora has answered']);
  });

  test('is said with less by what Temporal lists', () => {
    expect(sent(begin({ billRun: { status: 'Completed' } }), 'listed')).toBe('Nothing sent');
    expect(sent(begin({ answers: [busy(HOUR)] }), 'listed')).toBe('Not known');
    expect(sent(begin({ otherwise: cutOff() }).pass(HOUR), 'listed')).toBe('Not known');
    expect(sent(begin({ answers: [accepts()] }), 'listed')).toMatch(/^Accepted by Zuora;/);
    expect(sent(resent(busy(HOUR)), 'listed')).toBe('Sent once; not known for the last send');
  });
});

test('the time of the next attempt is what people read, also if a person is asked before it', () => {
  const unavailable = replies({ verdict: 'unknown', httpStatus: 503, retryAfterMs: 50 * MINUTE });
  const login = replies({ verdict: 'notExecuted', httpStatus: 401, retryAfterMs: 50 * MINUTE });
  for (const answer of [unavailable, login]) {
    const life = begin({ answers: [answer] });
    const { until, text } = statusOf(life.job, life.now);
    expect(text).toMatch(/Attempt 2 follows/);
    expect(Date.parse(until ?? '')).toBe(life.job.sends[0]?.nextAttemptAt);
    const later = life.pass(20 * MINUTE);
    expect(statusOf(later.job, later.now)).toMatchObject({ until, question: { ordinal: 1 } });
  }
});

describe('While it sends', () => {
  test('each step says what is done', () => {
    const texts: string[] = [];
    const meanwhile = during((life) => texts.push(life.step.text), busy(HOUR));
    const life = begin({ answers: [meanwhile] });
    texts.push(life.step.text);
    expect(texts).toEqual(['Attempt 1 is under way', 'Zuora did not execute attempt 1 (HTTP 429). Attempt 2 follows']);
    life.job.incoming.push({ requestId: 'T-1', resend: true, requestedAt: iso(NOON) });
    expect(life.step.text).toBe('Looking up what earlier jobs of this bill run did');
  });

  test('a look is announced, before the first attempt and during a cool-down', () => {
    const cooling = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
    expect(cooling.step.text).toMatch(
      /^Zuora emailed documents of this bill run at 2026-03-02 12:00:00 UTC, .* waits until /,
    );
    cooling.job.lookWanted = true;
    expect(cooling.step).toMatchObject({ kind: 'look', text: 'Looking at the bill run again' });
    cooling.job.lookWanted = false;
    cooling.now += DAY + MINUTE;
    expect(cooling.step).toMatchObject({ kind: 'look', text: 'Looking at the bill run before the first attempt' });
  });

  test('a hold is named, and no time ends it', () => {
    const text = 'On hold since 2026-03-02 12:00:00 UTC: nothing is sent until a person releases the job';
    const held = { kind: 'wait', state: 'Held', reason: 'job', text, until: Infinity };
    expect(begin({ answers: [busy(HOUR)] }).hold().step).toMatchObject(held);
    expect(begin({ billRun: { lastEmailSentTime: iso(NOON) } }).hold().step).toMatchObject(held);
    const empty = begin({ billRun: { status: 'Completed' } }).hold();
    expect(empty.change({ status: 'Posted', ...none }).step).toMatchObject(held);
  });

  test('a question stays the sentence while its next attempt is due', () => {
    const life = begin({ otherwise: cutOff() }).pass(HOUR);
    const { until } = statusOf(life.job, life.now);
    const due = nextStep(life.job, Date.parse(until ?? ''));
    expect(due).toMatchObject({ kind: 'attempt', state: 'Sending', reason: 'unknown' });
    expect(due.text).toMatch(/^It is not known yet whether/);
  });

  test('a question is the sentence, without its full stop', () => {
    const refused = begin({ answers: [refuses()] }).step;
    expect(refused).toMatchObject({ kind: 'wait', state: 'NeedsAttention', reason: 'refused' });
    expect(refused.text).toMatch(
      /^Zuora refused to email the documents .*Fix the cause in Zuora \(bill-run-emails doctor looks for it\), then retry$/,
    );
    const unknown = begin({ otherwise: cutOff() }).pass(HOUR).step;
    expect(unknown).toMatchObject({ state: 'Sending', reason: 'unknown' });
    expect(unknown.text).toMatch(/^It is not known yet whether .* retry tries at once$/);
  });

  test('a query between a look and the begin of a send has a sentence, too', () => {
    const life = new Life({ earlierRun: '' });
    life.job.billRun = life.billRun;
    expect(life.step.text).toBe('The bill run is posted, and a send is about to begin');
  });
});

describe('After the acceptance, and at the end', () => {
  test('the emails are with Zuora', () => {
    expect(begin().step).toMatchObject({
      kind: 'wait',
      state: 'Delivering',
      reason: null,
      text: 'Zuora accepted the request and is sending the emails',
    });
    expect(begin({ billRun: { autoEmail: true } }).step).toMatchObject({
      kind: 'wait',
      state: 'Delivering',
      reason: 'autoEmail',
      text:
        'Zuora emails the documents by itself (autoEmail is on), so this job sends nothing, and checks what became of them. ' +
        'If some are missing, a retry emails only those, once no email can be on its way (after 24 hours at most)',
    });
    expect(begin({ billRun: { invoicesEmailed: true } }).step).toMatchObject({
      kind: 'wait',
      state: 'Delivering',
      reason: 'emailedElsewhere',
      text:
        'Zuora says that the bill run was emailed, and this job did not do it. So it sends nothing, and checks what became of the documents. ' +
        'If some are missing, a retry emails only those, once no email can be on its way (after 24 hours at most)',
    });
  });

  test.each<readonly [string, () => Life, object]>([
    [
      'no documents',
      () => begin({ billRun: none }),
      {
        kind: 'complete',
        state: 'Skipped',
        reason: 'noDocuments',
        text: expect.stringMatching(/^The bill run has no/) as string,
      },
    ],
    [
      'finish',
      () => begin({ billRun: { status: 'Completed' } }).finish(),
      { kind: 'complete', state: 'Stopped', reason: 'finish', text: 'A person finished the job; nothing is sent' },
    ],
    [
      'cancellation',
      () => begin({ billRun: { status: 'Completed' } }).cancel(),
      {
        kind: 'cancel',
        state: 'Stopped',
        reason: 'cancel',
        text: 'The job was canceled in Temporal; nothing is sent',
      },
    ],
    [
      'a question about a first send that nobody answered',
      () => begin({ answers: [refuses()] }).pass(8 * DAY),
      {
        kind: 'fail',
        state: 'Unsettled',
        reason: 'refused',
        text:
          'nobody answered in time: send 1 (first send): Zuora refused it, and nothing was sent. ' +
          'To continue: start again',
      },
    ],
    [
      'a question about a resend that nobody answered',
      () =>
        begin({ answers: [accepts(), refuses()] })
          .resend({ requestId: 'T-1' })
          .pass(8 * DAY),
      {
        kind: 'fail',
        state: 'Unsettled',
        text: expect.stringMatching(/To continue: ask for the resend again, with the request id `T-1`$/) as string,
      },
    ],
  ])('the job says how it closed: %s', (_, at, end) => {
    const life = at();
    expect(life.end).toMatchObject(end);
    expect(nextStep(life.job, life.now)).toEqual(life.end);
  });

  test('an id that names another bill run is refused with what to do', () => {
    const { end } = begin({ workflowId: 'email-bill-run/BR-00000002' });
    expect(end).toMatchObject({
      kind: 'fail',
      type: 'InvalidInput',
      text:
        'invalid input: the workflow id email-bill-run/BR-00000002 names another bill run than BR-00000001, and nothing was ' +
        'emailed; start the job without an id of your own, or with the id of this bill run',
    });
  });
});

describe('What happens by itself', () => {
  const deadline = '2026-04-01 12:00:00 UTC';

  test.each<readonly [string, () => Life, string | null]>([
    [
      'before the post',
      () => begin({ billRun: { status: 'Completed' } }),
      `If it is not posted by ${deadline}, the job closes as NotPosted, and nothing is emailed. ` +
        'Once it is posted, its documents are emailed.',
    ],
    ['before the post, on hold', () => begin({ billRun: { status: 'Completed' } }).hold(), null],
    [
      'during a cool-down',
      () => begin({ billRun: { lastEmailSentTime: iso(NOON) } }),
      'The first send starts at 2026-03-03 12:00:00 UTC.',
    ],
    ['on hold after the post', () => begin({ answers: [busy(HOUR)] }).hold(), null],
    ['between attempts', () => begin({ answers: [busy(HOUR)] }), 'The next attempt is at 2026-03-02 13:00:00 UTC.'],
    [
      'while a person is asked',
      () => begin({ answers: [refuses()] }),
      'Without an answer by 2026-03-09 12:00:00 UTC, the job closes as Unsettled.',
    ],
    ['after the acceptance', () => begin(), 'The job closes at 2026-03-09 12:00:00 UTC; until then it takes a resend.'],
    ['before the first send of a held job', () => begin().hold().resend({ requestId: 'T-1' }), null],
  ])('is said %s', (_, at, sentence) => {
    const { job, now } = at();
    expect(outlookOf(statusOf(job, now), sendsOf(job))).toBe(sentence);
  });

  test('is the next attempt while a person is asked and attempts continue', () => {
    const { job, now } = begin({ otherwise: loginFails() }).pass(HOUR);
    const status = statusOf(job, now);
    expect(status).toMatchObject({ state: 'NeedsAttention', reason: 'refused' });
    expect(outlookOf(status, sendsOf(job))).toMatch(/^The next attempt is at 2026-03-02 1/);
  });
});
