/** What Temporal UI shows about an open job, word for word. A person who reads it decides whether customers get emails. */
import { expect, test } from 'vitest';
import { detailsOf } from '../../../workflows/rules/details.js';
import { begin, busy, cutOff, HOUR, iso, Life, MINUTE, neverLeaves, NOON, refuses } from '../../support/life.js';

const POSTED = 'Bill run `BR-00000001` is `Posted` in Zuora. The job has been in this state since 2026-03-02';
const REQUESTS = '**Requests for the next send**';
const CHOICES = '**What you can do now**';
const SENDS = '**Sends**';
const STARTED = 'Started 2026-03-02 12:00:00 UTC.';
const TO_SIGNAL =
  'To signal: _More Actions_, _Send a Signal_. Each signal is also a command, such as `bill-run-emails hold BR-00000001`.';
const TO_STOP = 'To stop emails, use the signal **hold**, not _Pause_, _Request Cancellation_, _Terminate_ or _Reset_.';

const HINT =
  'signal **billRunPosted**, without input, is not needed: it makes the job look at once instead of within minutes';
const NOTE = '`{"requestedBy":"<who>","reason":"<why>"}`';
const HOLD = `signal **hold** with ${NOTE} sends nothing until a release`;
const RELEASE = `signal **release** with ${NOTE} lets sends continue`;
const FINISH = `signal **finish** with ${NOTE} closes the job; nothing more is sent`;
const FINISH_DELIVERING = `signal **finish** with ${NOTE} closes the job; it does not stop emails that Zuora is sending`;
const RETRY = 'signal **retry** with `{"ordinal":1,"requestedBy":"<who>","reason":"<why>"}`';
const SEND_NOW =
  'signal **retry** with `{"ordinal":1,"sendAnyway":true,"requestedBy":"<who>","reason":"<why>"}` sends now, at your risk: customers may get a second email';
const RESEND = 'signal **resend** with `{"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}`';
const RESEND_INSTEAD = `${RESEND} instead of the first send, emails all documents, also those that customers already have`;
const RESEND_AFTER_RELEASE = RESEND_INSTEAD.replace(' instead', ' after the release, instead');
const RESEND_AGAIN = `${RESEND} emails all documents again, such as after a wrong template`;

