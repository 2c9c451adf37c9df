import { expect, test, vi } from 'vitest';
import { untilJob } from '../../scripts/jobs.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { assertPortIsFree } from '../../scripts/temporal-server.js';
import { isRunning } from './running.js';
import { emailsIn, newFolder, startDev, untilDevIsUp } from './script-process.js';
import { takenPort } from './taken-port.js';

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
  'dev says where each part is and what to try next; ended by %s, it leaves nothing running',
  async (signal) => {
    const dev = await startDev();
    const { temporal, ui, simulator } = dev.ports;
    await untilDevIsUp(dev);
    const lines = dev.stdout().trimEnd().split('\n');
    const cli = `TEMPORAL_ADDRESS=127.0.0.1:${temporal} npm run --silent cli --`;
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^Temporal +127\\.0\\.0\\.1:${temporal} \\(in memory, `)),
      expect.stringMatching(new RegExp(`^Temporal UI +http://127\\.0\\.0\\.1:${ui}$`)),
      expect.stringMatching(new RegExp(`^Simulator +http://127\\.0\\.0\\.1:${simulator} `)),
      expect.stringMatching(/^Zuora +export ZUORA_BASE_URL=http\S+ ZUORA_CLIENT_ID=\S+ ZUORA_CLIENT_SECRET=\S+$/),
      expect.stringMatching(/^Worker +task queue bill-run-emails /),
      expect.stringMatching(/^Try +npm run try -- half-sent$/),
      `             ${cli} list`,
      `             ${cli} status BR-00000001`,
      expect.stringMatching(/^Scenes +refused, lost-answer, half-sent, held, waiting /),
    ]);
    expect(lines.slice(-4).filter((line) => line.length >= 100)).toEqual([]);
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

test('dev begins each day anew: Temporal forgets its jobs, as the simulator forgets its bill runs', async () => {
  const folder = newFolder();
  for (const day of ['first', 'second']) {
    const dev = await startDev({ folder });
    await untilDevIsUp(dev);
    const control = controlOf(`http://127.0.0.1:${dev.ports.simulator}`);
    await control('POST', '/bill-runs', { number: 'BR-00000001', status: 'Posted', invoices: 2, creditMemos: 0 });
    const emails = await emailsIn(dev);
    expect(await emails.start({ billRunKey: 'BR-00000001' }), day).toMatchObject({ result: 'started' });
    await untilJob(emails, 'BR-00000001', ({ state }) => state === 'Emailed');
    expect(await control('GET', '/mailbox'), day).toHaveLength(2);
    dev.process.kill('SIGINT');
    expect(await dev.ended).toBe(0);
  }
});

test('dev names all ports that are in use in one line, and how to choose others', async () => {
  const port = await takenPort();

  const dev = await startDev({ ports: { temporal: port, simulator: port } });

  expect(await dev.ended).toBe(1);
  expect(dev.stderr()).toBe(
    `Error: In use: port ${port} (choose another with --temporal-port), port ${port} (choose another with --simulator-port).\n`,
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
