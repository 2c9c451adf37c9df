import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { billRuns, jobs, withWorkers, type Parts } from '../parts.js';
import { rounded } from '../statistics.js';

const MINUTE_MS = 60_000;

interface Waiting {
  readonly billRuns: number;
  /** Resident memory of the worker process, in MB, at the end of the minute. */
  readonly memoryMb: number;
  /** Reads of Zuora in a minute. */
  readonly zuoraCallsPerMinute: number;
}

/** `waiting`: memory and reads of a worker with bill runs that have not posted yet, with default settings. */
export function waiting(parts: Parts) {
  const sizes = parts.quick ? [10, 50, 100] : [100, 1_000, 10_000];
  const countedMs = parts.quick ? 1_000 : MINUTE_MS;
  return withWorkers(parts, { floor: false }, async ({ pid }) => {
    const levels: Waiting[] = [];
    // Another figure may have left some.
    const before = await jobs(parts, 'waiting');
    for (const size of sizes) {
      const numbers = await billRuns(parts, size - (levels.at(-1)?.billRuns ?? 0), { invoices: 2, creditMemos: 1 });
      for await (const { ok } of parts.emails.startMany(numbers.map((billRunKey) => ({ billRunKey })))) {
        if (!ok) throw new Error('a bill run could not be started');
      }
      await until(async () => (await jobs(parts, 'waiting')) === before + size);
      const readBefore = await reads(parts);
      await delay(countedMs);
      const zuoraCallsPerMinute = rounded((((await reads(parts)) - readBefore) * MINUTE_MS) / countedMs);
      levels.push({ billRuns: size, memoryMb: memoryOf(pid), zuoraCallsPerMinute });
      parts.report(`  ${size} waiting: ${JSON.stringify(levels.at(-1))}`);
    }
    const [, few, many] = levels;
    return { levels, memoryRatio: rounded((many?.memoryMb ?? NaN) / (few?.memoryMb ?? NaN)), countedMs };
  });
}

async function reads({ control }: Parts): Promise<number> {
  return (await control<unknown[]>('GET', '/requests')).length;
}

/** Linux only. */
function memoryOf(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return rounded(Number(kilobytes) / 1024);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(200);
}
