/** A private PostgreSQL: a new database folder, a free port of the loopback interface, removed when it stops. */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bareEnvironment, runToEnd, startChild } from '../../scripts/processes.js';
import { freePort } from '../../scripts/temporal-server.js';
import type { ClusterTools } from './tools.js';

export interface Postgres {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  stop(): Promise<void>;
}

export const HOST = '127.0.0.1';
const USER = 'temporal';
/** A new database starts in under a second. */
const START_LIMIT_MS = 60_000;
/** PostgreSQL's log line, once per start. */
const READY = 'database system is ready to accept connections';

export async function startPostgres(
  { initdb, postgres, account }: Pick<ClusterTools, 'initdb' | 'postgres' | 'account'>,
  logFolder: string,
): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-postgres-'));
  const database = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  const password = randomBytes(16).toString('hex');
  mkdirSync(database);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account !== undefined) {
    chmodSync(folder, 0o711);
    for (const path of [database, passwordFile]) chownSync(path, account.uid, account.gid);
  }
  // The account may not be allowed to read our working directory.
  const surroundings = { cwd: database, account, env: { ...bareEnvironment(), LC_ALL: 'C' } };
  await runToEnd({
    name: 'initdb',
    command: initdb,
    args: [
      ...['--pgdata', database, '--username', USER, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--locale', 'C'],
    ],
    ...surroundings,
  });
  rmSync(passwordFile);

  const port = await freePort();
  const child = await startChild({
    name: 'PostgreSQL',
    command: postgres,
    args: ['-D', database, '-p', String(port), '-c', `listen_addresses=${HOST}`, '-c', 'unix_socket_directories='],
    logFile: join(logFolder, 'postgres.log'),
    ...surroundings,
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const ready = new Promise<true>((resolve) => {
    child.onLine((line) => {
      if (line.includes(READY)) resolve(true);
    });
  });
  if ((await Promise.race([ready, child.ended, delay(START_LIMIT_MS)])) !== true) {
    await stop();
    throw new Error(`PostgreSQL does not start:\n${child.lastLines.join('\n')}`);
  }
  return { port, user: USER, password, stop };
}
