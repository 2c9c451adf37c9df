/** What Temporal UI shows about a closed job, word for word: what was sent, and how to go on, if anything is left to do. */
import { expect, test } from 'vitest';
import { detailsOf } from '../../../workflows/rules/details.js';
import { accepts, begin, cutOff, DAY, refuses, type Life } from '../../support/life.js';

const POSTED = 'Bill run `BR-00000001` is `Posted` in Zuora. The job has been in this state since 2026-03-02';
const CHOICES = '**What you can do now**';
const SENDS = '**Sends**';
const STARTED = 'Started 2026-03-02 12:00:00 UTC.';
const START = '_More Actions_, **Start Workflow Like This One**, with';

const list = (...lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
const table = (...rows: readonly string[]): string =>
  ['| document | kind | outcome | why |', '| --- | --- | --- | --- |', ...rows].join('\n');

const unposted = { billRun: { status: 'Completed' } };

test.each<readonly [string, () => Life, readonly string[]]>([
  [
    'hands its requests to the job of the bill run',
    () => begin({ workflowId: 'email-bill-run/8ad09e208b1a', input: { billRunKey: '8ad09e208b1a' } }),
    [
      '### Another job emails this bill run: HandedOver',
      `**Nothing sent by this job.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do here:** the other job says what was sent. This job is closed and takes no more signals.',
      'The job `email-bill-run/BR-00000001` has the requests of this job; its page says what was sent.',
      CHOICES,
      list('look at `email-bill-run/BR-00000001`, which emails this bill run: `bill-run-emails status BR-00000001`'),
      STARTED,
    ],
  ],
  [
    'has emailed all documents',
    () =>
      begin()
        .check()
        .pass(8 * DAY),
    [
      '### All documents were sent: Emailed',
      `**Sent once; 3 of 3 documents emailed.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do.** This job is closed and takes no more signals.',
      'Zuora shows an email for 3 documents.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","resend":true,"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}\`: the new job emails all documents again. On the command line: \`bill-run-emails resend BR-00000001\``,
      ),
      '**Documents**, checked 2026-03-02 12:00:00 UTC: 3 (3 sent)',
      SENDS,
      list('send 1, first send: **accepted**, 1 attempt'),
      STARTED,
    ],
  ],
  [
    'was finished while Zuora sends',
    () => begin().finish(),
    [
      '### Zuora is sending: Delivering',
      `**Accepted by Zuora; the documents are not checked so far.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do.** This job is closed and takes no more signals.',
      'Zuora accepted the request and is sending the emails.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","resend":true,"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}\`: the new job emails all documents again. On the command line: \`bill-run-emails resend BR-00000001\``,
      ),
      SENDS,
      list('send 1, first send: **accepted**, 1 attempt'),
      STARTED,
    ],
  ],
  [
    'leaves documents unsent',
    () => begin().check({ notSent: 1 }).finish(),
    [
      '### 1 of 3 documents was not sent: Delivering (notSent)',
      `**Sent once; 2 of 3 documents emailed.** ${POSTED} 12:00:00 UTC.`,
      '**Your turn:** fix the cause, then retry. This job is closed and takes no more signals.',
      '1 of 3 documents was not sent: `INV-notSent-1` (`a cause`). Fix the cause in Zuora, then retry: that emails only documents for which Zuora shows no email. If one stays unsent, email it in Zuora.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","missing":true,"requestedBy":"<who>","reason":"<why>"}\`: the new job emails what Zuora takes for never emailed, once the cause is fixed. On the command line: \`bill-run-emails retry BR-00000001\``,
      ),
      '**Documents**, checked 2026-03-02 12:00:00 UTC: 3 (2 sent, 1 not sent)',
      table('| `INV-notSent-1` | invoice | not sent | `a cause` |'),
      SENDS,
      list('send 1, first send: **accepted**, 1 attempt'),
      STARTED,
    ],
  ],
  [
    'got no clear answer, and nobody settled it',
    () => begin({ otherwise: cutOff() }).pass(9 * DAY),
    [
      '### Closed without an answer: Unsettled (unknown)',
      '**Not known.** Bill run `BR-00000001` is `Posted` in Zuora. The job has been in this state since 2026-03-09 23:50:35 UTC.',
      '**Your turn:** look whether customers have the emails, also by `bill-run-emails documents BR-00000001`. If not, start it again. This job is closed and takes no more signals.',
      'Nobody answered in time: send 1 (first send): it is not known whether the documents were emailed. To continue: start again.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","requestedBy":"<who>","reason":"<why>"}\`: the new job takes up the open send, and asks on its own page before anything could be emailed twice. On the command line: \`bill-run-emails start BR-00000001\``,
      ),
      SENDS,
      list(
        'send 1, first send: **unknown**, 78 attempts; last answer: no answer, `ECONNRESET: the connection was reset`',
      ),
      STARTED,
    ],
  ],
  [
    'was refused, and nobody answered',
    () =>
      begin({
        input: { entityId: 'e-1', orgIds: ['o-1', 'o-2'] },
        workflowId: 'email-bill-run/e-1/BR-00000001',
        answers: [refuses()],
      }).pass(8 * DAY),
    [
      '### Closed without an answer: Unsettled (refused)',
      '**Nothing sent.** Bill run `BR-00000001` is `Posted` in Zuora. The job has been in this state since 2026-03-09 12:00:00 UTC.',
      '**Your turn:** fix the cause, then start it again. This job is closed and takes no more signals.',
      'Nobody answered in time: send 1 (first send): Zuora refused it, and nothing was sent. To continue: start again.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","entityId":"e-1","orgIds":["o-1","o-2"],"requestedBy":"<who>","reason":"<why>"}\`: the new job takes up the open send, and asks on its own page before anything could be emailed twice. On the command line: \`bill-run-emails start BR-00000001 --entity e-1 --org o-1 o-2\``,
      ),
      SENDS,
      list('send 1, first send: **refused**, 1 attempt; last answer: HTTP 400, `58730030: notification is inactive`'),
      STARTED,
    ],
  ],
  [
    'leaves a refused resend',
    () =>
      begin({ answers: [accepts(), refuses()] })
        .resend({ requestId: 'T-1', requestedBy: 'bob' })
        .finish({ requestedBy: 'alice', reason: 'wrong template' }),
    [
      '### Closed by a person: Stopped (finish)',
      `**Sent once.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do.** This job is closed and takes no more signals.',
      '`alice` finished the job (`wrong template`); nothing more is sent.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","resend":true,"requestId":"T-1","requestedBy":"<who>","reason":"<why>"}\`: the new job continues the resend that is open. On the command line: \`bill-run-emails resend BR-00000001\`, with the same request id`,
      ),
      SENDS,
      list(
        'send 1, first send: **accepted**, 1 attempt',
        'send 2, resend: **refused**, 1 attempt, asked by `bob`; last answer: HTTP 400, `58730030: notification is inactive` (closed by finish before it was settled; nothing more is sent)',
      ),
      STARTED,
    ],
  ],
  [
    'was finished before the post',
    () => begin(unposted).finish({ requestedBy: 'alice' }),
    [
      '### Closed by a person: Stopped (finish)',
      '**Nothing sent.** Bill run `BR-00000001` is `Completed` in Zuora. The job has been in this state since 2026-03-02 12:00:00 UTC.',
      '**Nothing to do,** unless it should be emailed after all. This job is closed and takes no more signals.',
      '`alice` finished the job; nothing is sent.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","again":true,"requestedBy":"<who>","reason":"<why>"}\`: the new job emails the documents once the bill run is posted. On the command line: \`bill-run-emails start BR-00000001 --again\``,
      ),
      STARTED,
    ],
  ],
  [
    'was canceled in Temporal',
    () => begin(unposted).cancel(),
    [
      '### Canceled by a person: Stopped (cancel)',
      '**Nothing sent.** Bill run `BR-00000001` is `Completed` in Zuora. The job has been in this state since 2026-03-02 12:00:00 UTC.',
      '**Nothing to do,** unless it should be emailed after all. This job is closed and takes no more signals.',
      'The job was canceled in Temporal; nothing is sent.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","again":true,"requestedBy":"<who>","reason":"<why>"}\`: the new job emails the documents once the bill run is posted. On the command line: \`bill-run-emails start BR-00000001 --again\``,
      ),
      STARTED,
    ],
  ],
  [
    'waited for a post that did not come',
    () => begin(unposted).pass(31 * DAY),
    [
      '### Closed without emails: NotPosted',
      '**Nothing sent.** Bill run `BR-00000001` is `Completed` in Zuora. The job has been in this state since 2026-04-01 12:00:00 UTC.',
      '**Your turn:** post it in Zuora, then start it again. This job is closed and takes no more signals.',
      'Bill run BR-00000001 did not post by 2026-04-01 12:00:00 UTC and is Completed; nothing was emailed. Post it, then start again.',
      CHOICES,
      list(
        `${START} \`{"billRunKey":"BR-00000001","requestedBy":"<who>","reason":"<why>"}\`: the new job emails the documents once the bill run is posted. On the command line: \`bill-run-emails start BR-00000001\``,
      ),
      STARTED,
    ],
  ],
  [
    'saw that its bill run was canceled',
    () => begin({ billRun: { status: 'Canceled' } }),
    [
      '### Closed without emails: NotPosted',
      '**Nothing sent.** Bill run `BR-00000001` is `Canceled` in Zuora. The job has been in this state since 2026-03-02 12:00:00 UTC.',
      '**Nothing to do** for this bill run. This job is closed and takes no more signals.',
      'Bill run BR-00000001 ended as Canceled; it will not post, and nothing was emailed.',
      CHOICES,
      list('A canceled bill run is never posted. If another one replaces it: `bill-run-emails start <its number>`'),
      STARTED,
    ],
  ],
  [
    'saw that its bill run failed',
    () => begin({ billRun: { status: 'Error' } }),
    [
      '### Closed without emails: NotPosted',
      '**Nothing sent.** Bill run `BR-00000001` is `Error` in Zuora. The job has been in this state since 2026-03-02 12:00:00 UTC.',
      '**Nothing to do** for this bill run. This job is closed and takes no more signals.',
      'Bill run BR-00000001 ended as Error; it will not post, and nothing was emailed.',
      CHOICES,
      list('A failed bill run is never posted. If another one replaces it: `bill-run-emails start <its number>`'),
      STARTED,
    ],
  ],
  [
    'has the id of another bill run',
    () => begin({ workflowId: 'email-bill-run/BR-00000002' }),
    [
      '### Closed without emails: NotPosted',
      `**Nothing sent.** ${POSTED} 12:00:00 UTC.`,
      '**Your turn:** start it again without the fault. This job is closed and takes no more signals.',
      'Invalid input: the workflow id email-bill-run/BR-00000002 names another bill run than BR-00000001, and nothing was emailed; start the job without an id of your own, or with the id of this bill run.',
      CHOICES,
      list('start it again without the fault that the result names'),
      STARTED,
    ],
  ],
  [
    'found no documents',
    () => begin({ billRun: { numberOfInvoices: 0, numberOfCreditMemos: 0 } }),
    [
      '### There are no documents: Skipped (noDocuments)',
      `**Nothing sent.** ${POSTED} 12:00:00 UTC.`,
      '**Nothing to do.** This job is closed and takes no more signals.',
      'The bill run has no invoices and no credit memos, so nothing was sent.',
      CHOICES,
      list('If Zuora adds documents later: `bill-run-emails start BR-00000001`'),
      SENDS,
      list(
        'send 1, first send: **not needed**, 0 attempts (not attempted: the bill run has no invoices and no credit memos)',
      ),
      STARTED,
    ],
  ],
])('Temporal UI shows what is left of a closed job that %s', (_, at, paragraphs) => {
  const { job, now, end } = at();
  expect(end).toBeDefined();
  expect(detailsOf(job, now)).toBe(paragraphs.join('\n\n'));
});
