import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linkToJob, untilJob } from '../../scripts/jobs.js';
import { projectRoot } from '../../scripts/project-root.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { freePort } from '../../scripts/temporal-server.js';
import { inShell } from './in-shell.js';
import { emailsIn, newFolder, startDev, startScript, untilDevIsUp, type Dev } from './script-process.js';

interface Tried {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function tryScene({ folder }: Pick<Dev, 'folder'>, ...args: string[]): Promise<Tried> {
  const script = startScript('try', { folder, args });
  return { code: await script.ended, stdout: script.stdout(), stderr: script.stderr() };
}

test('each scene reaches its state, and the command that it prints leads on from there', async () => {
  const dev = await startDev();
  await untilDevIsUp(dev);
  const emails = await emailsIn(dev);
  const scenes = [
    ['lost-answer', { state: 'Sending', sends: 0 }],
    ['refused', { state: 'NeedsAttention', reason: 'refused' }],
    ['half-sent', { state: 'Delivering', reason: 'notSent', documents: { total: 4, sent: 2, notSent: 2 } }],
    ['held', { state: 'Held', reason: 'job', billRunStatus: 'Posted' }],
    ['waiting', { state: 'Waiting', reason: 'notPosted', billRunStatus: 'Completed' }],
  ] as const;
  const numbers: string[] = [];
  for (const [index, [scene, status]] of scenes.entries()) {
    const { code, stdout, stderr } = await tryScene(dev, scene);
    expect({ code, stderr }, scene).toEqual({ code: 0, stderr: '' });
    const number = `BR-0000000${index + 1}`;
    numbers.push(number);
    expect(stdout.startsWith(`${number} is `), scene).toBe(true);
    expect(stdout, scene).toContain(`  ${status.state}`);
    expect(stdout, scene).toContain(linkToJob(`http://127.0.0.1:${dev.ports.ui}`, number));
    expect(await emails.status({ billRunKey: number }), scene).toMatchObject(status);
    const command = stdout.trimEnd().split('\n').at(-1) ?? '';
    expect(command.length).toBeLessThanOrEqual(100);
    await inShell(command, projectRoot);
  }
  const control = controlOf(`http://127.0.0.1:${dev.ports.simulator}`);
  for (const number of numbers) {
    await untilJob(emails, number, ({ state }) => state === 'Emailed');
    const mailbox = await control<{ documentNumber: string }[]>('GET', `/mailbox?billRun=${number}`);
    expect(mailbox, number).toHaveLength(4);
    expect(new Set(mailbox.map(({ documentNumber }) => documentNumber)).size, number).toBe(4);
  }
});

test('with --db, the jobs of an earlier day stay, and a scene takes a number that none of them has', async () => {
  const folder = newFolder();
  for (const number of ['BR-00000001', 'BR-00000002']) {
    const dev = await startDev({ folder, args: ['--db', 'jobs.db'] });
    await untilDevIsUp(dev);
    const { stdout } = await tryScene(dev, 'waiting');
    expect(stdout).toContain(`${number} is not posted yet`);
    dev.process.kill('SIGINT');
    expect(await dev.ended).toBe(0);
  }
});

test('without a running dev, or after one that was killed, one sentence says what to do', async () => {
  const folder = newFolder();
  const sentence = 'Error: npm run dev is not running. Run it first, in another terminal.\n';
  expect(await tryScene({ folder }, 'refused')).toEqual({ code: 1, stdout: '', stderr: sentence });

  mkdirSync(join(folder, '.dev'));
  const gone = {
    temporalAddress: `127.0.0.1:${await freePort()}`,
    simulatorUrl: `http://127.0.0.1:${await freePort()}`,
  };
  writeFileSync(join(folder, '.dev', 'dev.json'), JSON.stringify(gone));
  expect(await tryScene({ folder }, 'refused')).toEqual({ code: 1, stdout: '', stderr: sentence });
});

test.each([
  [[], 'a scene is missing'],
  [['nothing'], 'there is no scene "nothing"'],
])('try %s is a usage error that lists the scenes', async (args, fault) => {
  const { code, stderr } = await tryScene({ folder: newFolder() }, ...args);
  expect(code).toBe(2);
  expect(stderr).toBe(`Error: ${fault}; the scenes are refused, lost-answer, half-sent, held, waiting\n`);
});
