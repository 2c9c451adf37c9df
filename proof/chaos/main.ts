/**
 * Chaos on real parts: pipelines and operators handle many bill runs while workers are killed, Temporal is restarted,
 * connections fail, and Zuora returns errors. At the end the rules of sending are checked against the mailbox, every event
 * history and every audit. The exit code is 0 only if every rule held.
 */
import { Command } from 'commander';
import { clusterWithNamespace } from '../cluster/cluster.js';
import { newFolder, run, untilStopped, wholeNumber, workerFile } from '../command.js';
import { planOf } from './plan.js';
import { chaos, inLines, seconds, type ChaosResult } from './run.js';

const EXAMPLES = `
Examples:
  npm run chaos -- --bill-runs 200 --seed 7 --json   about five minutes on two cores
  npm run chaos -- --bill-runs 12                    about a minute
  npm run chaos -- --seed 7 --evidence .dev/chaos    keeps the logs, the database and all evidence
  npm run chaos -- --plan --seed 7                   only prints the plan

Exit codes: 0 all rules held, 1 a rule was broken or the run failed, 2 wrong usage, 130 stopped.`;

/** The simulator and Temporal's development server do not cope with more. */
const MOST_BILL_RUNS = 1_000;

interface Flags {
  readonly billRuns: number;
  readonly seed: number;
  readonly worker?: string;
  readonly evidence?: string;
  readonly cluster?: true;
  readonly plan?: true;
  readonly json?: true;
}

const program = new Command('chaos')
  .description('Emails bill runs while everything around them fails, and checks that each email was sent exactly once.')
  .option('--bill-runs <number>', 'how many bill runs', wholeNumber(1, MOST_BILL_RUNS), 200)
  .option('--seed <number>', 'fixes the plan: the same seed plans the same chaos', wholeNumber(0, 2 ** 31), 1)
  .option('--worker <file>', 'main file of another worker, such as a patched copy; default: that of dist/', workerFile)
  .option(
    '--evidence <folder>',
    'keep logs, database and all evidence in this new folder (default: keep nothing)',
    newFolder,
  )
  .option('--cluster', "on Temporal's server with PostgreSQL instead of the development server: docs/reliability.md")
  .option('--plan', 'only print the plan, as JSON')
  .option('--json', 'print one JSON object, and no progress')
  .addHelpText('after', EXAMPLES)
  .allowExcessArguments(false)
  .exitOverride();

await run(() => main(program.parse().opts<Flags>()));

async function main({
  billRuns,
  seed,
  worker,
  evidence: keepIn,
  cluster,
  plan: onlyPlan,
  json,
}: Flags): Promise<number> {
  const plan = planOf(seed, billRuns);
  if (onlyPlan) {
    console.log(JSON.stringify(plan, null, 2));
    return 0;
  }
  const result = await untilStopped({ keepIn, json }, async (surroundings) => {
    const temporal = cluster ? await clusterWithNamespace('default', surroundings) : undefined;
    return chaos(plan, { ...surroundings, workerMain: worker, temporal });
  });
  if (result === undefined) return 130;
  console.log(json ? JSON.stringify(result) : summary(result));
  return result.violations.length === 0 ? 0 : 1;
}

function summary(result: ChaosResult): string {
  const { SIGKILL, SIGTERM } = result.killsBySignal;
  return [
    '',
    `Seed ${result.seed}, plan ${result.planHash}, ${result.billRuns} bill runs, ${seconds(result.durationMs)}`,
    `Kills           ${result.kills} (SIGKILL ${SIGKILL}, SIGTERM ${SIGTERM})`,
    `Server restarts ${result.serverRestarts}`,
    `Holds on all    ${result.holdsOnAll}; workers stopped ${result.workersStopped} times`,
    `Outages         ${result.outages}; refused logins ${result.refusals} times; Temporal listed nothing ${result.listsNothing} times`,
    ...inLines(result),
  ].join('\n');
}
