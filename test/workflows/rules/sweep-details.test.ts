/** What people read of a sweep: in Temporal UI, and once where they are notified. */
import { describe, expect, test } from 'vitest';
import type { SweepResult } from '../../../workflows/contract/sweep.js';
import { namesIn, sweepDetails, sweepNotice } from '../../../workflows/rules/sweep-details.js';

const COUNTS = {
  ...{ emailed: 5, underWay: 0, autoEmail: 0, invoicesEmailed: 0 },
  ...{ empty: 0, stopped: 0, unsettled: 0, forgotten: 0 },
};

const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `BR-${index + 1}`);

const forgotten = (...billRuns: readonly string[]): Pick<SweepResult, 'forgotten' | 'counts'> => ({
  forgotten: billRuns.map((billRunNumber) => ({
    ...{ billRunNumber, billRunId: `id-of-${billRunNumber}`, postedDate: null, why: 'no job' },
  })),
  counts: { ...COUNTS, forgotten: billRuns.length },
});

const waiting = (why: string, ...billRuns: readonly string[]): Pick<SweepResult, 'waitingForPeople'> => ({
  waitingForPeople: billRuns.map((billRunNumber) => ({
    ...{
      billRunNumber,
      workflowId: `email-bill-run/${billRunNumber}`,
      state: 'NeedsAttention',
      reason: 'refused',
      why,
    },
  })),
});

function result(...parts: readonly Partial<SweepResult>[]): SweepResult {
  const nothing = { ...forgotten(), ...waiting(''), started: [] };
  return Object.assign({ since: '2026-03-01T12:00:00.000Z', looked: 7, ...nothing }, ...parts) as SweepResult;
}

describe('Temporal UI says of a sweep', () => {
  const compared = 'Compared with their jobs: 7 bill runs posted since 2026-03-01T12:00:00.000Z.';

  test('that nothing is forgotten', () => {
    expect(sweepDetails(result())).toBe(`### Nothing is forgotten\n\n${compared}`);
  });

  test('what was forgotten and how to email it, what was started and why not all, and which jobs wait', () => {
    const found = result(forgotten('BR-1', 'BR-2'), waiting('Zuora refused', 'BR-3', 'BR-4'), {
      started: ['BR-2'],
      notStarted: 'one may have been posted before 2026-03-01',
    });
    expect(sweepDetails(found)).toBe(
      [
        '### 2 bill runs were forgotten',
        compared,
        '**Forgotten**',
        '- BR-1: no job; to email it: `bill-run-emails start BR-1`\n- BR-2: no job; started now',
        'Not all of them were started: one may have been posted before 2026-03-01.',
        '**Jobs that wait for people**',
        '- BR-3: Zuora refused; see `bill-run-emails status BR-3`\n- BR-4: Zuora refused; see `bill-run-emails status BR-4`',
      ].join('\n\n'),
    );
  });

  test('at most twenty of each kind, and how many more there are', () => {
    const details = (count: number): readonly string[] =>
      sweepDetails(result(forgotten(...numbers(count)), waiting('Zuora refused', ...numbers(count + 1)))).split('\n');
    expect(details(20).filter((line) => /^- BR-\d+: no job/.test(line))).toHaveLength(20);
    expect(details(20).filter((line) => line.includes('more'))).toEqual(['- and 1 more']);
    expect(details(21).filter((line) => /^- BR-\d+: no job/.test(line))).toHaveLength(20);
    expect(details(22).filter((line) => line.includes('more'))).toEqual(['- and 2 more', '- and 3 more']);
  });

  test('that one bill run was forgotten', () => {
    expect(sweepDetails(result(forgotten('BR-1')))).toMatch(/^### 1 bill run was forgotten\n/);
  });

  test('how many bill runs were forgotten, also if the result does not name all of them', () => {
    const found = result(forgotten('BR-1'), { counts: { ...COUNTS, forgotten: 2_000 } });
    expect(sweepDetails(found)).toMatch(/^### 2000 bill runs were forgotten\n/);
  });
});

describe('A notice of a sweep', () => {
  test('is not sent if nothing is new', () => {
    expect(sweepNotice(result(), [])).toBeUndefined();
    const found = result(forgotten('BR-1'), waiting('Zuora refused', 'BR-3'));
    expect(sweepNotice(found, namesIn(found))).toBeUndefined();
  });

  test('names what is forgotten, what was started, and the jobs that wait for people', () => {
    const found = result(forgotten('BR-1', 'BR-2'), waiting('Zuora refused', 'BR-3'), { started: ['BR-2', 'BR-9'] });
    expect(sweepNotice(found, [])).toEqual({
      text:
        '2 posted bill runs without emails: BR-1: no job; BR-2: no job; started now: 1. ' +
        'Jobs that wait for people: BR-3: Zuora refused.',
      facts: { forgotten: 2, waitingForPeople: 1, started: 1 },
    });
    expect(sweepNotice(result(forgotten('BR-1')), [])).toEqual({
      text: '1 posted bill run without emails: BR-1: no job; started now: 0.',
      facts: { forgotten: 1, waitingForPeople: 0, started: 0 },
    });
    expect(sweepNotice(result(waiting('Zuora refused', 'BR-3')), [])).toEqual({
      text: 'Jobs that wait for people: BR-3: Zuora refused.',
      facts: { forgotten: 0, waitingForPeople: 1, started: 0 },
    });
  });

  test('leaves out what the sweep before found, unless the job waits for another reason now', () => {
    const before = namesIn(result(forgotten('BR-1'), waiting('Zuora refused', 'BR-3', 'BR-4')));
    expect(before).toEqual(['BR-1: no job', 'BR-3: Zuora refused', 'BR-4: Zuora refused']);
    const now = result(forgotten('BR-1', 'BR-2'), waiting('nobody knows', 'BR-3'), { started: ['BR-1'] });
    expect(sweepNotice(now, before)).toEqual({
      text: '1 posted bill run without emails: BR-2: no job; started now: 0. Jobs that wait for people: BR-3: nobody knows.',
      facts: { forgotten: 1, waitingForPeople: 1, started: 0 },
    });
  });

  test('names at most ten of each kind', () => {
    const text = (count: number): string | undefined => sweepNotice(result(forgotten(...numbers(count))), [])?.text;
    expect(text(10)).toMatch(/; BR-10: no job; started now: 0\.$/);
    expect(text(11)).toMatch(/; BR-10: no job; and 1 more; started now: 0\.$/);
    expect(text(13)).toMatch(/^13 posted bill runs .*; BR-10: no job; and 3 more; started now: 0\.$/);
  });

  test.each([[undefined], [null], ['text'], [{}], [{ forgotten: 'text', waitingForPeople: 7 }]])(
    'names all if the result of the sweep before has another form: %j',
    (before) => {
      expect(namesIn(before)).toEqual([]);
    },
  );
});
