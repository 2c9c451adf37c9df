/** Waits for many bill runs: one list says where something has changed, and `describe` of those jobs decides. */
import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPE } from '../workflows/contract/contract.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { failureIn } from './failures/errors.js';
import { isAway } from './failures/temporal.js';
import { emailReasonIn, emailStateIn, type LastJob } from './last-job.js';
import { AT_ONCE, tryEach, type Tried } from './many.js';
import {
  pause,
  questions,
  Watch,
  withDefaults,
  type Asked,
  type Jobs,
  type Settled,
  type SettleOptions,
} from './settled.js';
import { listed, type KnownWorkflow } from './temporal/jobs.js';

/** One of many that has settled, or why it is not known whether it has. */
export type SettledOne<R> = { readonly request: R } & Tried<Settled>;

/** A list, and the next looks, come once in that time. By default Temporal allows ten lists a second in a namespace. */
const ROUND_MS = 1_000;
/** How many jobs each round looks at whatever the list shows, in turn: a list can lack some. */
const IN_TURN = AT_ONCE;
/** Temporal's limit for a page, and so for one call. */
const LISTED_AT_ONCE = 1_000;
/** How far a list looks back: visibility lags behind, and clocks differ. */
const LOOK_BACK_MS = 60_000;

/** Answers as each settles. One that fails does not stop the others. */
export async function* settledMany<R extends Asked>(
  jobs: Jobs<R>,
  requests: Iterable<R>,
  changes: () => Promise<readonly KnownWorkflow[]>,
  options: SettleOptions,
): AsyncGenerator<SettledOne<R>, void, undefined> {
  const { until, longestMs } = withDefaults(options);
  const end = performance.now() + longestMs;
  const ask = questions(jobs);
  // The one that was looked at longest ago is first.
  const watches = new Set([...requests].map((request) => new Watch(jobs, request, until, ask)));
  const settling = async function* (due: Iterable<Watch<R>>) {
    for await (const { item: watch, tried } of tryEach(due, lookAt<R>)) {
      watches.delete(watch);
      const found = tried.ok ? tried.value : undefined;
      if (found === undefined) watches.add(watch);
      else yield { request: watch.request, ...found };
    }
  };
  for (let due: Iterable<Watch<R>> = [...watches]; ; due = await dueIn(watches, changes)) {
    const next = performance.now() + ROUND_MS;
    yield* settling(due);
    if (watches.size === 0) return;
    if (performance.now() >= end) break;
    await pause(Math.max(0, Math.min(next, end) - performance.now()));
  }
  for await (const { item, tried } of tryEach(watches, (watch) => watch.overdue())) {
    yield { request: item.request, ...tried };
  }
}

/** Throws only if Temporal is away: then the rest of a round is not tried. */
async function lookAt<R extends Asked>(watch: Watch<R>): Promise<Tried<Settled> | undefined> {
  try {
    const value = await watch.look();
    return value === undefined ? undefined : { ok: true, value };
  } catch (error) {
    if (isAway(error)) throw error;
    return { ok: false, error: failureIn(error) };
  }
}

async function dueIn<R extends Asked>(
  watches: ReadonlySet<Watch<R>>,
  changes: () => Promise<readonly KnownWorkflow[]>,
): Promise<Iterable<Watch<R>>> {
  const inTurn = [...watches].slice(0, IN_TURN);
  if (watches.size <= IN_TURN) return inTurn;
  // The list only says where to look. It has the newest job of an id first.
  const listedJobs = await changes().catch(() => []);
  const changed = new Map(listedJobs.toReversed().map((job) => [job.workflowId, job]));
  const isChanged = ({ last }: Watch<R>): boolean => {
    const job = last === undefined ? undefined : changed.get(last.workflowId);
    return job !== undefined && last !== undefined && !isSame(job, last);
  };
  return new Set([...inTurn, ...[...watches].filter(isChanged)]);
}

function isSame(job: KnownWorkflow, last: LastJob): boolean {
  return (
    job.runId === last.runId &&
    job.status === last.status &&
    emailStateIn(job) === last.state &&
    emailReasonIn(job) === last.reason &&
    (job.attributes.get(searchAttributes.emailSends) ?? 0) === last.sends &&
    (job.attributes.get(searchAttributes.documentsNotSent) ?? null) === last.documentsNotSent
  );
}

/** Jobs that may have settled a moment ago; each call continues where the last one ended. */
export function changesIn(client: Client, call: <T>(ask: () => Promise<T>) => Promise<T>) {
  const begin = (since: number) => ({ began: Date.now(), jobs: listed(client, queryOf(since - LOOK_BACK_MS)) });
  let since = Date.now();
  let listing: ReturnType<typeof begin> | undefined;
  return async (): Promise<readonly KnownWorkflow[]> => {
    const { began, jobs } = listing ?? begin(since);
    // After a failure it begins anew.
    listing = undefined;
    const changed: KnownWorkflow[] = [];
    while (changed.length < LISTED_AT_ONCE) {
      const { value, done } = await call(() => jobs.next());
      if (done === true) {
        since = began;
        return changed;
      }
      changed.push(value);
    }
    listing = { began, jobs };
    return changed;
  };
}

/** In a state that goes on by itself, only a close is of interest. */
function queryOf(since: number): string {
  const { emailState, emailStateSince } = searchAttributes;
  const time = `'${new Date(since).toISOString()}'`;
  return [
    `WorkflowType = '${WORKFLOW_TYPE}'`,
    "ExecutionStatus != 'ContinuedAsNew'",
    `((${emailState.name} NOT IN ('Waiting', 'Sending') AND ${emailStateSince.name} >= ${time}) OR CloseTime >= ${time})`,
  ].join(' AND ');
}
