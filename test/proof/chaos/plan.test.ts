import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { planOf, STOPPED_MS, UNREACHABLE_MS, type Plan } from '../../../proof/chaos/plan.js';
import { projectRoot } from '../../../scripts/project-root.js';

test('the same seed and size give the same plan, in another process too', async () => {
  const plan = planOf(7, 200);
  expect(planOf(7, 200)).toEqual(plan);

  const args = [join(projectRoot, 'dist', 'proof', 'chaos', 'main.js'), '--plan', '--seed', '7', '--bill-runs', '200'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(JSON.parse(stdout)).toEqual(plan);
});

test('another seed or another size gives another plan, and another hash', () => {
  const hashes = [planOf(7, 40), planOf(8, 40), planOf(7, 41)].map(({ hash }) => hash);
  expect(new Set(hashes).size).toBe(3);
});

test.each([1, 2, 3, 7, 1_000_003])('a short plan holds every kind of disruption (seed %i)', (seed) => {
  const { disruptions, billRuns } = planOf(seed, 12);
  expect(disruptions).toContainEqual(expect.objectContaining({ kind: 'kill', signal: 'SIGKILL' }));
  expect(disruptions).toContainEqual(expect.objectContaining({ kind: 'kill', signal: 'SIGTERM' }));
  expect(disruptions).toContainEqual(expect.objectContaining({ kind: 'restartTemporal' }));
  expect(disruptions).toContainEqual(expect.objectContaining({ kind: 'cut' }));
  expect(disruptions).toContainEqual(expect.objectContaining({ kind: 'holdAll' }));
  // While no worker runs, every bill run that exists is held.
  const stop = disruptions.find(({ kind }) => kind === 'stopWorkers')?.at ?? NaN;
  for (const { orders } of billRuns.filter(({ at }) => at < stop)) {
    const held = orders.some(({ what, at }) => what === 'hold' && at > stop && at < stop + UNREACHABLE_MS + STOPPED_MS);
    expect(held).toBe(true);
  }
  expect(billRuns.filter(({ faults }) => faults.includes('reset after')).length).toBeGreaterThanOrEqual(4);
  expect(billRuns.flatMap(({ emails }) => emails).filter(({ becomes }) => becomes === 'failed')).toHaveLength(3);
  expect(disruptions.map(({ at }) => at)).toEqual(disruptions.map(({ at }) => at).sort((one, other) => one - other));
});

test.each([1, 2, 3])('a plan of 200 bill runs holds all that people do (seed %i)', (seed) => {
  const plan = planOf(seed, 200);
  const orders = plan.billRuns.flatMap((billRun) => billRun.orders);
  const people = ['resend', 'signal', 'update', 'retry', 'hold', 'release', 'hint', 'query'];
  for (const what of [...people, 'finish', 'cancel', 'terminate', 'start', 'again']) {
    expect(orders).toContainEqual(expect.objectContaining({ what }));
  }
  expect(orders.some(({ requestId, times }) => requestId !== undefined && times > 1)).toBe(true);
  expect(orders.some(({ what, requestId }) => what === 'signal' && requestId === undefined)).toBe(true);
  expect(plan.billRuns.flatMap(({ starts }) => starts).some(({ by }) => by === 'id')).toBe(true);
  expect(new Set(plan.billRuns.map(({ fate }) => fate)).size).toBe(3);
  expect(new Set(plan.billRuns.flatMap(({ emails }) => emails.map(({ becomes }) => becomes))).size).toBe(4);
  expect(linksHit(plan)).toHaveLength(7);
  expect(plan.lengthMs).toBeLessThan(150_000);
});

function linksHit({ disruptions }: Plan): readonly string[] {
  return [...new Set(disruptions.flatMap((disruption) => ('link' in disruption ? [disruption.link] : [])))];
}
