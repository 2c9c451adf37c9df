/** Recorded histories walk through the explorer's transitions, and histories that nobody could have made do not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { describe, expect, test } from 'vitest';
import { readHistory } from '../../../proof/history.js';
import { walk, type LoggedCall, type TracedAttempt } from '../../../proof/explore/trace.js';
import type { Receipt } from '../../../workflows/contract/activities.js';
import { historiesFolder } from '../../support/histories.js';

const names = readdirSync(historiesFolder);

function attemptsIn(name: string): readonly TracedAttempt[] {
  const json = JSON.parse(readFileSync(join(historiesFolder, name), 'utf8')) as unknown;
  return readHistory(historyFromJSON(json)).history.map((attempt) => ({ ...attempt, runId: name }));
}

test.each(names)('%s', (name) => {
  expect(walk(attemptsIn(name), null).faults).toEqual([]);
});

test('they have first sends, resends, retries and unknown outcomes', () => {
  const all = names.flatMap(attemptsIn);
  expect(all.length).toBeGreaterThan(20);
  const inputs = all.map(({ input }) => input);
  expect(inputs).toContainEqual(expect.objectContaining({ resend: true }));
  const decision = expect.objectContaining({ decision: 'retry' }) as object;
  expect(inputs).toContainEqual(expect.objectContaining({ resend: false, decision }));
  expect(all.map(({ end }) => end)).toContainEqual(expect.objectContaining({ verdict: 'unknown' }));
});

describe('A step that the model calls impossible is named with its event', () => {
  const attempts = attemptsIn('Emailed.json');
  const [first, ...others] = attempts;

  function change(input: Partial<TracedAttempt['input']>, receipt: Partial<Extract<Receipt, { called: true }>> = {}) {
    if (first === undefined || typeof first.end === 'string' || !first.end.called) throw new Error('no receipt');
    return [{ ...first, input: { ...first.input, ...input }, end: { ...first.end, ...receipt } }, ...others];
  }

  const key = first?.input.idempotencyKey ?? '';
  test.each([
    ['a number that no rule gives', change({ idempotencyKey: key.replace(/1$/, '2') }), 'the key is'],
    [
      'a track id of another attempt',
      change({ trackId: first?.input.trackId.replace(/-1-/, '-2-') ?? '' }),
      'the track id',
    ],
    ['a key that lives on', change({ notAfter: (first?.input.notAfter ?? 0) + 7_200_000 }), 'ends at another time'],
    ['a first send without a look', change({ look: undefined } as object), 'the look before the call'],
    ['a decision for which nothing was asked', change({ decision: { decision: 'retry', at: '' } }), 'the look'],
    [
      'a stored reply to the first attempt',
      change({}, { echoedTrackId: first?.input.trackId.replace(/-1-\w+$/, '-0-ffffffff') ?? '' }),
      'cannot answer',
    ],
  ])('%s', (_what, changed, words) => {
    const { faults } = walk(changed, null);
    expect(faults[0]).toMatchObject({ eventId: first?.eventId, what: expect.stringContaining(words) as string });
  });

  test('an attempt before its time, and one that only a person may order', () => {
    const [before, after] = attemptsIn('SendingUnknown.json');
    if (before === undefined || after === undefined) throw new Error('one attempt is not enough');
    const early = { ...after, at: before.at + 1_000 };
    expect(walk([before, early], null).faults).toMatchObject([
      { eventId: after.eventId, what: expect.stringContaining('wait') as string },
    ]);
    if (first === undefined || typeof first.end === 'string' || !first.end.called) throw new Error('no receipt');
    const refused: TracedAttempt = { ...first, end: { ...first.end, verdict: 'refused' } };
    const { trackId } = first.input;
    const second = { ...first.input, trackId: trackId.replace(/-1-(\w+)$/, '-2-$1'), look: undefined };
    const again = { ...refused, input: second as object as typeof first.input, eventId: 99, at: first.at + 3_600_000 };
    const whats = walk([refused, again], null).faults.filter(({ eventId }) => eventId === 99);
    expect(whats.map(({ what }) => what)).toContain('the rules ask before this attempt');
  });

  test('an answer that is not in the log', () => {
    const calls: LoggedCall[] = others.map(({ input }) => ({ trackId: input.trackId, status: 200 }));
    expect(walk(attempts, calls).faults).toMatchObject([{ eventId: first?.eventId }]);
    expect(walk(attempts, [...calls, { trackId: first?.input.trackId ?? '', status: 200 }]).faults).toEqual([]);
  });
});
