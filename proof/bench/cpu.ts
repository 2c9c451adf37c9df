/** The CPU time that each part of a measurement used, by Linux' /proc. On other systems nothing is known. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { percentile } from './statistics.js';

/** By part, in milliseconds. */
export type CpuTimes = ReadonlyMap<string, number>;

const PARTS: readonly (readonly [string, RegExp])[] = [
  ['PostgreSQL', /postgres/],
  ["Temporal's frontend", /start --service frontend/],
  ["Temporal's history", /start --service history/],
  ["Temporal's matching", /start --service matching/],
  ['Temporal', /start --service worker|server start-dev/],
  ['worker', /worker\/main\.js|floor\/worker\.js/],
  ['driver', /bench\/main\.js/],
  ['simulator', /simulator\/main\.js/],
];
/** Linux counts in hundredths of a second. */
const TICK_MS = 10;
/** Of what follows the name of the program in /proc/<pid>/stat: utime and stime. */
const [UTIME, STIME] = [11, 12];

/** Of all processes of the machine, so that a part is found however it was started. */
export function cpuTimes(): CpuTimes {
  const times = new Map<string, number>();
  if (!existsSync('/proc/self/stat')) return times;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const process = read(pid);
    const [part] = PARTS.find(([, command]) => process !== undefined && command.test(process.command)) ?? [];
    if (process !== undefined && part !== undefined) times.set(part, (times.get(part) ?? 0) + process.ms);
  }
  return times;
}

/** Undefined if it has ended meanwhile. */
function read(pid: string): { readonly command: string; readonly ms: number } | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { command, ms: (Number(fields[UTIME]) + Number(fields[STIME])) * TICK_MS };
  } catch {
    return undefined;
  }
}

export interface CpuRound {
  readonly before: CpuTimes;
  readonly after: CpuTimes;
  readonly billRuns: number;
}

/** CPU time for each bill run, in milliseconds: the median of the rounds. */
export function spent(rounds: readonly CpuRound[]): Readonly<Record<string, number>> {
  const medianOf = (parts: readonly string[]): number =>
    percentile(
      rounds.map(({ before, after, billRuns }) => {
        const ms = parts.map((part) => (after.get(part) ?? 0) - (before.get(part) ?? 0));
        return ms.reduce((sum, each) => sum + each, 0) / billRuns;
      }),
      50,
    );
  const names = PARTS.map(([part]) => part).filter((part) => rounds.some(({ after }) => after.has(part)));
  return Object.fromEntries([
    ...names.map((part) => [part, medianOf([part])] as const),
    ['all', medianOf(names)] as const,
  ]);
}
