import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { isRunning } from './running.js';

test('the lines of a child reach listeners and a log, and its end is reported', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-child-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const logFile = join(folder, 'logs', 'child.log');
  const heard: string[] = [];

  const child = await startChild({
    name: 'a child',
    command: process.execPath,
    args: ['-e', 'console.log("to stdout"); setTimeout(() => { console.error("to stderr"); process.exit(3); }, 200)'],
    logFile,
  });
  child.onLine((line, source) => heard.push(`${source}: ${line}`));

  expect(await child.ended).toEqual({ code: 3, signal: null });
  expect(heard).toEqual(['stdout: to stdout', 'stderr: to stderr']);
  expect(child.lastLines).toEqual(['to stdout', 'to stderr']);
  expect(readFileSync(logFile, 'utf8')).toBe('to stdout\nto stderr\n');
});

test('a child is asked to end before it is made to', async () => {
  const polite = await startNode(
    'process.on("SIGTERM", () => process.exit(7)); console.log("ready"); setInterval(() => 0, 1000)',
  );
  const deaf = await startNode('process.on("SIGTERM", () => 0); console.log("ready"); setInterval(() => 0, 1000)');

  expect(await polite.stop()).toEqual({ code: 7, signal: null });
  expect(await deaf.stop(100)).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a child that has ended can be stopped without an error', async () => {
  const child = await startChild({ name: 'a child', command: process.execPath, args: ['-e', ''] });
  await child.ended;

  expect(await child.stop()).toEqual({ code: 0, signal: null });
});

test('a program that is not there is an error', async () => {
  await expect(startChild({ name: 'a child', command: '/not/there', args: [] })).rejects.toThrow('ENOENT');
});

test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
  'a child does not outlive a parent that ends by %s',
  async (signal) => {
    const parent = spawn(process.execPath, ['--input-type=module', '-e', parentOf('setInterval(() => 0, 1000)')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const child = Number(line);
    expect(isRunning(child)).toBe(true);

    parent.kill(signal);

    await vi.waitUntil(() => !isRunning(child), 10_000);
  },
);

async function startNode(script: string): ReturnType<typeof startChild> {
  const child = await startChild({ name: 'a child', command: process.execPath, args: ['-e', script] });
  await new Promise<void>((resolve) => {
    child.onLine((line) => {
      if (line === 'ready') resolve();
    });
  });
  return child;
}

/** A program that starts the child, prints its process id and waits. */
function parentOf(script: string): string {
  return `
    import { startChild } from ${JSON.stringify(join(projectRoot, 'dist', 'scripts', 'processes.js'))};
    const child = await startChild({ name: 'a child', command: process.execPath, args: ['-e', ${JSON.stringify(script)}] });
    console.log(child.pid);
    setInterval(() => undefined, 1000);`;
}
