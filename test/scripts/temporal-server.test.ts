import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterEach, expect, inject, onTestFinished, test, vi } from 'vitest';
import {
  billRunSearchAttributes,
  environmentFor,
  freePort,
  PortTakenError,
  startTemporalServer,
  temporalCli,
} from '../../scripts/temporal-server.js';
import { isRunning } from './running.js';
import { takenPort } from './taken-port.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a port that is taken is named in one line', async () => {
  const port = await takenPort();

  await expect(startTemporalServer({ port, headless: true })).rejects.toThrow(new PortTakenError(port));
});

test('a UI port that is taken is named in one line', async () => {
  const uiPort = await takenPort();

  await expect(startTemporalServer({ uiPort })).rejects.toThrow(new PortTakenError(uiPort));
});

test('a port on which another Temporal answers is taken, too', async () => {
  const port = Number(inject('temporalAddress').split(':')[1]);

  await expect(startTemporalServer({ port, headless: true })).rejects.toThrow(new PortTakenError(port));
});

test('the server answers, knows the search attributes, and serves the UI', async () => {
  const server = await startTemporalServer({ searchAttributes: billRunSearchAttributes, namespace: 'billing' });
  const connection = await Connection.connect({ address: server.address });

  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'billing' });
  const ui = await fetch(server.uiUrl ?? '');
  await connection.close();
  await server.stop();

  expect(Object.keys(customAttributes)).toEqual(
    expect.arrayContaining(['BillRunNumber', 'BillRunId', 'BillRunStatus', 'EmailState', 'EmailSends']),
  );
  expect(ui.status).toBe(200);
  expect(isRunning(server.pid)).toBe(false);
});

test('a database file is made where there was no folder, and can be opened again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-db-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const options = {
    headless: true,
    dbFilename: join(folder, 'new', 'temporal.db'),
    searchAttributes: billRunSearchAttributes,
  };

  await (await startTemporalServer(options)).stop();
  await (await startTemporalServer(options)).stop();

  expect(readdirSync(join(folder, 'new'))).toContain('temporal.db');
});

test('free ports are free, and differ', async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);

  expect(new Set(ports).size).toBe(3);
});

test('a binary named by the environment goes first; one that is not there is named', () => {
  vi.stubEnv('TEMPORAL_CLI_PATH', process.execPath);
  expect(temporalCli()).toBe(process.execPath);

  vi.stubEnv('TEMPORAL_CLI_PATH', '/not/there');
  expect(() => temporalCli()).toThrow('/not/there is not an executable file. Run: npm run setup');
});

test('nothing the shell says of another Temporal reaches a process that is to use this one', () => {
  vi.stubEnv('TEMPORAL_API_KEY', 'of a production namespace');
  vi.stubEnv('TEMPORAL_PROFILE', 'production');

  expect(environmentFor({ address: '127.0.0.1:1', namespace: 'default' })).toMatchObject({
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_API_KEY: undefined,
    TEMPORAL_PROFILE: undefined,
  });
});
