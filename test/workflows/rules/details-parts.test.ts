/** The parts of what Temporal UI shows, at their limits: headings, whose turn it is, choices, requests, documents and sends. */
import { describe, expect, test } from 'vitest';
import type { FollowedDocument, JobStatus } from '../../../workflows/contract/contract.js';
import { recordCheck } from '../../../workflows/rules/documents.js';
import { attemptSummary, detailsOf, EXAMPLES, situationOf } from '../../../workflows/rules/details.js';
import { openSend } from '../../../workflows/rules/send.js';
import { statusOf } from '../../../workflows/rules/status.js';
import {
  accepts,
  begin,
  cutOff,
  DAY,
  during,
  HOUR,
  iso,
  Life,
  MINUTE,
  NOON,
  refuses,
  type Circumstances,
} from '../../support/life.js';

const RETRY = 'signal **retry** with `{"ordinal":1,"requestedBy":"<who>","reason":"<why>"}` tries again';
const SEND_NOW =
  'signal **retry** with `{"ordinal":1,"sendAnyway":true,"requestedBy":"<who>","reason":"<why>"}` sends now, at your risk: customers may get a second email';
const RELEASE = 'signal **release** with `{"requestedBy":"<who>","reason":"<why>"}` lets sends continue';
const RESEND = 'signal **resend** with `{"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}`';
const RESEND_ALL = `${RESEND} emails all documents, also those that customers already have`;
const CANONICAL =
  'look at `email-bill-run/BR-00000001`, which emails this bill run: `bill-run-emails status BR-00000001`';

const unposted = { billRun: { status: 'Completed' } };
const alias = { workflowId: 'email-bill-run/8ad09e208b1a' };

const paragraphsOf = ({ job, now }: Life): readonly string[] => detailsOf(job, now).split('\n\n');
const headingOf = (life: Life): string | undefined => paragraphsOf(life)[0];
const turnOf = (life: Life): string | undefined => paragraphsOf(life)[2];

/** The lines of the list below a title. */
function listed(life: Life, title: string): readonly string[] {
  const paragraphs = paragraphsOf(life);
  const lines = paragraphs[paragraphs.indexOf(`**${title}**`) + 1]?.split('\n') ?? [];
  return lines.map((line) => line.replace(/^- /, ''));
}
const choicesOf = (life: Life): readonly string[] => listed(life, 'What you can do now');

function unread(what: 'look' | 'watch', circumstances: Circumstances): Life {
  const life = begin(circumstances);
  life.unreadable.add(what);
  return life.pass(HOUR);
}

/** Zuora does not answer, so the job looks at the bill run after the end of a short cool-down. */
const cannotLook = (): Life =>
  unread('look', { billRun: { lastEmailSentTime: iso(NOON) }, input: { coolDown: '2 minutes' } });

describe('The heading', () => {
  const { job, now } = begin();
  const status = statusOf(job, now);

  test.each<readonly [JobStatus['state'], JobStatus['reason'], string]>([
    ['Waiting', null, 'Looking at the bill run: Waiting'],
    ['Waiting', 'notPosted', 'Waiting for the bill run to be posted: Waiting (notPosted)'],
    ['Waiting', 'coolDown', 'Waiting until earlier emails have left: Waiting (coolDown)'],
    ['Waiting', 'cannotRead', 'Zuora cannot be read: Waiting (cannotRead)'],
    ['Sending', null, 'Asking Zuora to send: Sending'],
    ['Sending', 'unknown', 'No answer from Zuora yet: Sending (unknown)'],
    ['Sending', 'cannotRead', 'Zuora cannot be read: Sending (cannotRead)'],
    ['Held', 'job', 'On hold: Held (job)'],
    ['Held', 'all', 'All jobs are on hold: Held (all)'],
    ['NeedsAttention', null, 'A person is needed: NeedsAttention'],
    ['NeedsAttention', 'refused', 'Sending does not work: NeedsAttention (refused)'],
    ['NeedsAttention', 'unknown', 'Nobody knows whether it was sent: NeedsAttention (unknown)'],
    ['NeedsAttention', 'cannotRead', 'Something must be read first: NeedsAttention (cannotRead)'],
    ['Delivering', null, 'Zuora is sending: Delivering'],
    ['Delivering', 'autoEmail', 'Zuora sends by itself: Delivering (autoEmail)'],
    ['Delivering', 'emailedElsewhere', 'Zuora says that others emailed it: Delivering (emailedElsewhere)'],
    ['Delivering', 'notSent', 'Documents were not sent: Delivering (notSent)'],
    ['Delivering', 'unknown', 'Documents that Zuora does not show: Delivering (unknown)'],
    ['Delivering', 'cannotRead', 'Documents cannot be read: Delivering (cannotRead)'],
    ['Emailed', null, 'All documents were sent: Emailed'],
    ['Skipped', 'noDocuments', 'There are no documents: Skipped (noDocuments)'],
    ['Stopped', 'finish', 'Closed by a person: Stopped (finish)'],
    ['Stopped', 'cancel', 'Canceled by a person: Stopped (cancel)'],
    ['NotPosted', null, 'Closed without emails: NotPosted'],
    ['Unsettled', 'refused', 'Closed without an answer: Unsettled (refused)'],
    ['HandedOver', null, 'Another job emails this bill run: HandedOver'],
  ])('says the situation in words, and names the state by which people search: %s %s', (state, reason, heading) => {
    expect(situationOf({ ...status, state, reason })).toBe(heading);
  });

  test('counts the documents that were not sent, once a check has shown them', () => {
    const retried = begin().check({ notSent: 1 }).finish().startAgain({ missing: true });
    expect(headingOf(retried)).toBe('### Documents were not sent: Delivering (notSent)');
    expect(headingOf(begin().check({ notSent: 1 }))).toBe('### 1 of 3 documents was not sent: Delivering (notSent)');
    expect(headingOf(begin().check({ notSent: 2 }))).toBe('### 2 of 3 documents were not sent: Delivering (notSent)');
    expect(headingOf(begin().check({ waiting: 1 }))).toBe('### Zuora is sending: Delivering');
  });
});

