/**
 * Loaded into a worker before its main file, by `node --expose-gc --import report.js?everyMs=…`: each of its threads says on
 * stdout, as one JSON line, what it still holds after a garbage collection. Workflow code runs in a thread of its own.
 */
import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

export interface ThreadReport {
  readonly soak: 'main thread' | 'workflow thread';
  /** Of the whole process. This and the next two are bytes. */
  readonly rss: number;
  readonly heap: number;
  /** Outside of the heap. */
  readonly buffers: number;
  /** Of what would keep the thread alive: sockets, timers, requests and so on, how many there are. */
  readonly handles: Readonly<Record<string, number>>;
}

const everyMs = Number(new URL(import.meta.url).searchParams.get('everyMs'));

setInterval(() => {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  const thread = isMainThread ? 'main thread' : 'workflow thread';
  const report: ThreadReport = { soak: thread, rss, heap: heapUsed, buffers: external, handles };
  writeSync(1, `${JSON.stringify(report)}\n`);
}, everyMs).unref();
