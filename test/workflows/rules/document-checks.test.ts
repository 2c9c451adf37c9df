/** What a job keeps of the checks of its documents, what counts as missing, and the texts about them. */
import { describe, expect, test } from 'vitest';
import type { DeliveryCheck } from '../../../workflows/contract/activities.js';
import {
  checkWantedAt,
  documentsNotSent,
  documentsSeenNotSent,
  evidenceText,
  isAccountedFor,
  isAllSent,
  jobDocuments,
  missingOf,
  notSentText,
  recordCheck,
  recordUncheckable,
} from '../../../workflows/rules/documents.js';
import { begin, busy, cutOff, HOUR, iso, Life, MINUTE, NOON, SECOND } from '../../support/life.js';

type Counts = Partial<DeliveryCheck['documents']>;

/** A check of three documents, all of them sent unless said otherwise. */
function checkOf(counts: Counts = {}, at = NOON): DeliveryCheck {
  const sent = { complete: true, total: 3, sent: 3, waiting: 0, notSent: 0, leftOut: 0, unknown: 0, list: [] };
  const made = begin().check().job.delivery?.check;
  if (made == null) throw new Error('nothing was checked');
  return { ...made, documents: { ...sent, ...counts }, at };
}

const unreadable = { cannotRead: 'HTTP 503', since: NOON };

describe('A job keeps', () => {
  test('a check with its time, and reads work again', () => {
    const { job } = begin();
    recordUncheckable(job, unreadable);
    const { revision } = job;
    const check = checkOf({ waiting: 1 });
    recordCheck(job, check, NOON + SECOND);
    expect(job.delivery).toMatchObject({ ordinal: 1, check, changedAt: NOON + SECOND, unreadable: null });
    expect(job.revision).toBe(revision + 1);
  });

  test.each([
    ['as old as it', NOON, true],
    ['newer', NOON + 1, true],
    ['older', NOON - 1, false],
  ])('the check that looked last; the other one is %s', (_, at, isKept) => {
    const { job } = begin().check({ waiting: 1 });
    const { delivery, revision } = job;
    const check = checkOf({}, at);
    recordCheck(job, check, NOON + SECOND);
    expect(job.delivery?.check).toBe(isKept ? check : delivery?.check);
    expect(job.revision).toBe(isKept ? revision + 1 : revision);
  });

  test('that checks fail, beside what the last one showed', () => {
    const { job } = begin().check({ waiting: 1 });
    const { delivery, revision } = job;
    recordUncheckable(job, unreadable);
    expect(job.delivery).toEqual({ ...delivery, unreadable });
    expect(job.revision).toBe(revision + 1);
  });

  test('nothing of a check that ends after its send is followed no more', () => {
    const { job } = begin({ billRun: { status: 'Completed' } });
    const { revision } = job;
    recordCheck(job, checkOf(), NOON);
    recordUncheckable(job, unreadable);
    expect([job.delivery, job.revision]).toEqual([null, revision]);
    expect(jobDocuments(job)).toBeNull();
  });

  test('the counts with the time of the check', () => {
    const { job } = begin().pass(MINUTE).check();
    expect(jobDocuments(begin().job)).toBeNull();
    expect(jobDocuments(job)).toEqual({ ...checkOf().documents, checkedAt: iso(NOON + MINUTE) });
  });
});

