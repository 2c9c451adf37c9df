/** Temporal with a database file, a simulated Zuora, and the processes of the encryption example with given keys. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startChild, type Child } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { billRunSearchAttributes, startTemporalServer } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { startSimulator } from '../../simulator/index.js';
import { cliProcess, type Ended } from '../support/command-line.js';

export const CODEC = join('examples', 'encryption', 'codec.mjs');
export const TOKEN = 'a-token-of-this-test-only';

/** An entry of PAYLOAD_ENCRYPTION_KEYS. */
export const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;

/** The environment of a process with these keys; without any, nothing is encrypted. */
const withKeys = (...keys: string[]): Record<string, string> =>
  keys.length === 0 ? {} : { BILL_RUN_DATA_CONVERTER: CODEC, PAYLOAD_ENCRYPTION_KEYS: keys.join() };

export type EncryptionParts = Awaited<ReturnType<typeof openEncryptionParts>>;

export async function openEncryptionParts({ ui = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-encryption-'));
  const temporal = await startTemporalServer({
    headless: !ui,
    dbFilename: join(folder, 'temporal.db'),
    searchAttributes: billRunSearchAttributes,
  });
  const simulator = await startSimulator({ emailDelayMs: 0 });
  const connection = await Connection.connect({ address: temporal.address });
  const control = controlOf(simulator.url);
  let worker: Child | undefined;

  return {
    temporal,
    /** Knows no codec: it sees what Temporal holds. */
    client: new Client({ connection }),
    control,

    /** Replaces the running worker. */
    async worker(...keys: string[]): Promise<void> {
      await worker?.stop();
      const env = withKeys(...keys);
      worker = await startWorker({ temporal, simulatorUrl: simulator.url, env });
    },

    cli: (keys: readonly string[], ...args: string[]): Promise<Ended> =>
      cliProcess({ env: { TEMPORAL_ADDRESS: temporal.address, ...withKeys(...keys) } }, ...args),

    async billRun(status: string): Promise<string> {
      const wanted = { status, invoices: 1, creditMemos: 1 };
      return (await control<{ number: string }>('POST', '/bill-runs', wanted)).number;
    },

    emails: (number: string) => control<object[]>('GET', `/mailbox?billRun=${number}`),

    /** Whether the database of Temporal, or a file beside it, holds a text. */
    inDatabase(text: string): boolean {
      return readdirSync(folder).some((file) => readFileSync(join(folder, file)).includes(text));
    },

    async close(): Promise<void> {
      await worker?.stop();
      await connection.close();
      await simulator.close();
      await temporal.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** @param origins the addresses that Temporal UI has */
export async function startCodecServer(keys: readonly string[], origins = ''): Promise<{ url: string; child: Child }> {
  const child = await startChild({
    name: 'the codec server',
    command: process.execPath,
    args: [join(projectRoot, 'examples', 'encryption', 'codec-server.mjs')],
    env: {
      ...withKeys(...keys),
      CODEC_SERVER_TOKEN: TOKEN,
      CODEC_SERVER_ORIGINS: origins,
      CODEC_SERVER_PORT: '0',
    },
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.onLine((line) => {
      const [, address] = /^Codec server: (\S+)$/.exec(line) ?? [];
      if (address !== undefined) resolve(address);
    });
    void child.ended.then(() => {
      reject(new Error(`The codec server does not start:\n${child.lastLines.join('\n')}`));
    });
  });
  return { url, child };
}