const list = (...lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
const table = (...rows: readonly string[]): string =>
  ['| document | kind | outcome | why |', '| --- | --- | --- | --- |', ...rows].join('\n');

const unposted = { billRun: { status: 'Completed' } };

/** The hold on all came between two attempts. */
function heldWithAll(): Life {
  const life = begin({ answers: [busy(HOUR)] });
  life.job.heldByAll = true;
  return life;
}

/** It was started by the ID of the bill run, and the job of the bill run cannot be reached. */
function unreachable(): Life {
  const life = new Life({ workflowId: 'email-bill-run/8ad09e208b1a', input: { requestId: 'JOB' } });
  life.unreadable.add('handOver');
  return life.pass(HOUR);
}

test.each<readonly [string, () => Life, readonly string[]]>([
  [
    'before the first look: it knows only the key of its start',
    () => new Life({ input: { billRunKey: '8ad09e208b1a' } }),
    [
      '### Waiting for the bill run to be posted: Waiting (notPosted)',
      '**Nothing sent.** Bill run `8ad09e208b1a`.',
      '**Nothing to do:** the job goes on by itself. If it is not posted by 2026-04-01 12:00:00 UTC, the job closes as NotPosted, and nothing is emailed. Once it is posted, its documents are emailed.',
      'Looking at the bill run for the first time.',
      REQUESTS,
      list('first send'),
      CHOICES,
      list(HINT, HOLD, FINISH, RESEND_INSTEAD),
      STARTED,
      'To signal: _More Actions_, _Send a Signal_. Each signal is also a command, such as `bill-run-emails hold 8ad09e208b1a`.',
      TO_STOP,
    ],
  ],
  [
    'before the post: who posts, until when, and what then is sent',
    () => begin({ ...unposted, input: { requestId: 'JOB', requestedBy: 'pipeline', reason: 'month end' } }),
    [
      '### Waiting for the bill run to be posted: Waiting (notPosted)',
      '**Nothing sent.** Bill run `BR-00000001` is `Completed` in Zuora. The job has been in this state since 2026-03-02 12:00:00 UTC.',
      '**Your turn:** post it in Zuora. If it is not posted by 2026-04-01 12:00:00 UTC, the job closes as NotPosted, and nothing is emailed. Once it is posted, its documents are emailed.',
      'A person must post the bill run in Zuora: its documents are generated, but not posted.',
      REQUESTS,
      list('request `JOB`, first send, asked by `pipeline`: `month end`'),
      CHOICES,
      list(HINT, HOLD, FINISH, RESEND_INSTEAD),
      'Started 2026-03-02 12:00:00 UTC, asked for by `pipeline`: `month end`.',
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'on hold: who holds it, and nothing ends it but a release',
    () => begin(unposted).hold({ requestedBy: 'alice', reason: 'wrong template' }),
    [
      '### On hold: Held (job)',
      '**Nothing sent.** Bill run `BR-00000001` is `Completed` in Zuora. The job has been in this state since 2026-03-02 12:00:00 UTC.',
      '**Your turn:** release it once it may send. A hold has no deadline.',
      'On hold since 2026-03-02 12:00:00 UTC, by `alice` (`wrong template`): nothing is sent until a person releases the job.',
      REQUESTS,
      list('first send'),
      CHOICES,
      list(RELEASE, HINT, FINISH, RESEND_AFTER_RELEASE),
      STARTED,
      TO_SIGNAL,
    ],
  ],
  [
    'on hold with a question: both are shown',
    () => begin({ answers: [refuses()] }).hold(),
    [
      '### On hold: Held (job)',
      `**Nothing sent.** ${POSTED} 12:00:00 UTC.`,
      '**Your turn:** release it once it may send. A hold has no deadline.',
      'On hold since 2026-03-02 12:00:00 UTC: nothing is sent until a person releases the job.',
      '**About send 1:** Zuora refused to email the documents (HTTP 400, `58730030: notification is inactive`). Nothing was sent. Fix the cause in Zuora (bill-run-emails doctor looks for it), then retry.',
      CHOICES,
      list(RELEASE, `${RETRY} tries again`, FINISH, RESEND_AFTER_RELEASE),
      SENDS,
      list('send 1, first send: **refused**, 1 attempt; last answer: HTTP 400, `58730030: notification is inactive`'),
      STARTED,
      TO_SIGNAL,
    ],
  ],
  [
    'on hold with all jobs: only a release of all ends it',
    heldWithAll,
    [
      '### All jobs are on hold: Held (all)',
      '**Nothing sent.** Bill run `BR-00000001` is `Posted` in Zuora.',
      '**Your turn:** when sending may go on, release all jobs. Releasing this one changes nothing. A hold has no deadline.',
      'All jobs are on hold by one order, and nothing is sent until a person ends it. Who gave it, and why, stands in the workflow `bill-run-emails/hold-all`.',
      CHOICES,
      list(
        'signal **release** with `{"requestedBy":"<who>","reason":"<why>"}` to the workflow `bill-run-emails/hold-all`, or `bill-run-emails release --all`, lets all jobs continue',
        FINISH,
        RESEND_AFTER_RELEASE,
      ),
      SENDS,
      list('send 1, first send: **pending**, 1 attempt; last answer: HTTP 429'),
      STARTED,
      TO_SIGNAL,
    ],
  ],
  [
    'during a cool-down: what it waits for, and how to look again',
    () => begin({ billRun: { lastEmailSentTime: iso(NOON) } }),
    [
      '### Waiting until earlier emails have left: Waiting (coolDown)',
      `**Nothing sent by this job.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do:** the job goes on by itself. The first send starts at 2026-03-03 12:00:00 UTC.',
      'Zuora emailed documents of this bill run at 2026-03-02 12:00:00 UTC, and more emails may be on their way; this send waits until 2026-03-03 12:00:00 UTC, and then emails only documents that were never emailed.',
      CHOICES,
      list(`${RETRY} checks again whether it must wait`, HOLD, FINISH, SEND_NOW, RESEND_INSTEAD),
      SENDS,
      list('send 1, first send: **pending**, 0 attempts'),
      STARTED,
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'between two attempts: the last answer, and when the next one is',
    () => begin({ answers: [cutOff(), busy(HOUR)] }),
    [
      '### Asking Zuora to send: Sending',
      `**Not known.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do:** the job goes on by itself. The next attempt is at 2026-03-02 12:00:05 UTC.',
      'There is no clear answer to attempt 1 (no answer, `ECONNRESET: the connection was reset`). Attempt 2 follows under the same key, so nobody is emailed twice.',
      CHOICES,
      list(HOLD, FINISH_DELIVERING, RESEND_INSTEAD),
      SENDS,
      list(
        'send 1, first send: **pending**, 1 attempt; last answer: no answer, `ECONNRESET: the connection was reset`',
      ),
      STARTED,
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'after a refusal: what a person can do, and until when',
    () => begin({ answers: [refuses()] }).retry({ ordinal: 7 }),
    [
      '### Sending does not work: NeedsAttention (refused)',
      `**Nothing sent.** ${POSTED} 12:00:00 UTC.`,
      '**Your turn:** fix the cause, then retry; or finish. Without an answer by 2026-03-09 12:00:00 UTC, the job closes as Unsettled.',
      '**About send 1:** Zuora refused to email the documents (HTTP 400, `58730030: notification is inactive`). Nothing was sent. Fix the cause in Zuora (bill-run-emails doctor looks for it), then retry.',
      CHOICES,
      list(`${RETRY} tries again`, HOLD, FINISH, RESEND_INSTEAD),
      '**The last message had no effect:** `retry` at 2026-03-02 12:00:00 UTC: `send 1 is open, not send 7`.',
      SENDS,
      list('send 1, first send: **refused**, 1 attempt; last answer: HTTP 400, `58730030: notification is inactive`'),
      STARTED,
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'while a request does not reach Zuora: the question, and that attempts go on',
    () => begin({ otherwise: neverLeaves() }).pass(HOUR),
    [
      '### Sending does not work: NeedsAttention (refused)',
      `**Nothing sent.** ${POSTED} 12:15:00 UTC.`,
      '**Nothing to do:** the job goes on by itself. The next attempt is at 2026-03-02 13:00:35 UTC.',
      "**About send 1:** The request does not reach Zuora (last: no answer, `ECONNREFUSED: nothing was sent`). Nothing was sent. Attempts continue until 2026-03-03 00:00:00 UTC. Check the worker's network and its Zuora credentials; retry tries at once.",
      CHOICES,
      list(`${RETRY} tries again`, HOLD, FINISH, RESEND_INSTEAD),
      SENDS,
      list('send 1, first send: **pending**, 12 attempts; last answer: no answer, `ECONNREFUSED: nothing was sent`'),
      STARTED,
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'after attempts that nobody answered: what is not known, and until when a retry is safe',
    () => begin({ otherwise: cutOff() }).pass(13 * HOUR),
    [
      '### Nobody knows whether it was sent: NeedsAttention (unknown)',
      `**Not known.** ${POSTED} 23:50:35 UTC.`,
      '**Your turn, best before 2026-03-03 11:00:00 UTC:** look whether the emails left. If they did, finish; if not, retry. Without an answer by 2026-03-09 23:50:35 UTC, the job closes as Unsettled.',
      '**About send 1:** It is not known whether Zuora emailed the documents: 78 attempts, and no answer that settles it (last: no answer, `ECONNRESET: the connection was reset`). Look at the email history of some invoices in Zuora, or at what the command documents shows. If they were emailed, finish. If not, retry: until 2026-03-03 11:00:00 UTC the idempotency key keeps Zuora from emailing twice. Later, retry needs sendAnyway.',
      CHOICES,
      list(`${RETRY} tries again`, HOLD, FINISH_DELIVERING, RESEND_INSTEAD),
      SENDS,
      list(
        'send 1, first send: **unknown**, 78 attempts; last answer: no answer, `ECONNRESET: the connection was reset`',
      ),
      STARTED,
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'after a handover that does not work: the job that emails, and no signal that would send',
    unreachable,
    [
      '### Something must be read first: NeedsAttention (cannotRead)',
      `**Nothing sent.** ${POSTED} 12:15:00 UTC.`,
      '**Your turn:** fix the cause, then retry. Without an answer by 2026-03-09 12:15:00 UTC, the job closes as Unsettled.',
      '**About send 1:** The requests cannot be handed to the job that emails this bill run, tried since 2026-03-02 12:00:00 UTC (last: `HTTP 503: no answer`). Nothing was sent by this job. Fix the cause, then retry.',
      REQUESTS,
      list('request `JOB`, first send'),
      CHOICES,
      list(
        `${RETRY} tries again`,
        'look at `email-bill-run/BR-00000001`, which emails this bill run: `bill-run-emails status BR-00000001`',
      ),
      STARTED,
      TO_SIGNAL,
      TO_STOP,
    ],
  ],
  [
    'after the acceptance: a finish does not stop emails',
    () => begin(),
    [
      '### Zuora is sending: Delivering',
      `**Accepted by Zuora; the documents are not checked so far.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do:** the job checks what became of the documents. The job closes at 2026-03-09 12:00:00 UTC; until then it takes a resend.',
      'Zuora accepted the request and is sending the emails.',
      CHOICES,
      list(FINISH_DELIVERING, RESEND_AGAIN),
      SENDS,
      list('send 1, first send: **accepted**, 1 attempt'),
      STARTED,
      TO_SIGNAL,
    ],
  ],
  [
    'with documents that were not sent: which, and why',
    () => begin().check({ notSent: 1, waiting: 1 }),
    [
      '### 1 of 3 documents was not sent: Delivering (notSent)',
      `**Sent once; 1 of 3 documents emailed.** ${POSTED} 12:00:00 UTC.`,
      '**Your turn:** fix the cause, then retry. The job closes at 2026-03-09 12:00:00 UTC; until then it takes a retry.',
      '1 of 3 documents was not sent: `INV-notSent-1` (`a cause`). Fix the cause in Zuora, then retry: that emails only documents for which Zuora shows no email. If one stays unsent, email it in Zuora.',
      CHOICES,
      list(
        'signal **retry** with `{"requestedBy":"<who>","reason":"<why>"}` emails only documents for which Zuora shows no email, once none can be on its way',
        FINISH_DELIVERING,
        RESEND_AGAIN,
      ),
      '**Documents**, checked 2026-03-02 12:00:00 UTC: 3 (1 sent, 1 not sent, 1 waiting)',
      table(
        '| `INV-notSent-1` | invoice | not sent | `a cause` |',
        '| `INV-waiting-1` | invoice | waiting | `a cause` |',
      ),
      SENDS,
      list('send 1, first send: **accepted**, 1 attempt'),
      STARTED,
      TO_SIGNAL,
    ],
  ],
  [
    'with a retry of what was not sent: when it is sent',
    () =>
      begin()
        .pass(5 * MINUTE)
        .check({ notSent: 2 })
        .check({ notSent: 1, waiting: 1 })
        .retry({ requestedBy: 'bob' }),
    [
      '### 1 of 3 documents was not sent: Delivering (notSent)',
      `**Sent once; 1 of 3 documents emailed.** ${POSTED} 12:05:00 UTC.`,
      '**Nothing to do:** the job checks what became of the documents. What was not sent is sent at 2026-03-03 12:00:00 UTC, or as soon as a check allows it.',
      'Emails may still be on their way, so what was not sent waits until 2026-03-03 12:00:00 UTC.',
      CHOICES,
      list(
        'signal **retry** with `{"ordinal":2,"requestedBy":"<who>","reason":"<why>"}` emails what was never emailed, once no email can be on its way',
        FINISH_DELIVERING,
        'signal **retry** with `{"ordinal":2,"sendAnyway":true,"requestedBy":"<who>","reason":"<why>"}` sends now, at your risk: customers may get a second email',
        RESEND_AGAIN,
      ),
      '**Documents**, checked 2026-03-02 12:05:00 UTC: 3 (1 sent, 1 not sent, 1 waiting)',
      table(
        '| `INV-notSent-1` | invoice | not sent | `a cause` |',
        '| `INV-waiting-1` | invoice | waiting | `a cause` |',
      ),
      SENDS,
      list(
        'send 1, first send: **accepted**, 1 attempt',
        'send 2, retry of what was not sent: **pending**, 0 attempts, asked by `bob`',
      ),
      STARTED,
      TO_SIGNAL,
    ],
  ],
  [
    'once all is sent: nothing to do',
    () => begin().check({ leftOut: 1 }),
    [
      '### All documents were sent: Emailed',
      `**Sent once; 2 of 3 documents emailed.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do.** The job closes at 2026-03-09 12:00:00 UTC; until then it takes a resend.',
      'Zuora shows an email for 2 documents; 1 left out on purpose.',
      CHOICES,
      list(FINISH, RESEND_AGAIN),
      '**Documents**, checked 2026-03-02 12:00:00 UTC: 3 (2 sent, 1 left out)',
      table('| `INV-leftOut-1` | invoice | left out | `a cause` |'),
      SENDS,
      list('send 1, first send: **accepted**, 1 attempt'),
      STARTED,
      TO_SIGNAL,
    ],
  ],
])('Temporal UI shows the whole story of an open job %s', (_, at, paragraphs) => {
  const { job, now } = at();
  expect(detailsOf(job, now)).toBe(paragraphs.join('\n\n'));
});
