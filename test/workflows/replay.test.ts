/**
 * Histories of jobs of earlier versions. The present workflow code must replay them; otherwise jobs that are open at a deployment
 * stand still.
 *
 * RECORD_HISTORIES=1 npx vitest run test/workflows/replay.test.ts records the histories that the folder of the present version lacks.
 * The folder of a released version stays as long as jobs of that version may be open.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { EMAIL_REASONS, EMAIL_STATES } from '../../workflows/contract/contract.js';
import { lives, starting, states } from '../support/reach.js';
import { newNamespace, openReplayer, openRig, type Replayer, type Rig } from '../support/rig.js';
import { version } from '../support/version.js';

const folder = join(projectRoot, 'test', 'histories');

const bundle = readFileSync(inject('workflowBundlePath'), 'utf8');

interface EventJson {
  readonly workflowExecutionStartedEventAttributes?: { readonly workflowId: string };
  readonly activityTaskScheduledEventAttributes?: { readonly activityType: { readonly name: string } };
}
interface HistoryJson {
  readonly events: readonly EventJson[];
}

const committed = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.json'))
  .map((name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8')) as HistoryJson] as const);

/** Replays under the workflow id of the history: under another one, the job would hand its requests over. */
function replay(replayer: Replayer, history: HistoryJson): Promise<void> {
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '';
  return replayer.replayHistory(historyFromJSON(history), workflowId);
}

// Without any, only while the first are recorded.
describe.skipIf(committed.length === 0)('The present code replays', () => {
  const replayer = openReplayer();
  afterAll(() => replayer.close());

  test.each(committed)('%s', (_, history) => replay(replayer, history));
});

test('every state and every reason has a history', () => {
  const reached = Object.values(states);
  expect(new Set(reached.map(({ state }) => state))).toEqual(new Set(EMAIL_STATES));
  expect(new Set(reached.flatMap(({ reason }) => reason ?? []))).toEqual(new Set(EMAIL_REASONS));
});

describe('Each kind of life is there', () => {
  let rig: Rig;
  beforeAll(async () => {
    // A hold on all must not hold the jobs of other test files.
    rig = await openRig({ namespace: await newNamespace() });
  });
  afterEach(() => rig.afterTest());
  afterAll(() => rig.close());

  test.each(Object.entries(states))('%s', async (name, { state, reason, reach }) => {
    const job = await reach(rig, starting(rig));
    await rig.state(job, state, reason);
    await isRecorded(name, job);
  });

  test.each(Object.entries(lives))('%s', async (name, reach) => {
    await isRecorded(name, await reach(rig, starting(rig)));
  });
});

async function isRecorded(name: string, job: WorkflowHandle): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== undefined) await record(name, job);
  expect(readdirSync(join(folder, version))).toContain(fileOf(name));
}

function fileOf(name: string): string {
  return `${name.replaceAll(/[ ,]+/g, '-')}.json`;
}

async function record(name: string, job: WorkflowHandle): Promise<void> {
  const file = join(folder, version, fileOf(name));
  if (existsSync(file)) return;
  mkdirSync(join(folder, version), { recursive: true });
  const history = JSON.parse(historyToJSON(await job.fetchHistory())) as HistoryJson;
  // Replay needs no names of machines, processes and folders.
  const json = JSON.stringify(history)
    .replaceAll(/\d+@[\w.-]+/g, 'somebody')
    .replaceAll(`${projectRoot}/`, '');
  writeFileSync(file, `${json}\n`);
}

describe('A change that breaks open jobs is found', () => {
  const emails = ({ events }: HistoryJson): boolean =>
    events.some((event) => event.activityTaskScheduledEventAttributes?.activityType.name === 'emailBillRunDocuments');

  test.each([
    ['another activity', /(\{\s*)emailBillRunDocuments(\s*\} = )/g, '$1emailAll: emailBillRunDocuments$2'],
    ['one more activity', /return attempt(\(job, step\.send\));/g, 'return look(job, {}).then(() => attempt$1);'],
  ])('%s', async (_, what, instead) => {
    expect([...bundle.matchAll(what)], 'the change is made in one place').toHaveLength(1);
    const replayer = openReplayer({ code: bundle.replace(what, instead) });
    for (const [name, history] of committed) {
      const replayed = replay(replayer, history);
      if (emails(history)) await expect(replayed, name).rejects.toThrow(DeterminismViolationError);
      else await expect(replayed, name).resolves.toBeUndefined();
    }
    await replayer.close();
  });
});
