/**
 * A real Temporal cluster on this machine, and the whole life of bill runs on it. The exit code is 0 only if every document got
 * exactly one email for the first send and one for the resend. docs/reliability.md describes what it starts.
 */
import { Command } from 'commander';
import { newFolder, run, untilStopped, wholeNumber } from '../command.js';
import { startCluster } from './cluster.js';
import { live, NAMESPACE, seconds, type LifeResult } from './life.js';
import { untilSignaledToStop } from '../../scripts/processes.js';

const EXAMPLES = `
Examples:
  npm run cluster
  npm run cluster -- --keep               keeps everything running until Ctrl-C, and prints the addresses
  npm run cluster -- --bill-runs 50 --json

It needs Go and PostgreSQL's programs, and says how to install missing ones. The first run builds Temporal's server, which takes
5 to 12 minutes on two cores, and keeps it in .temporal/cluster.

Exit codes: 0 all checks passed, 1 a check failed, 2 wrong usage or a program is missing, 130 stopped.`;

interface Flags {
  readonly billRuns: number;
  readonly evidence?: string;
  readonly keep?: true;
  readonly json?: true;
}

const program = new Command('cluster')
  .description(
    "Runs Temporal's server on PostgreSQL with two workers, and emails bill runs on it while one of them is killed.",
  )
  .option('--bill-runs <number>', 'how many bill runs', wholeNumber(2, 200), 12)
  .option(
    '--evidence <folder>',
    'keep the logs, the audits and the histories in this new folder (default: keep nothing)',
    newFolder,
  )
  .option('--keep', 'keep everything running at the end')
  .option('--json', 'print one JSON object, and no progress')
  .addHelpText('after', EXAMPLES)
  .allowExcessArguments(false)
  .exitOverride();

await run(() => main(program.parse().opts<Flags>()));

async function main({ billRuns, evidence: keepIn, keep, json }: Flags): Promise<number> {
  let result: LifeResult | undefined;
  const done = await untilStopped({ keepIn, json }, async (surroundings) => {
    const cluster = await startCluster(surroundings);
    const lived = await live(cluster, { billRuns, ...surroundings });
    ({ result } = lived);
    console.log(json ? JSON.stringify(result) : summary(result));
    if (keep) {
      const address = `TEMPORAL_ADDRESS=${cluster.address} TEMPORAL_NAMESPACE=${NAMESPACE}`;
      surroundings.report(
        `\nEverything keeps running. Try: ${address} npm run --silent cli -- list   (Ctrl-C ends it)`,
      );
      await untilSignaledToStop();
    }
    return lived;
  });
  if (result === undefined || (done === undefined && !keep)) return 130;
  return result.faults.length === 0 ? 0 : 1;
}

function summary(result: LifeResult): string {
  const { min, max } = result.emailsPerDocument;
  return [
    '',
    `Bill runs   ${result.billRuns}, with ${result.documents} documents, in ${seconds(result.durationMs)}`,
    `Sends       ${result.sends}, in ${result.attempts} attempts, of which ${result.attemptsLost} were lost with the killed worker; reads lost: ${result.readsLost}`,
    `Emails      ${min === max ? min : `${min} to ${max}`} for each document`,
    `After kill  all emailed within ${seconds(result.recoveryMs)}; the floor ${seconds(result.floorRecoveryMs)}`,
    `Histories   ${result.historyEvents} events`,
    `Faults      ${result.faults.length === 0 ? 'none' : result.faults.join('; ')}`,
  ].join('\n');
}
