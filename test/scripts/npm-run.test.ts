/** Processes as `npm run` starts them: a service manager knows the id of npm only, and signals that. */
import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { startChild } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { isRunning } from './running.js';

const ZUORA = { ZUORA_BASE_URL: 'http://127.0.0.1:9', ZUORA_CLIENT_ID: 'id', ZUORA_CLIENT_SECRET: 'secret' };
const CALLOUTS = {
  ...{ CALLOUT_ADDRESS: '127.0.0.1:0', CALLOUT_USERNAME: 'zuora' },
  CALLOUT_PASSWORD: 'a-password-of-the-callouts',
};

test.each([
  ['worker', [], 'worker is ready', 'worker has drained'],
  ['callouts', [], 'callout service is ready', 'callout service has stopped'],
  ['simulator', ['--', '--port', '0'], 'Zuora simulator: ', undefined],
] as const)('one SIGTERM to npm ends npm run %s, which finishes its work first', async (script, args, ready, last) => {
  const npm = await startChild({
    ...{ name: `npm run ${script}`, command: 'npm', args: ['run', '--silent', script, ...args], cwd: projectRoot },
    env: {
      ...{ TEMPORAL_ADDRESS: inject('temporalAddress'), BILL_RUN_TASK_QUEUE: `npm-${randomUUID()}` },
      ...ZUORA,
      ...CALLOUTS,
    },
  });
  const lines: string[] = [];
  const pidIn = (line = ''): number => Number(/"pid":(\d+)/.exec(line)?.[1] ?? 0);
  // Without a shell in between, nobody else ends it.
  onTestFinished(() => {
    const pid = pidIn(lines[0]);
    if (pid !== 0 && isRunning(pid)) process.kill(pid, 'SIGKILL');
  });
  await new Promise<void>((resolve, reject) => {
    npm.onLine((line) => {
      lines.push(line);
      if (line.includes(ready)) resolve();
    });
    void npm.ended.then(() => {
      reject(new Error(npm.lastLines.join('\n')));
    });
  });
  // All that could write to its output have ended by then.
  expect(await npm.stop(60_000)).toEqual({ code: 0, signal: null });
  if (last === undefined) return;
  expect(lines.filter((line) => line.includes(last))).toHaveLength(1);
  expect(isRunning(pidIn(lines[0]))).toBe(false);
});
