/**
 * Histories of runs that were made by earlier versions: the present workflow code must replay them, or the runs that are open
 * when it is deployed stand still.
 *
 * RECORD_HISTORIES=1 npx vitest run test/workflows/replay.test.ts adds those of the present code, in a folder for its version.
 * What is there stays, for as long as runs of that version may be open.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { EMAIL_STATES } from '../../workflows/contract/contract.js';
import { live, reachState, starting } from '../support/reach.js';
import { openReplayer, openRig, type Replayer, type Rig } from '../support/rig.js';

const folder = join(projectRoot, 'test', 'histories');
const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };

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

/** A run under another workflow id would hand its requests over. */
function replay(replayer: Replayer, history: HistoryJson): Promise<void> {
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '';
  return replayer.replayHistory(historyFromJSON(history), workflowId);
}

describe('The present code replays', () => {
  const replayer = openReplayer();
  afterAll(() => replayer.close());

  test.each(committed)('%s', (_, history) => replay(replayer, history));
});

describe('Each kind of life is there', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig({ server: 'real' });
  });
  afterEach(() => rig.afterTest());
  afterAll(() => rig.close());

  const states = EMAIL_STATES.map((state) => [state, reachState[state]] as const);
  test.each([...states, ...Object.entries(live)])('%s', async (name, reach) => {
    const run = await reach(rig, starting(rig));
    const [state] = EMAIL_STATES.filter((each) => each === name);
    if (state !== undefined) await rig.state(run, state);
    if (process.env['RECORD_HISTORIES'] !== undefined) record(name, await run.fetchHistory());
    expect(committed.map(([file]) => file)).toContain(join(version, fileOf(name)));
  });
});

const fileOf = (name: string): string => `${name.replaceAll(/[ ,]+/g, '-')}.json`;

function record(name: string, history: Parameters<typeof historyToJSON>[0]): void {
  const file = join(folder, version, fileOf(name));
  if (existsSync(file)) return;
  mkdirSync(join(folder, version), { recursive: true });
  // Who worked where is of no importance here, and nobody's business.
  const json = JSON.stringify(JSON.parse(historyToJSON(history)))
    .replaceAll(/\d+@[\w.-]+/g, 'somebody')
    .replaceAll(`${projectRoot}/`, '');
  writeFileSync(file, `${json}\n`);
}

describe('A change that breaks open runs is found', () => {
  const emails = ({ events }: HistoryJson): boolean =>
    events.some((event) => event.activityTaskScheduledEventAttributes?.activityType.name === 'emailBillRunDocuments');

  test.each([
    ['another activity', /(\{\s*)emailBillRunDocuments(\s*\} = )/g, '$1emailAll: emailBillRunDocuments$2'],
    ['one more activity', /await attempt\(run, step\.send\);/g, 'await look(run); $&'],
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
