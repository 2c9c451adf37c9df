/** Temporal as far as the audit needs it: event histories, recorded or made up, and the list of runs that have them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { defaultDataConverter } from '@temporalio/common';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import type { RunHistory } from '../../client/history/history.js';

/** One run, and the search attributes that it is found by. */
export interface KnownRun extends RunHistory {
  readonly attributes?: Readonly<Record<string, string>>;
  /** Visibility lags behind. */
  readonly unlisted?: boolean;
}

type Json = Readonly<Record<string, unknown>>;
interface Started {
  readonly workflowExecutionStartedEventAttributes: { readonly workflowId: string };
}

const folder = join(import.meta.dirname, '..', 'histories', '0.1.0');

/** A run that was recorded for replay, by the name of its kind of life. */
export function recorded(name: string, runId = name): KnownRun {
  const history = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as {
    readonly events: readonly Started[];
  };
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes.workflowId ?? '';
  return { workflowId, runId, events: historyFromJSON(history).events ?? [] };
}

/** A run of these events, a second apart from `at` on, each with the attributes that its type has in JSON. */
export function made(
  events: readonly Json[],
  { workflowId = 'email-bill-run/BR-1', runId = 'run-1', at = 0 } = {},
): KnownRun {
  const dated = events.map((event, index) => ({
    eventId: String(index + 1),
    eventTime: new Date(at + index * 1000).toISOString(),
    ...event,
  }));
  return { workflowId, runId, events: historyFromJSON(JSON.parse(JSON.stringify({ events: dated }))).events ?? [] };
}

/** Arguments, or a result; nothing for undefined. */
export function payloads(value: unknown): Json {
  return { payloads: value === undefined ? [] : [payload(value)] };
}

export function payload(value: unknown): Json {
  return { metadata: { encoding: base64('json/plain') }, data: base64(JSON.stringify(value)) };
}

export const UNDECODABLE: Json = { payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64('{') }] };

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The newest run of an id comes last. Those whose histories Temporal deleted are not in it. */
export function temporalWith(...runs: readonly KnownRun[]): Client {
  const of = (workflowId: string): readonly KnownRun[] => runs.filter((run) => run.workflowId === workflowId);
  const workflow = {
    getHandle: (workflowId: string, runId = of(workflowId).at(-1)?.runId) => ({
      describe: () => Promise.resolve({ runId }),
      fetchHistory: () => Promise.resolve(of(workflowId).find((run) => run.runId === runId)),
    }),
    async *list({ query }: { readonly query: string }) {
      const conditions = query.split(' AND ').map((condition) => /^(\w+) = '([^']*)'$/.exec(condition));
      for (const { workflowId, runId, attributes, unlisted, events } of runs) {
        const known = new Map(Object.entries({ WorkflowId: workflowId, ...attributes }));
        if (unlisted || !conditions.every((each) => each !== null && known.get(each[1] ?? '') === each[2])) continue;
        await Promise.resolve();
        yield { workflowId, runId, startTime: new Date(Number(events[0]?.eventTime?.seconds) * 1000) };
      }
    },
  };
  // What else a client has, the audit does not use.
  return { workflow, options: { loadedDataConverter: defaultDataConverter } } as unknown as Client;
}
