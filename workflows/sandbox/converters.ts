/**
 * What the SDK would stumble over, taken out of its way: anybody who may reach Temporal can start and signal a run, with any
 * bytes, and what throws before workflow code is asked fails the workflow task again and again, for ever. The bundle holds
 * this file as payload converter, failure converter and interceptors.
 */
import {
  DefaultFailureConverter,
  defaultPayloadConverter,
  type FailureConverter,
  type Payload,
  type PayloadConverter,
} from '@temporalio/common';
import type { ActivateInput, WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { billRunInLogs } from '../telemetry.js';
import { undecodableMark } from '../contract/undecodable.js';

type Job = NonNullable<ActivateInput['activation']['jobs']>[number];

/** The SDK's, except that a payload which cannot be decoded becomes a mark. The checks of inputs and messages know it. */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's interface has it
  fromPayload<T>(payload: Payload): T {
    try {
      const value = defaultPayloadConverter.fromPayload<T>(payload);
      return nestsWithin(DEEPEST, value) ? value : (undecodableMark('it is nested too deeply') as T);
    } catch (error) {
      return undecodableMark(error instanceof Error ? error.name : 'unknown reason') as T;
    }
  },
};

/** More than anything of ours. A memo of thousands of levels overflows the SDK's stack, and no task of the run ever ends. */
const DEEPEST = 50;

function nestsWithin(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true;
  return levels > 0 && Object.values(value).every((each) => nestsWithin(levels - 1, each));
}

export const failureConverter = tolerant(new DefaultFailureConverter());

/** A failure which lacks what its kind must have is one without a kind. A start may bring one. */
function tolerant(converter: FailureConverter): FailureConverter {
  return {
    errorToFailure: (...error) => converter.errorToFailure(...error),
    failureToError(failure, ...how) {
      try {
        return converter.failureToError(failure, ...how);
      } catch {
        return converter.failureToError({ message: 'a failure that cannot be read' }, ...how);
      }
    },
  };
}

export const interceptors: WorkflowInterceptorsFactory = () => ({
  internals: [
    {
      activate({ activation, ...rest }, next) {
        const jobs = activation.jobs ?? [];
        for (const job of jobs) limit(job);
        next({ activation: { ...activation, jobs: withSignalsTogether(jobs) }, ...rest });
      },
    },
  ],
  outbound: [billRunInLogs],
});

type Payloads = readonly Payload[] | null | undefined;

/** In bytes. The longest valid one, a start with every character of its texts escaped, takes 20 kB. */
export const LONGEST_ARGUMENT = 32 * 1024;

/** Keeps what is never read from being decoded: megabytes of nested lists take a second, and a task has five. */
function limit({
  initializeWorkflow: start,
  signalWorkflow: signal,
  doUpdate: update,
  queryWorkflow: query,
}: Job): void {
  // A run that continues as new gets what its predecessor knew, which may be long.
  if (start != null && !start.continuedFromExecutionRunId) start.arguments = shortArgument(start.arguments);
  if (update != null) update.input = shortArgument(update.input);
  if (query != null) query.arguments = [];
  if (signal != null) {
    signal.input = shortArgument(signal.input);
    signal.signalName = harmless(signal.signalName ?? '');
  }
}

function shortArgument(payloads: Payloads): Payload[] {
  return (payloads ?? []).slice(0, 1).map((payload) => {
    const isShort = (payload.data?.length ?? 0) <= LONGEST_ARGUMENT;
    return isShort ? payload : payloadConverter.toPayload(undecodableMark(`it has over ${LONGEST_ARGUMENT} bytes`));
  });
}

/** The SDK throws at a name of a signal that begins so; in quotes, it is one that nobody knows. */
function harmless(name: string): string {
  return name.startsWith('__temporal_') || name === SEVERAL_SIGNALS ? JSON.stringify(name) : name;
}

/** Names a signal that stands for several: its arguments are the name and the argument of each. */
export const SEVERAL_SIGNALS = '__severalSignals';

/** From here on, the SDK's work for each signal alone may end the worker: docs/decisions/0009. */
const MANY_SIGNALS = 500;
const TOGETHER = 100;

/** Many signals as a few, in the same order. */
function withSignalsTogether(jobs: readonly Job[]): Job[] {
  if (jobs.filter(({ signalWorkflow }) => signalWorkflow != null).length < MANY_SIGNALS) return [...jobs];
  const fewer: Job[] = [];
  for (const job of jobs) {
    const into = fewer.at(-1)?.signalWorkflow?.input;
    if (job.signalWorkflow == null) {
      fewer.push(job);
    } else if (into != null && into.length < 2 * TOGETHER) {
      into.push(...nameAndArgument(job.signalWorkflow));
    } else {
      // The job itself, because the SDK asks its class what kind it is.
      job.signalWorkflow = {
        ...job.signalWorkflow,
        signalName: SEVERAL_SIGNALS,
        input: nameAndArgument(job.signalWorkflow),
      };
      fewer.push(job);
    }
  }
  return fewer;
}

function nameAndArgument({ signalName, input }: NonNullable<Job['signalWorkflow']>): Payload[] {
  return [payloadConverter.toPayload(signalName), input?.[0] ?? payloadConverter.toPayload(undefined)];
}