describe('Whose turn it is', () => {
  test('is not that of a person while Zuora cannot be read, also if the bill run still has to be posted', () => {
    expect(turnOf(unread('watch', unposted))).toMatch(
      /^\*\*Nothing to do:\*\* the job goes on by itself\. If it is not/,
    );
  });

  test('has a deadline only while a key protects a retry', () => {
    const unclear = (duration: number) => turnOf(begin({ otherwise: cutOff() }).pass(duration));
    expect(unclear(13 * HOUR)).toMatch(
      /^\*\*Your turn, best before 2026-03-03 11:00:00 UTC:\*\* look whether the emails/,
    );
    expect(unclear(DAY)).toMatch(/^\*\*Your turn:\*\* look whether the emails left\./);
  });

  test('says to ask for an open resend again, not to start the job again', () => {
    const life = begin({ answers: [accepts(), refuses()] }).resend({ requestId: 'T-1' });
    expect(turnOf(life.pass(8 * DAY))).toBe(
      '**Your turn:** fix the cause, then ask for the resend again, with the same request id. This job is closed and takes no more signals.',
    );
  });

  test('says that the checks go on only while they do', () => {
    expect(turnOf(begin().check({ unknown: 1 }, null))).toMatch(
      /^\*\*Your turn:\*\* look in Zuora for the documents that /,
    );
    expect(turnOf(begin().check({ unknown: 1 }))).toMatch(/^\*\*Nothing to do:\*\* the job checks what became of /);
  });
});

