/**
 * A soak on real parts: bill runs start at a steady rate, are emailed and resent under faults, and close. Memory and handles of
 * the single worker must stay flat. At the end the rules of sending are checked, as after the chaos. The exit code is 0 only if
 * nothing grew and every rule held.
 */
import { Command, InvalidArgumentError } from 'commander';
import { newFolder, run, untilStopped, wholeNumber, workerFile } from '../command.js';
import { SHORTEST_JUDGED_MINUTES } from './flatness.js';
import { billRunsIn, hasHeld, inWords, soak } from './run.js';

const EXAMPLES = `
Examples:
  npm run soak -- --minutes 10 --json                          about twelve minutes, including the checks
  npm run soak -- --minutes 60 --bill-runs-per-minute 20       longer, with less load
  npm run soak -- --minutes 0.5                                a trial; too short to judge memory
  npm run soak -- --minutes 10 --evidence .dev/soak            keeps the logs, all samples and all evidence

Less than ${SHORTEST_JUDGED_MINUTES} minutes are too short to judge growth, and the result says so. A longer soak finds a smaller leak.

Exit codes: 0 nothing grew and all rules held, 1 something grew, a rule was broken or the run failed, 2 wrong usage,
130 stopped.`;

const LONGEST_MINUTES = 1_440;
/** On a small machine, one worker and Temporal's development server do not keep up with more. */
const MOST_PER_MINUTE = 200;
/** The simulator keeps every request, and at the end every history is read. */
const MOST_BILL_RUNS = 5_000;

interface Flags {
  readonly minutes: number;
  readonly billRunsPerMinute: number;
  readonly seed: number;
  readonly worker?: string;
  readonly evidence?: string;
  readonly json?: true;
}

const program = new Command('soak')
  .description('Keeps one worker busy under faults, and checks that its memory and open handles stay flat.')
  .option('--minutes <number>', 'how long bill runs are started; 0.5 is half a minute', minutesIn, 10)
  .option('--bill-runs-per-minute <number>', 'how many bill runs start per minute', wholeNumber(1, MOST_PER_MINUTE), 40)
  .option('--seed <number>', 'fixes the plan: the same seed plans the same load and faults', wholeNumber(0, 2 ** 31), 1)
  .option('--worker <file>', 'main file of another worker, such as a patched copy; default: that of dist/', workerFile)
  .option(
    '--evidence <folder>',
    'keep logs, samples and all evidence in this new folder (default: keep nothing)',
    newFolder,
  )
  .option('--json', 'print one JSON object, and no progress')
  .addHelpText('after', EXAMPLES)
  .allowExcessArguments(false)
  .exitOverride();

await run(() => main(program.parse().opts<Flags>()));

async function main({ minutes, billRunsPerMinute, seed, worker, evidence: keepIn, json }: Flags): Promise<number> {
  const billRuns = billRunsIn(minutes, billRunsPerMinute);
  if (billRuns > MOST_BILL_RUNS) {
    program.error(
      `error: ${minutes} minutes with ${billRunsPerMinute} bill runs a minute make ${billRuns} bill runs; ` +
        `at most ${MOST_BILL_RUNS} are allowed. Give fewer --minutes or fewer --bill-runs-per-minute.`,
    );
  }
  const result = await untilStopped({ keepIn, json }, (surroundings) =>
    soak({ seed, minutes, billRunsPerMinute }, { ...surroundings, workerMain: worker }),
  );
  if (result === undefined) return 130;
  console.log(json ? JSON.stringify(result) : inWords(result));
  return hasHeld(result) ? 0 : 1;
}

function minutesIn(text: string): number {
  const minutes = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN;
  if (!(minutes >= 0.1 && minutes <= LONGEST_MINUTES)) {
    throw new InvalidArgumentError(`It must be a number of minutes from 0.1 to ${LONGEST_MINUTES}, such as 10 or 0.5.`);
  }
  return minutes;
}
