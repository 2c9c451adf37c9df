/**
 * Chaos on real parts: pipelines and operators at work on many bill runs while workers are killed, Temporal is restarted,
 * connections fail and Zuora answers badly. In the end the seven rules are held against the mailbox, every event history
 * and every audit. The exit code is 0 only if none was broken.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { planOf } from './chaos/plan.js';
import { chaos, seconds, type ChaosResult } from './chaos/run.js';
import { untilToldToStop } from './processes.js';

const EXAMPLES = `
Examples:
  npm run chaos -- --bill-runs 200 --seed 7 --json   about five minutes on two cores
  npm run chaos -- --bill-runs 12                    about a minute
  npm run chaos -- --seed 7 --evidence .dev/chaos    keeps the logs, the database and all evidence
  npm run chaos -- --plan --seed 7                   only prints the plan

Exit codes: 0 all rules held, 1 a rule was broken or the run failed, 2 wrong usage, 130 stopped.`;

/** The simulator and Temporal's development server are made for so many, no more. */
const MOST_BILL_RUNS = 1_000;

interface Flags {
  readonly billRuns: number;
  readonly seed: number;
  readonly worker?: string;
  readonly evidence?: string;
  readonly queries?: true;
  readonly plan?: true;
  readonly json?: true;
}

const program = new Command('chaos')
  .description('Breaks everything around bill runs that are emailed, and checks that each email was sent exactly once.')
  .option('--bill-runs <number>', 'how many bill runs', wholeNumber(1, MOST_BILL_RUNS), 200)
  .option('--seed <number>', 'fixes the plan: the same seed plans the same chaos', wholeNumber(0, 2 ** 31), 1)
  .option('--worker <file>', 'main file of another worker, such as a patched copy; default: that of dist/', workerFile)
  .option(
    '--evidence <folder>',
    'keep logs, database and all evidence in this new folder; default: nothing is kept',
    newFolder,
  )
  .option('--queries', 'operators also query runs: brings out a defect of the SDK, see scripts/chaos/plan.ts')
  .option('--plan', 'print the plan as JSON, and do nothing')
  .option('--json', 'print one JSON object, and no progress')
  .addHelpText('after', EXAMPLES)
  .allowExcessArguments(false)
  .exitOverride();

try {
  process.exitCode = await main(program.parse().opts<Flags>());
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(error);
    process.exitCode = 1;
  }
}
// Connections that were cut may leave timers behind, and nothing is left to wait for but what a pipe has not taken yet.
process.stdout.write('', () => process.exit());

async function main({
  billRuns,
  seed,
  worker,
  evidence: keepIn,
  queries,
  plan: onlyPlan,
  json,
}: Flags): Promise<number> {
  const plan = planOf(seed, billRuns, { queries: queries ?? false });
  if (onlyPlan) {
    console.log(JSON.stringify(plan, null, 2));
    return 0;
  }
  const folder = keepIn ?? mkdtempSync(join(tmpdir(), 'bill-run-emails-chaos-'));
  mkdirSync(folder, { recursive: true });
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const run = chaos(plan, {
      folder,
      workerMain: worker,
      tell: (text) => {
        if (json === undefined) console.log(text);
      },
      onStop: (stop) => stops.push(stop),
    });
    // Whatever becomes of it after it was stopped.
    run.catch(() => undefined);
    const done = await Promise.race([run, untilToldToStop()]);
    if (done === undefined) return 130;
    const { result, evidence } = done;
    if (keepIn !== undefined) writeFileSync(join(folder, 'evidence.json'), JSON.stringify(evidence, null, 1));
    console.log(json ? JSON.stringify(result) : summary(result));
    return result.violations.length === 0 ? 0 : 1;
  } finally {
    for (const stop of stops.reverse()) await stop().catch(() => undefined);
    if (keepIn === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function summary(result: ChaosResult): string {
  const { violations, killsBySignal, faultsByKind } = result;
  const { SIGKILL, SIGTERM } = killsBySignal;
  const { zuora, cuts, stalls, slowed } = faultsByKind;
  const rules = violations.map(({ rule, billRun, what, evidence }) => {
    return `  rule ${rule}: ${billRun}: ${what}\n    ${JSON.stringify(evidence).slice(0, 2_000)}`;
  });
  return [
    '',
    `Seed ${result.seed}, plan ${result.planHash}, ${result.billRuns} bill runs, ${seconds(result.durationMs)}`,
    `Kills           ${result.kills} (SIGKILL ${SIGKILL}, SIGTERM ${SIGTERM})`,
    `Server restarts ${result.serverRestarts}`,
    `Faults          ${result.faults} (Zuora ${zuora}, cuts ${cuts}, stalls ${stalls}, slow connections ${slowed})`,
    `Sends           ${result.sendsIntended} intended, ${result.sendsAccepted} accepted, ` +
      `${result.unsettled} unsettled, ${result.superseded} superseded; ${result.attempts} attempts`,
    `Emails          ${result.emails}, duplicates ${result.duplicates}`,
    `Lost            ${result.lost}`,
    `Violations      ${violations.length}`,
    ...rules,
  ].join('\n');
}

function workerFile(path: string): string {
  if (!existsSync(path)) throw new InvalidArgumentError('There is no such file.');
  return resolve(path);
}

/** The database of another run would mix its bill runs into ours. */
function newFolder(path: string): string {
  if (existsSync(path) && readdirSync(path).length > 0) throw new InvalidArgumentError('The folder is not empty.');
  return resolve(path);
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (!(number >= least && number <= most)) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}