describe('The choices', () => {
  test.each([
    ['finishes it', (life: Life) => life.finish()],
    ['cancels it', (life: Life) => life.cancel()],
  ])('are none once a person %s: it closes after the attempt under way', (_, close) => {
    const choices: string[] = [];
    const answer = during((life) => choices.push(...choicesOf(close(life))), accepts());
    begin({ answers: [answer] });
    expect(choices).toEqual(['nothing: the job closes as soon as the attempt under way has ended']);
  });

  test('of a job with an id of its own are few: another job emails', () => {
    const life = new Life(alias);
    life.job.billRun = life.billRun;
    expect(choicesOf(life)).toEqual([CANONICAL]);
    expect(choicesOf(life.hold())).toEqual([CANONICAL, RELEASE]);
  });

  test('offer to send without a look only where the job sends itself, and at the own risk of a person', () => {
    const life = cannotLook();
    expect(choicesOf(life)).toEqual(expect.arrayContaining([RETRY, SEND_NOW]));
    const refused = begin({ answers: [refuses()] });
    expect(choicesOf(refused)).toContain(RETRY);
    expect(choicesOf(refused)).not.toContain(SEND_NOW);
    const unprotected = begin({ otherwise: cutOff() }).pass(DAY);
    expect(choicesOf(unprotected)[0]).toMatch(/^signal \*\*hold/);
    expect(choicesOf(unprotected)).toContain(SEND_NOW);
    expect(choicesOf(unprotected)).not.toContain(RETRY);
  });

  test('have no retry before the post, also if Zuora will email by itself', () => {
    const life = begin({ billRun: { status: 'Completed', autoEmail: true } });
    expect(choicesOf(life).filter((choice) => choice.includes('**retry**'))).toEqual([]);
  });

  test.each([
    ['a resend was started', () => begin({ input: { resend: true, requestId: 'START' }, answers: [refuses()] })],
    ['a resend took the place of the first send', () => begin({ answers: [refuses(), refuses()] }).resend()],
    ['Zuora sends by itself', () => begin({ billRun: { autoEmail: true } })],
  ])('have a resend that takes the place of no first send if %s', (_, at) => {
    expect(choicesOf(at()).at(-1)).toBe(RESEND_ALL);
  });

  test.each([
    ['Zuora emails by itself', () => begin({ billRun: { autoEmail: true } }).finish()],
    [
      'Zuora has emailed by itself',
      () =>
        begin({ billRun: { autoEmail: true } })
          .check()
          .finish(),
    ],
    [
      'Zuora accepted a send, but can no longer be read',
      () => {
        const life = begin();
        life.job.failedLook = { type: 'NotPosted', message: 'Zuora has no such bill run' };
        return life;
      },
    ],
  ])('of a closed job are only to email all documents again if %s', (_, at) => {
    expect(choicesOf(at())).toEqual([
      '_More Actions_, **Start Workflow Like This One**, with `{"billRunKey":"BR-00000001","resend":true,"requestId":"<ticket>",' +
        '"requestedBy":"<who>","reason":"<why>"}`: the new job emails all documents again. ' +
        'On the command line: `bill-run-emails resend BR-00000001`',
    ]);
  });

  test('of a job that never saw its bill run are to start it again', () => {
    expect(choicesOf(new Life().finish())).toEqual([
      '_More Actions_, **Start Workflow Like This One**, with `{"billRunKey":"BR-00000001","again":true,"requestedBy":"<who>","reason":"<why>"}`: ' +
        'the new job emails the documents once the bill run is posted. On the command line: `bill-run-emails start BR-00000001 --again`',
    ]);
  });

  test('have examples of all that a message can say', () => {
    expect(EXAMPLES).toEqual({
      resend: '{"requestId":"<ticket>","requestedBy":"<who>","reason":"<why>"}',
      retry: '{"ordinal":1,"requestedBy":"<who>","reason":"<why>"}',
      note: '{"requestedBy":"<who>","reason":"<why>"}',
    });
  });
});

describe('Requests for the next send', () => {
  const requested = (count: number): Life => {
    const life = begin({ ...unposted, input: { requestId: 'JOB' } });
    for (let index = 1; index < count; index++) life.resend({ requestId: `T-${index}`, requestedBy: 'bob' });
    return life;
  };

  test('are named up to three, and the others counted', () => {
    const three = ['request `JOB`, first send', 'request `T-1`, resend, asked by `bob`'];
    three.push('request `T-2`, resend, asked by `bob`');
    expect(listed(requested(3), 'Requests for the next send')).toEqual(three);
    expect(listed(requested(4), 'Requests for the next send')).toEqual([...three, '1 more request']);
    expect(listed(requested(5), 'Requests for the next send')).toEqual([...three, '2 more requests']);
  });

  test('have no name if their id is ours, and say what they send', () => {
    const life = begin().check({ notSent: 1 }).finish();
    life.unreadable.add('lookUp');
    life.startAgain({ missing: true });
    expect(listed(life, 'Requests for the next send')).toEqual(['retry of what was not sent']);
  });
});

describe('The last message without effect', () => {
  const ignored = (life: Life): readonly string[] => paragraphsOf(life).filter((each) => each.includes('no effect'));

  test('is shown with its reason, and the others are counted', () => {
    const life = begin({ answers: [refuses()] });
    expect(ignored(life)).toEqual([]);
    const words = (minute: string, ordinal: number): string =>
      `**The last message had no effect:** \`retry\` at 2026-03-02 12:${minute}:00 UTC: \`send 1 is open, not send ${ordinal}\`.`;
    expect(ignored(life.retry({ ordinal: 7 }))).toEqual([words('00', 7)]);
    expect(ignored(life.pass(MINUTE).retry({ ordinal: 8 }).pass(MINUTE).retry({ ordinal: 9 }))).toEqual([
      `${words('02', 9)} The query \`status\` has the last 3 of 3 such messages.`,
    ]);
  });
});

