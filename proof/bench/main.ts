/**
 * Measures the application on real parts. Each figure is a ratio or a distribution within one run, because machines are noisy
 * and differ. docs/performance.md has the figures.
 */
import { createRequire } from 'node:module';
import { cpus, totalmem } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { newFolder, run, untilStopped } from '../command.js';
import { billableActions } from './figures/billable-actions.js';
import { costs } from './figures/costs.js';
import { history } from './figures/history.js';
import { monthEnd } from './figures/month-end.js';
import { cli, start } from './figures/processes.js';
import { latency, pollLoop, throughput } from './figures/rates.js';
import { reaction } from './figures/reaction.js';
import { recovery } from './figures/recovery.js';
import { waiting } from './figures/waiting.js';
import { openParts, type Parts } from './parts.js';
import { tableOf, type Machine } from './table.js';

/** In the order of measurement: figures that need a quiet server come before those that fill it. */
const figures = {
  start,
  cli,
  latency,
  reaction,
  throughput,
  pollLoop,
  billableActions,
  costs,
  recovery,
  monthEnd,
  history,
  waiting,
} as const;
type Figure = keyof typeof figures;
const names = Object.keys(figures) as Figure[];
/** The others need the development server, or say the same on both. */
const onCluster: readonly Figure[] = ['latency', 'throughput', 'recovery', 'monthEnd'];

const EXAMPLES = `
Figures:
  throughput       bill runs completed per second, over a bare workflow with the same two calls
  latency          ours and the bare workflow, one bill run at a time
  pollLoop         ours over a workflow with a timer and a poll activity, on bill runs that post after 20 polls
  reaction         from the signal billRunPosted to the call that emails
  history          events, bytes, reads and actions of a job: after waits of 10 minutes to 30 days, and with documents that it follows
  waiting          memory of a worker, and reads of Zuora, with 100, 1,000 and 10,000 bill runs that wait
  start            from the start of a worker process to its first poll
  cli              the command line over Node by itself, and over a bare script
  billableActions  actions that Temporal Cloud would bill for a bill run
  costs            calls of a worker to Temporal for a bill run, and what a hold and a release add to history
  recovery         from the kill of a worker to the next calls, which another one makes, of 20 bill runs
  monthEnd         1,000 bill runs that post at once, over the time that Zuora's limit of 40 calls allows

Examples:
  npm run bench                                 about twenty minutes; keep the machine idle meanwhile
  npm run bench -- --json > bench.json
  npm run bench -- --only throughput,latency
  npm run bench -- --cluster                    on Temporal's server with PostgreSQL: ${onCluster.join(', ')}
  npm run bench -- --quick                      a trial of one or two minutes; its figures say nothing

Exit codes: 0 measured, 1 it failed, 2 wrong usage, 130 stopped.`;

interface Flags {
  readonly only?: readonly Figure[];
  readonly cluster?: boolean;
  readonly quick?: boolean;
  readonly evidence?: string;
  readonly json?: true;
}

const program = new Command('bench')
  .description('Measures the application beside a minimal worker and beside a usual poll loop.')
  .option('--only <figures>', 'figures to measure, separated by commas', figuresIn)
  .option('--cluster', "on Temporal's server with PostgreSQL, as npm run cluster starts it")
  .option('--quick', 'a trial with small numbers')
  .option('--evidence <folder>', 'keep the logs in this new folder (default: keep nothing)', newFolder)
  .option('--json', 'print one JSON object, and no progress')
  .addHelpText('after', EXAMPLES)
  .allowExcessArguments(false)
  .exitOverride();

await run(() => main(program.parse().opts<Flags>()));

async function main({ cluster = false, quick = false, evidence: keepIn, json, ...flags }: Flags): Promise<number> {
  const measured = await untilStopped({ keepIn, json }, async (surroundings) => {
    const only = flags.only ?? (cluster ? onCluster : names);
    const parts = await openParts(surroundings, { quick, cluster });
    const machine = await machineOf(parts);
    const result: Record<string, object> = {};
    for (const name of names.filter((each) => only.includes(each))) {
      surroundings.report(`${name} …`);
      result[name] = await figures[name](parts);
    }
    return { result: { machine, quick, figures: result }, evidence: result };
  });
  if (measured === undefined) return 130;
  const { machine, figures: measuredFigures } = measured;
  console.log(json ? JSON.stringify({ machine, quick, ...measuredFigures }) : tableOf(measured));
  return 0;
}

async function machineOf({ client }: Parts): Promise<Machine> {
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    temporalServer: serverVersion,
    sdk: (createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string }).version,
  };
}

function figuresIn(text: string): readonly Figure[] {
  const wanted = text.split(',').map((name) => name.trim());
  const unknown = wanted.filter((name) => !names.includes(name as Figure));
  if (unknown.length === 0) return wanted as Figure[];
  throw new InvalidArgumentError(`There is no figure ${unknown.join(', ')}; there are ${names.join(', ')}.`);
}