describe('Documents', () => {
  test.each<readonly [Counts, boolean, boolean]>([
    [{}, true, true],
    [{ leftOut: 1, sent: 2 }, true, true],
    [{ notSent: 1, sent: 2 }, true, false],
    [{ waiting: 1, sent: 2 }, false, false],
    [{ unknown: 1, sent: 2 }, false, false],
    [{ complete: false }, false, false],
    // Of none, none was sent.
    [{ total: 0, sent: 0 }, true, false],
    [{ total: 1, sent: 1 }, true, true],
  ])('%j are accounted for: %j; all are sent: %j', (counts, accountedFor, allSent) => {
    const check = checkOf(counts);
    expect([isAccountedFor(check), isAllSent(check)]).toEqual([accountedFor, allSent]);
  });

  describe('not sent are those', () => {
    const counts = (life: Life) => [documentsNotSent(life.job), documentsSeenNotSent(life.job)];
    const leftBehind = (input = {}, answers: readonly ReturnType<typeof cutOff>[] = []): Life => {
      const life = new Life({ input, answers });
      Object.assign(life.job, { earlierNotSent: 2 });
      return life;
    };

    test('that the last job left, until this one is accepted or checks', () => {
      expect(counts(leftBehind())).toEqual([2, 2]);
      expect(counts(leftBehind({}, [cutOff()]).go())).toEqual([2, 2]);
      expect(counts(leftBehind().go())).toEqual([null, null]);
      expect(counts(leftBehind().go().check({ notSent: 1 }))).toEqual([1, 1]);
    });

    test('that the last job left, although an attempt of an earlier job was accepted', () => {
      const life = leftBehind().go();
      const [send] = life.job.sends;
      const [attempt] = send?.attempts ?? [];
      Object.assign(attempt ?? {}, { runId: 'earlier-run' });
      expect(counts(life)).toEqual([2, 2]);
      // This job goes on with a send of an earlier one.
      if (attempt !== undefined) send?.attempts.push({ ...attempt, runId: undefined } as never);
      expect(counts(life)).toEqual([null, null]);
    });

    test('for which a send waits, also those that may be on their way', () => {
      const life = begin().pass(MINUTE).check({ notSent: 1, waiting: 1, unknown: 1 });
      expect(counts(life)).toEqual([1, 1]);
      expect(counts(life.retry())).toEqual([3, 1]);
    });

    test('that the last check showed once such a send has an attempt', () => {
      const life = begin().pass(MINUTE).check({ notSent: 1, waiting: 1 });
      life.willAnswer(busy(HOUR)).retry({ sendAnyway: true });
      expect(life.send).toMatchObject({ ordinal: 2, outcome: 'pending', attempts: [{ verdict: 'notExecuted' }] });
      expect(counts(life)).toEqual([1, 1]);
    });

    test('that the last job left, until the check that a person asked for', () => {
      const life = begin().finish().startAgain({ missing: true, requestId: 'R-1' });
      Object.assign(life.job, { earlierNotSent: 2 });
      expect(counts(life)).toEqual([2, 2]);
      expect(counts(life.hold().check({ notSent: 1, waiting: 1 }))).toEqual([2, 1]);
    });

    test('that Zuora did not email by itself', () => {
      expect(counts(begin({ billRun: { autoEmail: true } }).check({ notSent: 1 }))).toEqual([1, 1]);
    });

    test('of no check while the outcome of its send is in question', () => {
      const life = leftBehind({ sendBudget: '1s' }, [cutOff()]).go().check({ notSent: 1 });
      expect(life.job.delivery).toMatchObject({ ordinal: 1, check: { documents: { notSent: 1 } } });
      expect(counts(life)).toEqual([2, 2]);
    });
  });

  describe('that a person asks for are', () => {
    const asksFor = (counts: Parameters<Life['check']>[0]): Life =>
      begin().pass(MINUTE).check({ notSent: 1 }).pass(MINUTE).retry({ requestId: 'R-1' }).pass(MINUTE).check(counts);

    test('unknown until a check is made after the request', () => {
      const life = begin().pass(MINUTE).check({ notSent: 1 });
      expect(checkWantedAt(life.job)).toBeNull();
      life.pass(MINUTE).retry();
      expect(checkWantedAt(life.job)).toBe(NOON + 2 * MINUTE);
      expect(missingOf(life.job)).toEqual({ kind: 'waits' });
      recordUncheckable(life.job, unreadable);
      expect(missingOf(life.job)).toEqual({ kind: 'onTheirWay' });
      expect(checkWantedAt(life.check({ waiting: 1 }).job)).toBeNull();
    });

    test('on their way unless a check accounts for all of them', () => {
      const life = asksFor({ notSent: 1, waiting: 1 });
      expect(checkWantedAt(life.job)).toBeNull();
      expect(missingOf(life.job)).toEqual({ kind: 'onTheirWay' });
      expect(missingOf(begin().job)).toEqual({ kind: 'onTheirWay' });
      expect(missingOf(begin({ billRun: { status: 'Completed' } }).job)).toEqual({ kind: 'onTheirWay' });
    });

    test('known since the check that accounts for all of them, or none', () => {
      const { job } = begin().pass(MINUTE).check({ notSent: 1 });
      expect(missingOf(job)).toEqual({ kind: 'accountedFor', at: NOON + MINUTE });
      expect(missingOf(begin().check().job)).toEqual({ kind: 'none' });
    });

    test('on their way if nothing is followed', () => {
      const { job } = asksFor({ waiting: 1 });
      job.delivery = null;
      expect(missingOf(job)).toEqual({ kind: 'onTheirWay' });
    });
  });
});