describe('The documents', () => {
  const documents = (list: readonly FollowedDocument[], more: object = {}): readonly string[] => {
    const life = begin().check();
    const { check } = life.job.delivery ?? {};
    if (check == null) throw new Error('nothing was checked');
    recordCheck(life.job, { ...check, documents: { ...check.documents, ...more, list } }, life.now);
    const paragraphs = paragraphsOf(life);
    return paragraphs.slice(
      paragraphs.findIndex((each) => each.startsWith('**Documents**')),
      paragraphs.indexOf('**Sends**'),
    );
  };
  const invoice: FollowedDocument = { number: 'INV-1', kind: 'invoice', outcome: 'notSent', reason: 'a cause' };
  const HEAD = '**Documents**, checked 2026-03-02 12:00:00 UTC: ';

  test('are counted by what became of them', () => {
    expect(documents([])).toEqual([`${HEAD}3 (3 sent)`]);
    expect(documents([], { sent: 0, waiting: 1, notSent: 2 })).toEqual([`${HEAD}3 (2 not sent, 1 waiting)`]);
    const some = { sent: 0, total: 0, complete: false };
    expect(documents([], some)).toEqual([`${HEAD}0; Zuora does not list all of them`]);
  });

  test('are in a table, which no text of others can break', () => {
    const evil = { number: `INV|${'x'.repeat(60)}`, reason: `a|b|${'x'.repeat(160)}` };
    const [, table] = documents([
      invoice,
      { number: 'CM-1', kind: 'creditMemo', outcome: 'leftOut', reason: null },
      { ...invoice, ...evil },
    ]);
    expect(table?.split('\n')).toEqual([
      '| document | kind | outcome | why |',
      '| --- | --- | --- | --- |',
      '| `INV-1` | invoice | not sent | `a cause` |',
      '| `CM-1` | credit memo | left out |  |',
      `| \`INV\\|${'x'.repeat(56)}…\` | invoice | not sent | \`a\\|b\\|${'x'.repeat(156)}…\` |`,
    ]);
  });

  test('are at most twenty, and the others counted', () => {
    const many = (length: number) => documents(Array.from({ length }, () => invoice));
    const rows = ([, table]: readonly string[]) => table?.split('\n').length;
    expect([many(20).length, rows(many(20))]).toEqual([2, 22]);
    expect([many(21).length, rows(many(21))]).toEqual([3, 22]);
    expect(many(21).at(-1)).toBe('1 more document: the query `status` lists them.');
    expect(many(23).at(-1)).toBe('3 more documents: the query `status` lists them.');
  });
});

test('the last three earlier jobs whose history cannot be read are named', () => {
  const life = begin();
  life.job.earlier = { ...life.job.earlier, unreadable: ['run-1', 'run-2', 'run-3', 'run-4'] };
  expect(paragraphsOf(life)).toContain(
    'Earlier jobs whose history cannot be read, so that it is not known what they sent: `run-2`, `run-3`, `run-4`.',
  );
});

describe('A send', () => {
  const requested = (people: readonly string[]) =>
    people.map((requestedBy, index) => ({ requestId: `${index}`, resend: true, requestedBy, requestedAt: iso(NOON) }));
  const by = (...people: readonly string[]): string => {
    const life = begin();
    life.job.sends.push({ ...openSend(2, requested(people), 'intent'), settledAt: null });
    return listed(life, 'Sends').at(-1) ?? '';
  };
  const five = ['alice', 'bob', 'carol', 'dave', 'erin'];
  const firstHundred = Array.from({ length: 100 }, () => 'alice');

  test('names up to five people, each once, of its first hundred requests', () => {
    const send = 'send 2, resend: **pending**, 0 attempts';
    expect(by()).toBe(send.replace('resend', 'first send'));
    expect(by(...five, 'alice')).toBe(`${send}, asked by \`alice\`, \`bob\`, \`carol\`, \`dave\`, \`erin\``);
    expect(by(...five, 'frank')).toBe(`${send}, asked by \`alice\`, \`bob\`, \`carol\`, \`dave\`, \`erin\` and others`);
    expect(by(...firstHundred.slice(1), 'bob')).toBe(`${send}, asked by \`alice\`, \`bob\``);
    expect(by(...firstHundred, 'bob')).toBe(`${send}, asked by \`alice\``);
  });

  test('is one of the last ten', () => {
    const life = begin();
    for (let index = 1; index <= 11; index++) life.resend({ requestId: `T-${index}` });
    const sends = listed(life, 'Sends');
    expect(sends).toHaveLength(10);
    expect(sends[0]).toBe('send 3, resend: **accepted**, 1 attempt');
  });

  test('names its attempt, and who asked, in the summary of the attempt', () => {
    const first = openSend(1, [{ requestId: 'JOB', resend: false, requestedAt: iso(NOON) }], 'first');
    expect(attemptSummary(first)).toBe('send 1 · first send · attempt 1');
    const { job } = begin({ answers: [refuses()] });
    expect(job.sends.map(attemptSummary)).toEqual(['send 1 · first send · attempt 2']);
    expect(attemptSummary(openSend(2, requested(['alice', 'bob']), 'intent'))).toBe(
      'send 2 · resend · attempt 1 · asked by alice, bob',
    );
  });
});
