/**
 * A soak on real parts: bill runs come at a steady rate, are emailed and resent under faults, and go, for as long as wanted;
 * what the one worker holds meanwhile must stay flat. In the end the seven rules are held against the evidence, as after the
 * chaos. The exit code is 0 only if nothing grew and no rule was broken.
 */
import { Command, InvalidArgumentError } from 'commander';
import { newFolder, run, untilStopped, wholeNumber, workerFile } from '../command.js';
import { SHORTEST_JUDGED_MINUTES } from './flatness.js';
import { billRunsIn, hasHeld, inWords, soak } from './run.js';

const EXAMPLES = `
Examples:
  npm run soak -- --minutes 10 --json                          about twelve minutes, with what comes after
  npm run soak -- --minutes 60 --bill-runs-per-minute 20       longer, and with less load
  npm run soak -- --minutes 0.5                                only whether it works: too short to judge memory
  npm run soak -- --minutes 10 --evidence .dev/soak            keeps the logs, all samples and all evidence

A run of less than ${SHORTEST_JUDGED_MINUTES} minutes is too short to judge what grows, and says so. The longer, the smaller is the leak
that is found.

Exit codes: 0 nothing grew and all rules held, 1 something grew, a rule was broken or the run failed, 2 wrong usage,
130 stopped.`;

const LONGEST_MINUTES = 1_440;
/** More than these at once, one worker and Temporal's development server do not keep up with on a small machine. */
const MOST_PER_MINUTE = 200;
/** The simulator keeps every request, and in the end every history is read. */
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
  .option('--minutes <number>', 'how long bill runs come; 0.5 is half a minute', minutesIn, 10)
  .option('--bill-runs-per-minute <number>', 'how many come', wholeNumber(1, MOST_PER_MINUTE), 40)
  .option('--seed <number>', 'fixes the plan: the same seed plans the same load and faults', wholeNumber(0, 2 ** 31), 1)
  .option('--worker <file>', 'main file of another worker, such as a patched copy; default: that of dist/', workerFile)
  .option(
    '--evidence <folder>',
    'keep logs, samples and all evidence in this new folder; default: nothing is kept',
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
      `error: ${minutes} minutes with ${billRunsPerMinute} bill runs a minute make ${billRuns} of them, and ` +
        `${MOST_BILL_RUNS} are the most. Give fewer --minutes or fewer --bill-runs-per-minute.`,
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
