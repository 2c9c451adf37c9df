/** The attempts that event histories hold, each once, and those of which nothing can have been sent. Without a server. */
import { defaultDataConverter } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { attemptsByIntent, type HistoricAttempt } from '../../../client/history/attempts.js';
import type { RunHistory } from '../../../client/history/history.js';
import {
  completed,
  email,
  FIRST,
  receipt,
  RESEND,
  scheduled,
  started,
  terminated,
  timedOut,
} from '../../support/events.js';
import { made, UNDECODABLE } from '../../support/histories.js';

type Events = Parameters<typeof made>[0];

async function attemptsIn(...histories: readonly RunHistory[]): Promise<readonly HistoricAttempt[]> {
  return [...(await attemptsByIntent(histories, defaultDataConverter)).values()].flat();
}

describe('An attempt that a history holds', () => {
  test('is one, however often a reset copied it, and names the runs that hold a copy', async () => {
    const events = [started(), email(), completed(2, receipt()), email(RESEND), completed(4, receipt())];
    const copies = ['two', 'three'].map((runId) => made(events.slice(0, 3), { runId }));
    expect(await attemptsIn(made(events, { runId: 'one' }), ...copies)).toMatchObject([
      { runId: 'one', trackId: FIRST.trackId, resend: false, served: [], copiedTo: ['two', 'three'] },
      { runId: 'one', trackId: FIRST.trackId, resend: true, served: ['T-1'], copiedTo: [] },
    ]);
  });

  test('is not counted where nothing was sent', async () => {
    const nothingSent: readonly Events[] = [
      // Canceled before a worker began it.
      [email(), { activityTaskCanceledEventAttributes: { scheduledEventId: 1 } }],
      [email(), timedOut(1, 'SCHEDULE_TO_START')],
      [email(), completed(1, { called: false, why: 'keyTooOld' })],
      // No attempt of ours.
      [{ activityTaskScheduledEventAttributes: {} }],
      [{ activityTaskScheduledEventAttributes: { activityType: { name: 'emailBillRunDocuments' } } }],
      [scheduled('watchBillRun', FIRST)],
    ];
    for (const events of nothingSent) expect(await attemptsIn(made(events))).toEqual([]);
  });

  test('is not counted if the run was ended from outside before a worker began it', async () => {
    const attempt = (activityId: string, input: object) => ({
      activityTaskScheduledEventAttributes: { ...email(input).activityTaskScheduledEventAttributes, activityId },
    });
    const run = made([attempt('1', FIRST), attempt('2', RESEND), terminated]);
    const counted = await attemptsIn({ ...run, neverBegun: ['2', '3'] });
    expect(counted).toMatchObject([{ resend: false, result: { reasons: [{ code: 'RUN_ENDED' }] } }]);
    expect(await attemptsIn({ ...run, neverBegun: ['3'] })).toHaveLength(2);
  });

  test('is unknown if somebody completed it without a result', async () => {
    const bare = { activityTaskCompletedEventAttributes: { scheduledEventId: 1 } };
    expect(await attemptsIn(made([email(), bare]))).toMatchObject([
      { result: { verdict: 'unknown', reasons: [{ code: 'FOREIGN_RESULT' }] } },
    ]);
  });
});

describe('A history that cannot be decoded', () => {
  const attempt = { activityType: { name: 'emailBillRunDocuments' }, input: UNDECODABLE };
  const broken = made([{ activityTaskScheduledEventAttributes: attempt }], { runId: 'broken' });
  const other = made([email(), completed(1, receipt())], { runId: 'other' });

  test('fails a reader that does not expect it, with the error', async () => {
    await expect(attemptsIn(broken, other)).rejects.toThrow(/JSON/);
  });

  test('is left to a reader that does, with the error, and the others are read', async () => {
    const skipped: unknown[] = [];
    const skip = ({ runId }: RunHistory, error: unknown): void => {
      skipped.push([runId, error]);
    };
    const byIntent = await attemptsByIntent([broken, other], defaultDataConverter, skip);
    expect(skipped).toEqual([['broken', expect.any(Error)]]);
    expect([...byIntent.values()]).toMatchObject([[{ runId: 'other' }]]);
  });
});
