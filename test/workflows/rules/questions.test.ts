/** The questions that a job asks, word for word: what happened, what was and was not sent, and what to do now. */
import { describe, expect, test } from 'vitest';
import {
  begin,
  breaks,
  cutOff,
  DAY,
  HOUR,
  iso,
  Life,
  loginFails,
  makesNoCall,
  MINUTE,
  neverLeaves,
  NOON,
  refuses,
  repeats,
  type Answer,
  type Circumstances,
} from '../../support/life.js';

/** Zuora answers like this from the second attempt on. */
const afterBreak = (otherwise: Answer): Life => begin({ answers: [breaks()], otherwise });

const LOOK_FIRST =
  'Look at the email history of some invoices in Zuora, or at what the command documents shows. If they were emailed, finish. ';
const PROTECTED =
  `${LOOK_FIRST}If not, retry: until 2026-03-03 11:00:00 UTC the idempotency key keeps Zuora from emailing twice. ` +
  'Later, retry needs sendAnyway.';
const UNPROTECTED =
  `${LOOK_FIRST}If not, retry with sendAnyway. No idempotency key protects that: if Zuora did send, ` +
  'customers get a second email.';

test.each<readonly [string, () => Life, string, string]>([
  [
    'Zuora refused',
    () => begin({ answers: [refuses()] }),
    'NeedsAttention refused',
    'Zuora refused to email the documents (HTTP 400, `58730030: notification is inactive`). Nothing was sent. ' +
      'Fix the cause in Zuora (bill-run-emails doctor looks for it), then retry.',
  ],
  [
    'Zuora executed no attempt in time',
    () => begin({ answers: [neverLeaves()], otherwise: loginFails() }).pass(13 * HOUR),
    'NeedsAttention refused',
    'The automatic attempts are over, and Zuora did not execute any of them (last: HTTP 401). ' +
      'Nothing was sent. Retry when Zuora can take the request.',
  ],
  [
    'no attempt was answered in time, and the key protects a retry',
    () => afterBreak(cutOff()).pass(13 * HOUR),
    'NeedsAttention unknown',
    'It is not known whether Zuora emailed the documents: 78 attempts, and no answer that settles it ' +
      `(last: no answer, \`ECONNRESET: the connection was reset\`). ${PROTECTED}`,
  ],
  [
    'no attempt was answered in time, and no key protects a retry',
    () => afterBreak(cutOff()).pass(DAY),
    'NeedsAttention unknown',
    'It is not known whether Zuora emailed the documents: 78 attempts, and no answer that settles it ' +
      `(last: no answer, \`ECONNRESET: the connection was reset\`). ${UNPROTECTED}`,
  ],
  [
    'one attempt had no clear answer, and no other was made',
    () => begin({ input: { sendBudget: '1s' }, otherwise: breaks() }),
    'NeedsAttention unknown',
    'It is not known whether Zuora emailed the documents: 1 attempt, and no answer that settles it ' +
      `(last: HTTP 500, \`SystemError: internal error\`). ${PROTECTED}`,
  ],
  [
    'Zuora repeats a stored answer that says nothing',
    () => afterBreak(repeats(1, { httpStatus: 502 })).pass(HOUR),
    'NeedsAttention unknown',
    'It is not known whether Zuora emailed the documents. Zuora repeats a stored answer that does not say it ' +
      `(HTTP 502), and would repeat it again under this idempotency key. ${UNPROTECTED}`,
  ],
  [
    'Zuora refuses after an attempt without a clear answer',
    () => afterBreak(refuses()).pass(HOUR),
    'NeedsAttention unknown',
    'Zuora now refuses to email the documents (HTTP 400, `58730030: notification is inactive`). ' +
      'An earlier attempt got no answer that settles it, so Zuora may have emailed them. ' +
      `Fix the cause first. ${PROTECTED}`,
  ],
  [
    'attempts without a clear answer go on',
    () => afterBreak(cutOff()).pass(HOUR),
    'Sending unknown',
    'It is not known yet whether Zuora emailed the documents (last: no answer, `ECONNRESET: the connection was reset`). ' +
      'Attempts continue until 2026-03-03 00:00:00 UTC under one idempotency key, so they cannot email twice. ' +
      'You need not do anything now; retry tries at once.',
  ],
  [
    'attempts that do not reach Zuora go on',
    () => begin({ answers: [loginFails()], otherwise: neverLeaves() }).pass(HOUR),
    'NeedsAttention refused',
    'The request does not reach Zuora (last: no answer, `ECONNREFUSED: nothing was sent`). Nothing was sent. ' +
      "Attempts continue until 2026-03-03 00:00:00 UTC. Check the worker's network and its Zuora credentials; " +
      'retry tries at once.',
  ],
  [
    'a reset hides what was sent',
    () => begin({ input: { resend: true, requestId: 'START' }, otherwise: makesNoCall('afterReset') }),
    'NeedsAttention unknown',
    'This workflow was reset, and its history no longer shows what it did before. ' +
      'The resend may have been sent already, under a key that Zuora may have forgotten. ' +
      'Look at the audit of the earlier job. If it was sent, finish. If not, retry with sendAnyway.',
  ],
])('a person is asked with the whole story: %s', (_, at, state, question) => {
  const life = at();
  expect(life.stateAndReason).toBe(state);
  expect(life.question?.text).toBe(question);
});

