/** What a soak takes for flat, on made-up series: leaks are found, and noise is not. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../../simulator/random.js';
import { MEASURES, trendOf, type Measure, type Sample } from '../../../proof/soak/flatness.js';

const SECOND = 1_000;
const TEN_MINUTES = { lengthMs: 600 * SECOND, billRunsPerMinute: 40 };
const MB = 1_000_000;
const HEAP = 'heap, main thread';

type Shape = (second: number) => number;

const flat: readonly (readonly [string, Measure, Shape])[] = [
  ['a constant', HEAP, () => 45 * MB],
  ['noise of 2 MB', HEAP, noisy(() => 45 * MB, 2 * MB)],
  ['a sawtooth of 8 MB', HEAP, (second) => 45 * MB + (second % 40) * 0.2 * MB],
  ['a warm-up of 20 MB that ends', HEAP, noisy((second) => 45 * MB - Math.max(0, 150 - second) * 0.13 * MB, MB)],
  ['a peak of load', HEAP, (second) => (second > 400 && second < 460 ? 90 : 45) * MB],
  ['what shrinks', HEAP, (second) => 60 * MB - second * 10_000],
  ['sockets that come and go', 'sockets', noisy(() => 11, 4)],
  ['no handles at all', 'handles, main thread', () => 0],
];

test.each(flat)('%s is flat', (_what, measure, shape) => {
  expect(trendOf(measure, series(shape), TEN_MINUTES)).toMatchObject({ measure, verdict: 'flat' });
});

const leaks: readonly (readonly [string, Measure, Shape])[] = [
  // 40 bill runs a minute.
  ['10 KB for each bill run', HEAP, (second) => 45 * MB + (second / 1.5) * 10_000],
  ['10 KB for each bill run under noise of 2 MB', HEAP, noisy((second) => 45 * MB + (second / 1.5) * 10_000, 2 * MB)],
  ['a leak under a sawtooth', HEAP, (second) => 45 * MB + (second % 40) * 0.1 * MB + second * 7_000],
  ['a leak that begins after the warm-up', HEAP, (second) => 45 * MB + Math.max(0, second - 300) * 15_000],
  ['a heap that grows in steps', HEAP, (second) => 45 * MB + Math.floor(second / 100) * MB],
  ['a socket in a minute', 'sockets', noisy((second) => 11 + second / 60, 4)],
  ['a handle in a minute', 'handles, main thread', (second) => 4 + Math.floor(second / 60)],
  ['a thread in a minute', 'threads', (second) => 16 + Math.floor(second / 60)],
];

test.each(leaks)('%s is found, and named', (_what, measure, shape) => {
  expect(trendOf(measure, series(shape), TEN_MINUTES)).toMatchObject({ measure, verdict: 'grows' });
});

test('figures stand for the line through what comes after the warm-up', () => {
  const trend = trendOf('sockets', series(noisy((second) => 10 + second / 100, 0.1)), TEN_MINUTES);
  expect(trend.samples).toBe(141);
  expect(trend.start).toBeCloseTo(11.8, 1);
  expect(trend.end).toBeCloseTo(16, 1);
  expect(trend.growth).toBeCloseTo(4.2, 1);
  expect(trend.perHour).toBeCloseTo(36, 0);
  // 25 minutes' worth.
  expect(trend.perThousandBillRuns).toBeCloseTo(15, 0);
  expect(trend.limit).toBe(MEASURES.sockets.limit);
});

test('what was measured before the load began, in the warm-up or after the load ended counts for nothing', () => {
  const wild = (second: number): number => (second < 180 || second > 600 ? Math.abs(second) * MB : 45 * MB);
  expect(trendOf(HEAP, series(wild, { from: -30, to: 900 }), TEN_MINUTES)).toMatchObject({
    growth: 0,
    verdict: 'flat',
  });
});

test('a run of less than five minutes is too short to judge, whatever it shows', () => {
  const leak = series((second) => second * MB, { to: 290 });
  const short = { ...TEN_MINUTES, lengthMs: 299 * SECOND };
  expect(trendOf(HEAP, leak, short)).toMatchObject({ verdict: 'tooShort' });
  expect(trendOf(HEAP, leak, { ...short, lengthMs: 300 * SECOND })).toMatchObject({ verdict: 'grows' });
});

test.each([
  ['nothing', []],
  ['one sample', series(() => 1, { from: 300, to: 300 })],
  ['a minute', series(() => 1, { from: 300, to: 360 })],
])('of ten minutes %s is not enough: it is missing, not flat', (_what, samples) => {
  expect(trendOf(HEAP, samples, TEN_MINUTES)).toMatchObject({ verdict: 'missing' });
});

/** Every three seconds. */
function series(shape: Shape, { from = 0, to = 600 } = {}): readonly Sample[] {
  const samples: Sample[] = [];
  for (let second = from; second <= to; second += 3) samples.push({ at: second * SECOND, value: shape(second) });
  return samples;
}

/** So much to either side, and now and then far more. */
function noisy(shape: Shape, noise: number): Shape {
  const random = seededRandom(7);
  return (second) => shape(second) + (random() * 2 - 1) * noise * (random() < 0.05 ? 10 : 1);
}