describe('Beside a question stands what Zuora showed', () => {
  const others = ' The others may still be on their way, so look again in an hour.';

  test.each([
    [{ sent: 0 }, '0 of 3 documents.'],
    [{ sent: 1 }, `1 of 3 documents.${others}`],
    [{ sent: 2 }, `2 of 3 documents.${others}`],
    [{ sent: 3 }, '3 of 3 documents.'],
    [{ sent: 1, total: 1 }, '1 of 1 document.'],
  ])('%j', (counts, words) => {
    const { job } = begin();
    expect(evidenceText(job)).toBe('');
    recordCheck(job, checkOf(counts), NOON);
    expect(evidenceText(job)).toBe(` At 2026-03-02 12:00:00 UTC, Zuora showed an email for ${words}`);
  });

  test('and nothing before anything is followed', () => {
    expect(evidenceText(begin({ billRun: { status: 'Completed' } }).job)).toBe('');
  });
});

describe('The text about what was not sent', () => {
  const unsent = (number: string, reason: string | null = 'a cause', outcome: 'notSent' | 'waiting' = 'notSent') =>
    ({ kind: 'invoice', number, outcome, reason }) as const;
  const [A, B, C, D] = ['A', 'B', 'C', 'D'].map((number) => unsent(number));
  const long = 'x'.repeat(201);

  test.each([
    ['has one document with its cause', 1, [A], '1 of 3 documents was not sent: `A` (`a cause`)'],
    ['names documents of one cause together', 2, [A, B], '2 of 3 documents were not sent: `A`, `B` (`a cause`)'],
    [
      'names documents of each cause apart',
      3,
      [A, unsent('X', 'another'), B],
      '3 of 3 documents were not sent: `A`, `B` (`a cause`), `X` (`another`)',
    ],
    [
      'leaves out documents that wait',
      1,
      [unsent('W', 'soon', 'waiting'), A],
      '1 of 3 documents was not sent: `A` (`a cause`)',
    ],
    ['names three at most', 4, [A, B, C, D], '4 of 3 documents were not sent: `A`, `B`, `C` (`a cause`) and 1 more'],
    ['counts those that are not listed', 9, [A], '9 of 3 documents were not sent: `A` (`a cause`) and 8 more'],
    ['says nothing where no cause is known', 1, [unsent('A', null)], '1 of 3 documents was not sent: `A` (` `)'],
    [
      'has at most 60 characters of a number, and 200 of a cause',
      1,
      [unsent(long, long)],
      `1 of 3 documents was not sent: \`${'x'.repeat(60)}…\` (\`${'x'.repeat(200)}…\`)`,
    ],
  ])('%s', (_, notSent, list, words) => {
    const documents = list.filter((each) => each !== undefined);
    expect(notSentText(checkOf({ notSent, list: documents }))).toBe(words);
  });
});
