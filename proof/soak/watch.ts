/** Samples memory and handles of a worker process, from outside by Linux's /proc and from inside by `report.ts`. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Child } from '../../scripts/processes.js';
import type { Measure } from './flatness.js';
import type { ThreadReport } from './report.js';

/** Some or all measures at one time (epoch, ms). */
export interface Sampled {
  readonly at: number;
  readonly measures: Readonly<Partial<Record<Measure, number>>>;
  /** Numbers of files or handles by kind, to see which of them grow. */
  readonly kinds: Readonly<Record<string, number>>;
}

const HAS_PROC = existsSync('/proc/self/fd');

/** Without /proc, only measures from inside are available. */
export const notMeasured: readonly Measure[] = HAS_PROC ? [] : ['open files', 'sockets', 'threads'];

/** Arguments of Node that load `report.ts` before a worker's main file. */
export function reporting(everyMs: number): readonly string[] {
  const report = new URL('report.js', import.meta.url);
  report.searchParams.set('everyMs', String(everyMs));
  return ['--expose-gc', '--import', report.href];
}

/** Samples until the process ends. */
export function watch(worker: Child, everyMs: number, note: (sampled: Sampled) => void): void {
  worker.onLine((line, source) => {
    if (source === 'stdout' && line.startsWith('{"soak"')) note(fromInside(JSON.parse(line) as ThreadReport));
  });
  if (!HAS_PROC) return;
  const timer = setInterval(() => {
    const sampled = fromOutside(worker.pid);
    if (sampled !== undefined) note(sampled);
  }, everyMs);
  void worker.ended.then(() => {
    clearInterval(timer);
  });
}

function fromInside({ soak: thread, rss, heap, buffers, handles }: ThreadReport): Sampled {
  const all = Object.values(handles).reduce((sum, count) => sum + count, 0);
  return {
    at: Date.now(),
    measures: {
      [`heap, ${thread}` as const]: heap,
      [`buffers, ${thread}` as const]: buffers,
      [`handles, ${thread}` as const]: all,
      ...(HAS_PROC || thread !== 'main thread' ? {} : { 'resident memory': rss }),
    },
    kinds: handles,
  };
}

/** Undefined if the process has just ended. */
function fromOutside(pid: number): Sampled | undefined {
  const files = unlessGone(() => readdirSync(`/proc/${pid}/fd`));
  const status = unlessGone(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (files === undefined || status === undefined) return undefined;
  const valueOf = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const kinds: Record<string, number> = {};
  for (const fd of files) {
    // Examples: `socket`, `pipe`, `anon_inode:[eventpoll]`.
    const link = unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const kind = link?.replace(/:\[\d+\]$/, '') ?? 'closed meanwhile';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return {
    at: Date.now(),
    measures: {
      'resident memory': valueOf('VmRSS') * 1_024,
      threads: valueOf('Threads'),
      'open files': files.length,
      sockets: kinds['socket'] ?? 0,
    },
    kinds,
  };
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}