describe('A read that does not work', () => {
  const unread = (what: 'look' | 'lookUp' | 'handOver' | 'watch', circumstances: Circumstances): Life => {
    const life = new Life(circumstances);
    life.unreadable.add(what);
    return life.pass(HOUR);
  };
  const tried = 'tried since 2026-03-02 12:00:00 UTC (last: `HTTP 503: no answer`)';

  test.each<readonly [string, () => Life, string]>([
    [
      'a look at the bill run',
      () => unread('look', { billRun: { lastEmailSentTime: iso(NOON - DAY + 2 * MINUTE) } }),
      `The bill run cannot be read in Zuora, ${tried.replace('12:00', '12:02')}. Nothing was sent by this send. ` +
        'Fix the cause, then retry: it looks again. Retry with sendAnyway sends without a look, at your risk: ' +
        'if somebody emailed the documents a short while ago, customers may get a second email.',
    ],
    [
      'a look-up of earlier jobs',
      () => unread('lookUp', {}),
      `It cannot be read in Temporal what earlier jobs of this bill run did, ${tried}. ` +
        'Nothing was sent for the requests that wait. Fix the cause, then retry: it looks again. ' +
        'Retry with sendAnyway takes these requests for new ones, at your risk: ' +
        'if an earlier job emailed for them, customers may get a second email.',
    ],
    [
      'a handover to the job of the bill run',
      () => unread('handOver', { workflowId: 'email-bill-run/8ad09e208b1a' }),
      `The requests cannot be handed to the job that emails this bill run, ${tried}. ` +
        'Nothing was sent by this job. Fix the cause, then retry.',
    ],
  ])('ends in a question that says what a retry would risk: %s', (_, at, question) => {
    const life = at();
    expect(life.stateAndReason).toBe('NeedsAttention cannotRead');
    expect(life.question?.text).toBe(question);
  });

  test('before the post asks nobody: the job says since when, and goes on by itself', () => {
    const { step, question } = unread('watch', { billRun: { status: 'Completed' } });
    expect([step.state, step.reason, question]).toEqual(['Waiting', 'cannotRead', null]);
    expect(step.text).toBe(
      'Reads of the bill run in Zuora have failed since 2026-03-02 12:00:00 UTC (last: `Zuora answered HTTP 503`). ' +
        'The job goes on by itself once they work',
    );
  });

  test('quotes at most 400 characters of what others say', () => {
    const life = unread('lookUp', {});
    const reading = life.job.reading;
    if (reading?.failed == null) throw new Error('nothing failed');
    life.job.reading = { ...reading, failed: { ...reading.failed, words: 'x'.repeat(500) } };
    expect(life.question?.text).toContain(`(last: \`${'x'.repeat(400)}…\`)`);
    life.job.unreadable = { cannotRead: 'y'.repeat(500), since: NOON };
    life.job.billRun = null;
    expect(life.step.text).toContain(`(last: \`${'y'.repeat(400)}…\`)`);
  });
});
