/** What a worker process holds, sampled from outside by Linux's /proc, and from inside by `report.ts`. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Child } from '../../scripts/processes.js';
import type { Measure } from './flatness.js';
import type { ThreadReport } from './report.js';

/** What was measured at a moment (epoch, ms), all or some of it. */
export interface Sampled {
  readonly at: number;
  readonly measures: Readonly<Partial<Record<Measure, number>>>;
  /** How many there are of each kind of file or handle, to see which of them grow. */
  readonly kinds: Readonly<Record<string, number>>;
}

const HAS_PROC = existsSync('/proc/self/fd');

/** Elsewhere than on Linux, from inside only. */
export const notMeasured: readonly Measure[] = HAS_PROC ? [] : ['open files', 'sockets', 'threads'];

/** What Node is given before the main file of a worker that is to be watched. */
export function reporting(everyMs: number): readonly string[] {
  const report = new URL('report.js', import.meta.url);
  report.searchParams.set('everyMs', String(everyMs));
  return ['--expose-gc', '--import', report.href];
}

/** Until the process ends. */
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

/** Nothing where the process has just ended. */
function fromOutside(pid: number): Sampled | undefined {
  const files = unlessGone(() => readdirSync(`/proc/${pid}/fd`));
  const status = unlessGone(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (files === undefined || status === undefined) return undefined;
  const told = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const kinds: Record<string, number> = {};
  for (const fd of files) {
    // Such as `socket`, `pipe`, `anon_inode:[eventpoll]`.
    const link = unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const kind = link?.replace(/:\[\d+\]$/, '') ?? 'closed meanwhile';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return {
    at: Date.now(),
    measures: {
      'resident memory': told('VmRSS') * 1_024,
      threads: told('Threads'),
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
