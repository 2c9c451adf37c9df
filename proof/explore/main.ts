/**
 * Explores all lives within bounds, and checks the ten rules after each step. The exit code is 0 only if each space was explored to its
 * end and no rule was broken; with `--planted`, if each planted bug was found by its rule.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import Table from 'cli-table3';
import { Command } from 'commander';
import pMap from 'p-map';
import { newFolder, run } from '../command.js';
import type { Explored } from './explore.js';
import { BUGS, plant, plantWorker, type Bug } from './planted.js';
import { SHIPPED } from './rules.js';
import { LARGE, SMALL, type Space } from './spaces.js';
import type { Order } from './thread.js';

const EXAMPLES = `
Examples:
  npm run explore                     the small spaces, about half a minute
  npm run explore -- --large          the large ones, about six minutes on two cores
  npm run explore -- --planted        plants a bug for each rule, and shows the shortest life that finds it
  npm run explore -- --worker 3 --into /tmp/bug   a build with planted bug 3, for npm run chaos -- --worker

Exit codes: 0 no rule is broken (with --planted: each bug was found), 1 otherwise, 2 wrong usage.`;

interface Flags {
  readonly large?: true;
  readonly planted?: true;
  readonly worker?: string;
  readonly into?: string;
  readonly json?: true;
}

const program = new Command('explore')
  .description('Explores every life of a bill run within bounds, and checks the ten rules of sending after each step.')
  .option('--large', 'the large spaces')
  .option('--planted', 'explore copies of the rules with one line changed')
  .option('--worker <number>', 'build a worker with this planted bug')
  .option('--into <folder>', 'where to', newFolder)
  .option('--json', 'print one JSON object')
  .addHelpText('after', EXAMPLES)
  .allowExcessArguments(false)
  .exitOverride();

/** Two of them stay below 4 GB. */
const MOST_MEMORY_MB = 1_800;
const THREADS = Math.min(2, cpus().length);

const WORDS: Readonly<Record<string, string>> = {
  ...{ sends: 'sends', attempts: 'attempts', messages: 'messages', jumps: 'jumps in time', checks: 'checks' },
  ...{ failedReads: 'reads that fail', resets: 'resets', jobs: 'jobs' },
};

await run(() => main(program.parse().opts<Flags>()));

async function main({ large, planted, worker, into, json }: Flags): Promise<number> {
  if (worker !== undefined) return build(Number(worker), into);
  const startedAt = Date.now();
  if (planted) {
    const found = await pMap([...BUGS.entries()], ([index, bug]) => find(bug, index + 1), { concurrency: THREADS });
    console.log(json ? JSON.stringify(found) : bugTable(found));
    return found.every(({ rule, brokenRule }) => rule === brokenRule) ? 0 : 1;
  }
  const spaces = large ? LARGE : SMALL;
  const results = await pMap(spaces, (space) => timed(space, SHIPPED), { concurrency: THREADS });
  const result = {
    complete: results.every(({ broken }) => broken === null),
    seconds: secondsSince(startedAt),
    results,
  };
  console.log(json ? JSON.stringify(result) : spaceTable(result));
  return result.complete ? 0 : 1;
}

type Timed = Explored & { readonly space: string; readonly bounds: string; readonly seconds: number };

async function timed(space: Space, dist: string): Promise<Timed> {
  const startedAt = Date.now();
  const explored = await inThread({ space, dist });
  return { space: space.name, bounds: boundsOf(space), ...explored, seconds: secondsSince(startedAt) };
}

function inThread(order: Order): Promise<Explored> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('thread.js', import.meta.url), {
      workerData: order,
      resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY_MB },
    });
    thread.once('message', resolve).once('error', reject);
    thread.once('exit', (code) => {
      reject(new Error(`the thread ended with ${code}`));
    });
  });
}

/** What may happen how often at most. */
function boundsOf({ bounds: { isRich, ...counts }, beginning }: Space): string {
  const some = Object.entries(counts).filter(([, most]) => most > 0);
  const named = some.map(([name, most]) => `${WORDS[name] ?? name} ${most}`);
  return [
    ...named,
    isRich ? 'every answer' : 'one answer of each class',
    ...(beginning.echoes ? [] : ['no echo']),
  ].join(', ');
}

interface Found extends Pick<Bug, 'name' | 'rule' | 'within'> {
  readonly number: number;
  /** Null if no life breaks a rule. */
  readonly brokenRule: number | null;
  readonly what: string;
  readonly states: number;
  readonly seconds: number;
  readonly life: readonly string[];
}

async function find(bug: Bug, number: number): Promise<Found> {
  const { name, rule, within } = bug;
  const space = SMALL.find((each) => each.name === within);
  if (space === undefined) throw new Error(`there is no small space ${within}`);
  const startedAt = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-explore-'));
  try {
    const { broken, states } = await inThread({ space, dist: plant(bug, folder) });
    const found = { number, name, rule, within, states, seconds: secondsSince(startedAt) };
    return { ...found, brokenRule: broken?.rule ?? null, what: broken?.what ?? '', life: broken?.life ?? [] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function build(number: number, into: string | undefined): Promise<number> {
  const bug = BUGS[number - 1];
  if (bug === undefined || into === undefined) {
    console.error(`--worker needs a number from 1 to ${BUGS.length}, and --into a new folder`);
    return 2;
  }
  mkdirSync(into, { recursive: true });
  console.log(await plantWorker(bug, into));
  return 0;
}

function spaceTable({ results, seconds }: { readonly results: readonly Timed[]; readonly seconds: number }): string {
  const table = new Table({
    head: ['space', 'at most', 'states', 'transitions', 'steps', 's'],
    style: { head: [], border: [] },
  });
  for (const each of results)
    table.push([each.space, each.bounds, each.states, each.transitions, each.steps, each.seconds]);
  const broken = results.filter((each) => each.broken !== null);
  const end =
    broken.length === 0
      ? `All lives within these bounds were explored: no rule is broken. ${seconds} s`
      : broken
          .map(
            ({ space, broken: life }) =>
              `${space}: rule ${life?.rule ?? ''} is broken: ${life?.what ?? ''}\n  ${life?.life.join('\n  ') ?? ''}`,
          )
          .join('\n');
  return `${table.toString()}\n${end}`;
}

function bugTable(found: readonly Found[]): string {
  const table = new Table({
    head: ['', 'planted bug', 'rule', 'found by', 'within', 'states', 's'],
    style: { head: [], border: [] },
  });
  for (const { number, name, rule, brokenRule, within, states, seconds } of found)
    table.push([number, name, rule, brokenRule === null ? 'nothing' : `rule ${brokenRule}`, within, states, seconds]);
  const lives = found.map(({ number, what, life }) => `${number}: ${what}\n  ${life.join('\n  ')}`);
  return [table.toString(), ...lives].join('\n');
}

function secondsSince(startedAt: number): number {
  return Math.round((Date.now() - startedAt) / 100) / 10;
}
