import { join } from 'node:path';
import { projectRoot } from '../../../scripts/project-root.js';
import type { Child } from '../../../scripts/processes.js';
import { environmentFor } from '../../../scripts/temporal-server.js';
import { startWorker } from '../../../scripts/worker-process.js';
import { billRuns, timed, timedProcess, withWorkers, type Parts } from '../parts.js';
import { rounded, spreadOf } from '../statistics.js';

/**
 * `start`: milliseconds from the start of a worker process to its first poll, with the bundle of the build. Ours, and one with only
 * what the SDK requires.
 */
export async function start({ temporal, simulatorUrl, quick }: Parts) {
  const processes = quick ? 2 : 15;
  const main = join(import.meta.dirname, '..', 'floor', 'bare-worker.js');
  const ms = { ours: [] as number[], bare: [] as number[] };
  for (let nth = -1; nth < processes; nth++) {
    for (const [name, more] of [
      ['ours', {}],
      ['bare', { main, taskQueue: 'bare' }],
    ] as const) {
      let worker: Child | undefined;
      const took = await timed(async () => {
        worker = await startWorker({ temporal, simulatorUrl, logLevel: 'warn', ...more });
      });
      await worker?.stop(0);
      if (nth >= 0) ms[name].push(took);
    }
  }
  return { ms: { ours: spreadOf(ms.ours), bare: spreadOf(ms.bare) }, processes };
}

/** `cli`: the time of two commands over the minimum for the same output, in milliseconds. */
export function cli(parts: Parts) {
  const runs = parts.quick ? 2 : 25;
  const main = join(projectRoot, 'dist', 'client', 'cli', 'main.js');
  const env = environmentFor(parts.temporal);
  return withWorkers(parts, { floor: false }, async () => {
    const [number = ''] = await billRuns(parts, 1, {});
    const { workflowId } = await parts.emails.start({ billRunKey: number });
    const bareStatus = join(import.meta.dirname, '..', 'bare-status.js');
    const compare = async (command: readonly string[], least: readonly string[]) => {
      const ms = { command: [] as number[], least: [] as number[] };
      for (let nth = -2; nth < runs; nth++) {
        const [own, other] = [await timedProcess(command, env), await timedProcess(least, env)];
        if (nth < 0) continue;
        ms.command.push(own);
        ms.least.push(other);
      }
      const spread = { command: spreadOf(ms.command), least: spreadOf(ms.least) };
      return { ratio: rounded(spread.command.median / spread.least.median), ms: spread };
    };
    return {
      help: await compare([main, '--help'], ['-e', '0']),
      status: await compare([main, 'status', number, '--json'], [bareStatus, workflowId]),
      runs,
    };
  });
}
