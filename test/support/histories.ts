/** The part of Temporal that the audit uses: event histories, recorded or written by hand, and the list of Temporal runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { defaultDataConverter } from '@temporalio/common';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { msToTs } from '@temporalio/common/lib/time.js';
import type { RunHistory } from '../../client/history/history.js';
import { projectRoot } from '../../scripts/project-root.js';
import { version } from './version.js';

/** A Temporal run, and the search attributes by which it is found. */
export interface KnownRun extends RunHistory {
  readonly attributes?: Readonly<Record<string, string>>;
  /** Visibility does not list it yet. */
  readonly unlisted?: boolean;
  /** Temporal lists it, and cannot read its history. */
  readonly unreadable?: boolean;
  /** What Temporal describes besides. */
  readonly raw?: object;
}

type Json = Readonly<Record<string, unknown>>;
interface Started {
  readonly workflowExecutionStartedEventAttributes: { readonly workflowId: string };
}

/** Histories that the present version recorded: test/workflows/replay.test.ts. */
export const historiesFolder = join(projectRoot, 'test', 'histories', version);

/** A Temporal run that was recorded for replay. `name` is the name of its file. */
export function recorded(name: string, runId = name): KnownRun {
  const history = JSON.parse(readFileSync(join(historiesFolder, `${name}.json`), 'utf8')) as {
    readonly events: readonly Started[];
  };
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes.workflowId ?? '';
  return { workflowId, runId, events: historyFromJSON(history).events ?? [], neverBegun: [] };
}

/** A Temporal run of these events in JSON. The first is at `at` (epoch, ms), the others follow at intervals of a second. */
export function made(
  events: readonly Json[],
  { workflowId = 'email-bill-run/BR-1', runId = 'run-1', at = 0 } = {},
): KnownRun {
  const dated = events.map((event, index) => ({
    eventId: String(index + 1),
    eventTime: new Date(at + index * 1000).toISOString(),
    ...event,
  }));
  const { events: decoded } = historyFromJSON(JSON.parse(JSON.stringify({ events: dated })));
  return { workflowId, runId, events: decoded ?? [], neverBegun: [] };
}

/** Arguments or a result. Undefined gives no payload. */
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

interface HistoryRequest {
  readonly execution: { readonly workflowId: string; readonly runId: string };
  readonly nextPageToken?: Uint8Array;
}

/** @param runs without those whose history Temporal has deleted; the newest Temporal run of a workflow id comes last */
export function temporalWith(...runs: readonly KnownRun[]): Client {
  const of = (workflowId: string): readonly KnownRun[] => runs.filter((run) => run.workflowId === workflowId);
  const infoOf = ({ workflowId, runId, events }: KnownRun) => ({
    execution: { workflowId, runId },
    startTime: msToTs(Number(events[0]?.eventTime?.seconds ?? 0) * 1000),
  });
  const workflowService = {
    describeNamespace: () => Promise.resolve({ config: { workflowExecutionRetentionTtl: msToTs(90 * 86_400_000) } }),
    describeWorkflowExecution: ({ execution }: { readonly execution: { readonly workflowId: string } }) => {
      const last = of(execution.workflowId).at(-1);
      const info = last && { workflowExecutionInfo: infoOf(last), ...last.raw };
      return Promise.resolve({ pendingActivities: [], ...info });
    },
    listWorkflowExecutions({ query }: { readonly query: string }) {
      const conditions = query.split(' AND ').map((condition) => /^(\w+) = '([^']*)'$/.exec(condition));
      const executions = runs.filter(({ workflowId, attributes, unlisted }) => {
        const known = new Map(Object.entries({ WorkflowId: workflowId, ...attributes }));
        return !unlisted && conditions.every((each) => each !== null && known.get(each[1] ?? '') === each[2]);
      });
      return Promise.resolve({ executions: executions.map(infoOf), nextPageToken: new Uint8Array() });
    },
    /** In two pages. */
    getWorkflowExecutionHistory({ execution, nextPageToken }: HistoryRequest) {
      const found = of(execution.workflowId).find(({ runId }) => runId === execution.runId);
      if (found === undefined || found.unreadable === true)
        return Promise.reject(new Error('there is no such history'));
      const { events } = found;
      return Promise.resolve(
        nextPageToken === undefined
          ? { history: { events: events.slice(0, 1) }, nextPageToken: new Uint8Array(1) }
          : { history: { events: events.slice(1) }, nextPageToken: new Uint8Array() },
      );
    },
  };
  const options = { namespace: 'default', identity: 'auditor@host', loadedDataConverter: defaultDataConverter };
  // The audit uses nothing else of a client.
  return { workflowService, options } as unknown as Client;
}
