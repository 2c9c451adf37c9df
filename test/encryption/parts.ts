/** Temporal with a database file, a simulated Zuora, and workers and clients with keys of payload encryption, or without. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { BillRunEmails } from '../../client/index.js';
import { clientDataConverter } from '../../encryption/data-converter.js';
import type { Child } from '../../scripts/processes.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { billRunSearchAttributes, startTemporalServer } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { startSimulator } from '../../simulator/index.js';

/** An entry for PAYLOAD_ENCRYPTION_KEYS. */
export const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;

/** The environment of a process with these keys; of one that encrypts nothing, with none. */
export const keysInEnvironment = (...keys: string[]): Record<string, string> =>
  keys.length === 0 ? {} : { PAYLOAD_ENCRYPTION_KEYS: keys.join() };

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
  let running: Child | undefined;
  const control = controlOf(simulator.url);

  const stopWorker = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };

  return {
    temporal,
    connection,
    control,
    stopWorker,

    /** In the place of the one that runs. */
    async worker(...keys: string[]): Promise<Child> {
      await stopWorker();
      const env = keysInEnvironment(...keys);
      running = await startWorker({ temporal, simulatorUrl: simulator.url, pollInterval: '100ms', env });
      return running;
    },

    async emails(...keys: string[]): Promise<BillRunEmails> {
      const dataConverter = await clientDataConverter(keysInEnvironment(...keys));
      return new BillRunEmails(new Client({ connection, dataConverter }));
    },

    async billRun(status = 'Posted'): Promise<string> {
      const wanted = { status, invoices: 1, creditMemos: 1 };
      return (await control<{ number: string }>('POST', '/bill-runs', wanted)).number;
    },

    /** Whether a text stands in the database of Temporal, or in what was written beside it. */
    inDatabase(text: string): boolean {
      return readdirSync(folder).some((file) => readFileSync(join(folder, file)).includes(text));
    },

    async close(): Promise<void> {
      await stopWorker();
      await connection.close();
      await simulator.close();
      await temporal.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
