/**
 * Loaded into a worker before its main file, by `node --expose-gc --import report.js?everyMs=…`. Each thread writes one JSON line
 * to stdout with its memory and handles after a garbage collection. Workflow code runs in its own thread.
 */
import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

export interface ThreadReport {
  readonly soak: 'main thread' | 'workflow thread';
  /** Bytes, of the whole process. */
  readonly rss: number;
  /** Bytes. */
  readonly heap: number;
  /** Bytes outside the heap. */
  readonly buffers: number;
  /** Numbers of resources that keep the thread alive (sockets, timers, requests), by kind. */
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
