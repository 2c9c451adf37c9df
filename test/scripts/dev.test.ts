import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { assertPortIsFree, freePort } from '../../scripts/temporal-server.js';
import { isRunning } from './running.js';
import { takenPort } from './taken-port.js';

interface Dev {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly folder: string;
  readonly ports: { readonly temporal: number; readonly ui: number; readonly simulator: number };
  /** All it has written so far, to stdout and stderr. */
  output(): string;
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
}

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
  'dev says where each part is and what to try next; ended by %s, it leaves nothing running',
  async (signal) => {
    const dev = await startDev();
    const { temporal, ui, simulator } = dev.ports;
    await untilItIsUp(dev);
    expect(dev.output().trimEnd().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^Temporal +127\\.0\\.0\\.1:${temporal} `)),
      expect.stringMatching(new RegExp(`^Temporal UI +http://127\\.0\\.0\\.1:${ui}$`)),
      expect.stringMatching(new RegExp(`^Simulator +http://127\\.0\\.0\\.1:${simulator} `)),
      expect.stringMatching(/^Zuora +export ZUORA_BASE_URL=http\S+ ZUORA_CLIENT_ID=\S+ ZUORA_CLIENT_SECRET=\S+$/),
      expect.stringMatching(/^Worker +task queue bill-run-emails /),
      expect.stringMatching(
        new RegExp(`^Try +curl .*TEMPORAL_ADDRESS=127\\.0\\.0\\.1:${temporal} npm run --silent cli -- start`),
      ),
    ]);
    expect(existsSync(join(dev.folder, '.dev', 'temporal.db'))).toBe(true);
    const worker = Number(/process (\d+)/.exec(dev.output())?.[1]);
    expect(isRunning(worker)).toBe(true);

    dev.process.kill(signal);

    expect(await dev.ended).toBe(signal === 'SIGKILL' ? null : 0);
    await vi.waitUntil(() => !isRunning(worker), 10_000);
    for (const port of Object.values(dev.ports)) await untilFree(port);
  },
);

test('dev ends when the npm that ran it is ended, which passes no signal on', async () => {
  // As npm does it: a shell between the two.
  const dev = await startDev({}, { command: '/bin/sh', before: ['-c', '"$@"; true', 'sh', process.execPath] });
  await untilItIsUp(dev);

  dev.process.kill('SIGKILL');

  await dev.ended;
  for (const port of Object.values(dev.ports)) await untilFree(port);
});

test('dev names all ports that are in use in one line, and how to choose others', async () => {
  const port = await takenPort();

  const dev = await startDev({ temporal: port, simulator: port });

  expect(await dev.ended).toBe(1);
  expect(dev.output()).toBe(
    `In use: port ${port} (choose another with --temporal-port), port ${port} (choose another with --simulator-port).\n`,
  );
});

test('dev refuses a port that is not a number from 1 to 65535', async () => {
  const dev = await startDev({ ui: 70_000 });

  expect(await dev.ended).toBe(1);
  expect(dev.output()).toContain('A port is a number from 1 to 65535.');
});

async function startDev(
  chosen: Partial<Dev['ports']> = {},
  { command = process.execPath, before = [] }: { command?: string; before?: readonly string[] } = {},
): Promise<Dev> {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-dev-'));
  const ports = { temporal: await freePort(), ui: await freePort(), simulator: await freePort(), ...chosen };
  const flags = ['--temporal-port', ports.temporal, '--ui-port', ports.ui, '--simulator-port', ports.simulator];
  const dev = spawn(command, [...before, join(projectRoot, 'dist', 'scripts', 'dev.js'), ...flags.map(String)], {
    cwd: folder,
    env: { ...process.env, npm_lifecycle_event: 'dev' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [dev.stdout, dev.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(dev, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    dev.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return { process: dev, folder, ports, output: () => output, ended };
}

async function untilItIsUp(dev: Dev): Promise<void> {
  await vi.waitFor(() => {
    if (dev.process.exitCode !== null) throw new Error(`dev ended: ${dev.output()}`);
    expect(dev.output()).toContain('\nTry ');
  }, 60_000);
}

async function untilFree(port: number): Promise<void> {
  await vi.waitFor(async () => {
    await assertPortIsFree(port);
  }, 10_000);
}
