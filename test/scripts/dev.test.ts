import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { assertPortIsFree } from '../../scripts/temporal-server.js';
import { isRunning } from './running.js';
import { startDev, untilDevIsUp } from './script-process.js';
import { takenPort } from './taken-port.js';

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
  'dev says where each part is and what to try next; ended by %s, it leaves nothing running',
  async (signal) => {
    const dev = await startDev();
    const { temporal, ui, simulator } = dev.ports;
    await untilDevIsUp(dev);
    const lines = dev.stdout().trimEnd().split('\n');
    expect(lines).toEqual([
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
    const worker = Number(/process (\d+)/.exec(dev.stdout())?.[1]);
    expect(isRunning(worker)).toBe(true);

    dev.process.kill(signal);

    expect(await dev.ended).toBe(signal === 'SIGKILL' ? null : 0);
    await vi.waitUntil(() => !isRunning(worker), 10_000);
    for (const port of Object.values(dev.ports)) await untilFree(port);
  },
);

test('dev ends when the npm that ran it is ended, which passes no signal on', async () => {
  // As npm does it: a shell between the two.
  const dev = await startDev({ command: '/bin/sh', before: ['-c', '"$@"; true', 'sh', process.execPath] });
  await untilDevIsUp(dev);

  dev.process.kill('SIGKILL');

  await dev.ended;
  for (const port of Object.values(dev.ports)) await untilFree(port);
});

test('dev names all ports that are in use in one line, and how to choose others', async () => {
  const port = await takenPort();

  const dev = await startDev({ ports: { temporal: port, simulator: port } });

  expect(await dev.ended).toBe(1);
  expect(dev.stderr()).toBe(
    `In use: port ${port} (choose another with --temporal-port), port ${port} (choose another with --simulator-port).\n`,
  );
});

test('dev refuses a port that is not a number from 1 to 65535', async () => {
  const dev = await startDev({ ports: { ui: 70_000 } });

  expect(await dev.ended).toBe(1);
  expect(dev.stderr()).toContain('A port is a number from 1 to 65535.');
});

async function untilFree(port: number): Promise<void> {
  await vi.waitFor(async () => {
    await assertPortIsFree(port);
  }, 10_000);
}
