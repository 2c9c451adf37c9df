import { join } from 'node:path';
import { projectRoot } from '../../scripts/project-root.js';
import { environmentFor } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { billRuns, timed, timedProcess, withWorkers, type Parts } from '../parts.js';
import { rounded, spreadOf } from '../statistics.js';

/** `start`: from the start of a worker process to its first poll, in milliseconds, with the bundle of the build. */
export async function start(parts: Parts) {
  const processes = parts.quick ? 2 : 15;
  const { temporal, simulatorUrl } = parts;
  const ms: number[] = [];
  for (let nth = -1; nth < processes; nth++) {
    const took = await timed(async () => {
      const worker = await startWorker({ temporal, simulatorUrl, logLevel: 'warn' });
      parts.onStop(() => worker.stop(0));
    });
    if (nth >= 0) ms.push(took);
  }
  return { ms: spreadOf(ms), processes };
}

/** `cli`: what two commands take, over what they cannot take less than, in milliseconds. */
export function cli(parts: Parts) {
  const runs = parts.quick ? 2 : 25;
  const main = join(projectRoot, 'dist', 'client', 'cli.js');
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
