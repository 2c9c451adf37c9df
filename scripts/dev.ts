import { randomInt } from 'node:crypto';
import { relative, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { printError } from '../client/cli/command.js';
import { SIMULATOR_CREDENTIALS, startSimulator } from '../simulator/index.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import { untilSignaledToStop } from './processes.js';
import { announceDev, SCENES, withdrawDev } from './running-dev.js';
import { assertPortIsFree, billRunSearchAttributes, PortTakenError, startTemporalServer } from './temporal-server.js';
import { startWorker } from './worker-process.js';

interface Flags {
  readonly temporalPort: number;
  readonly uiPort: number;
  readonly simulatorPort: number;
  readonly db?: string;
}

const TEMPORAL_LOG = '.dev/temporal.log';
const WORKER_LOG = '.dev/worker.log';
/** Short enough to watch; the default is 10 s. */
const POLL_INTERVAL = '2s';
/** A call to the simulator takes well under a second, unless a fault stalls it. */
const WORKER_GRACE_MS = 15_000;

/** A failure that a person can fix; its message says how. */
class DevFailure extends Error {
  override readonly name = 'DevFailure';
}

const flags = new Command('dev')
  .description('Runs Temporal with its UI, the Zuora simulator and a worker until Ctrl-C.')
  .option('--temporal-port <port>', "Temporal's gRPC port", port, 7233)
  .option('--ui-port <port>', "Temporal UI's port", port, 8233)
  .option('--simulator-port <port>', "the Zuora simulator's port", port, 9700)
  .option(
    '--db <file>',
    'keep the jobs in this database; default: in memory, because the simulator forgets its bill runs',
  )
  .parse()
  .opts<Flags>();

try {
  await dev(flags);
} catch (error) {
  if (error instanceof DevFailure || error instanceof PortTakenError) printError(error.message);
  else console.error(error);
  process.exitCode = 1;
}

async function dev({ temporalPort, uiPort, simulatorPort, db }: Flags): Promise<void> {
  await assertPortsAreFree({ '--temporal-port': temporalPort, '--ui-port': uiPort, '--simulator-port': simulatorPort });

  const stops: (() => Promise<unknown>)[] = [];
  try {
    const temporal = await startTemporalServer({
      port: temporalPort,
      uiPort,
      ...(db === undefined ? {} : { dbFilename: resolve(db) }),
      searchAttributes: billRunSearchAttributes,
      logFile: TEMPORAL_LOG,
    });
    stops.push(() => temporal.stop());
    console.log(
      `Temporal     ${temporal.address} (${db === undefined ? 'in memory' : `database ${relative('', db)}`}, log ${TEMPORAL_LOG})`,
    );
    const { uiUrl = '' } = temporal;
    console.log(`Temporal UI  ${uiUrl}`);

    // With --db, the IDs of earlier days must not come again.
    const simulator = await startSimulator({ port: simulatorPort, seed: randomInt(2 ** 31) });
    stops.push(() => simulator.close());
    const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
    console.log(`Simulator    ${simulator.url} (a simulated Zuora; docs/try-it.md says how to give it orders)`);
    const zuora = `ZUORA_BASE_URL=${simulator.url} ZUORA_CLIENT_ID=${clientId} ZUORA_CLIENT_SECRET=${clientSecret}`;
    console.log(`Zuora        export ${zuora}`);

    const worker = await startWorker({
      temporal,
      simulatorUrl: simulator.url,
      pollInterval: POLL_INTERVAL,
      // In production the first check of the documents comes after five minutes.
      env: { BILL_RUN_DELIVERY_INTERVAL: '5s' },
      logFile: WORKER_LOG,
    });
    stops.push(() => worker.stop(WORKER_GRACE_MS));
    console.log(`Worker       task queue ${TASK_QUEUE} (process ${worker.pid}, log ${WORKER_LOG})`);
    announceDev({ temporalAddress: temporal.address, uiUrl, simulatorUrl: simulator.url });
    stops.push(withdrawDev);
    console.log(whatToTry(temporal.address));

    await Promise.race([
      untilSignaledToStop(),
      failWhenItEnds('Temporal', temporal.ended, TEMPORAL_LOG),
      failWhenItEnds('The worker', worker.ended, WORKER_LOG),
    ]);
  } finally {
    // The worker first, so that it can finish its calls.
    for (const stop of stops.reverse()) await stop().catch(console.error);
  }
}

/** Names every port in use, and the flag that chooses another one. */
async function assertPortsAreFree(ports: Readonly<Record<string, number>>): Promise<void> {
  const taken: string[] = [];
  for (const [flag, port] of Object.entries(ports)) {
    await assertPortIsFree(port).catch((error: unknown) => {
      if (!(error instanceof PortTakenError)) throw error;
      taken.push(`${port} (choose another with ${flag})`);
    });
  }
  if (taken.length > 0) throw new DevFailure(`In use: port ${taken.join(', port ')}.`);
}

async function failWhenItEnds(name: string, ended: Promise<unknown>, log: string): Promise<never> {
  await ended;
  throw new DevFailure(`${name} ended by itself; see ${log}.`);
}

function whatToTry(temporalAddress: string): string {
  const cli = `TEMPORAL_ADDRESS=${temporalAddress} npm run --silent cli --`;
  return [
    'Try          npm run try -- half-sent',
    `             ${cli} list`,
    `             ${cli} status BR-00000001`,
    `Scenes       ${SCENES.join(', ')}   (Ctrl-C ends it all)`,
  ].join('\n');
}

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  }
  return number;
}
