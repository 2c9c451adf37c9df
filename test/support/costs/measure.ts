/** Setup file: notes the CPU time that a test file costs, for `report.ts`. */
import { readFileSync } from 'node:fs';
import { afterAll, type RunnerTestFile } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** CPU time of a test file in ms: of its own process, and of the processes that it started and that have ended. */
    cpuMs?: number;
  }
}

/** Test files share a process, so each starts where the last one ended. The first one pays for the start of the process. */
const process_ = globalThis as { measuredCpuMs?: number };

// Hooks of a setup file run after all hooks of the test file.
// eslint-disable-next-line no-empty-pattern -- vitest reads the names of fixtures from it
afterAll(({}, suite) => {
  const total = cpuMs();
  (suite as RunnerTestFile).meta.cpuMs = total - (process_.measuredCpuMs ?? 0);
  process_.measuredCpuMs = total;
});

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000 + childrenCpuMs();
}

/** On Linux: `cutime` and `cstime` of proc(5), in ticks of 10 ms. Elsewhere 0. */
function childrenCpuMs(): number {
  if (process.platform !== 'linux') return 0;
  const afterName = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1) ?? '';
  const fields = afterName.split(' ').map(Number);
  return ((fields[13] ?? 0) + (fields[14] ?? 0)) * 10;
}
