/**
 * What a run does with encrypted payloads that its worker cannot read. Those that anybody may send are ignored like all that
 * cannot be decoded; for what the run itself has brought about, the workflow task fails until a worker with the key takes it.
 * docs/decisions/0012.
 */
import type { Payload } from '@temporalio/common';
import { patched, type ActivateInput } from '@temporalio/workflow';
import { isEncrypted, isNotAuthentic, waitsForKey, whyUnreadable } from './encrypted.js';

export type Job = NonNullable<ActivateInput['activation']['jobs']>[number];
type Signal = NonNullable<Job['signalWorkflow']>;
type Start = NonNullable<Job['initializeWorkflow']>;
type ToMark = (why: string) => Payload;

/**
 * One for each run: it counts its signals.
 *
 * @param toMark makes what stands in the place of a payload that is ignored
 * @throws Error where the task has to wait for a worker with the key
 */
export function unreadablePayloads(toMark: ToMark): (jobs: readonly Job[], isReplaying: boolean) => void {
  let signals = 0;
  return (jobs, isReplaying) => {
    const first = signals + 1;
    const sent = jobs.flatMap(({ signalWorkflow }) => signalWorkflow ?? []);
    signals += sent.length;
    const unreadable = sent.map((signal) => !isReadable(signal));
    if (!isReplaying) for (const block of blocksIn(unreadable, first)) patched(block);
    for (const [at, signal] of sent.entries()) checkSignal(signal, first + at, isReplaying, toMark);
    for (const { initializeWorkflow: start, doUpdate: update, resolveActivity } of jobs) {
      if (start != null) checkStart(start, toMark);
      // One that was accepted before is part of the run's history.
      if (update != null && update.runValidator !== true) need(update.input);
      if (update != null) update.input = marked(update.input, toMark);
      if (resolveActivity != null) need(payloadsIn(resolveActivity));
    }
  };
}

function checkStart(start: Start, toMark: ToMark): void {
  const { continuedFromExecutionRunId: predecessor, arguments: args } = start;
  // A key that is there and does not fit is no reason to wait: nobody will ever read it.
  const needed = (args ?? []).filter((each) => Boolean(predecessor) || !isNotAuthentic(each));
  need(needed);
  start.arguments = marked(args, toMark);
}

/**
 * A signal that is ignored for want of a key leaves a marker in history. So it stays ignored when the run is replayed by a worker
 * that has the key; and one that was followed is never ignored by a worker that has lost the key.
 */
function checkSignal(signal: Signal, index: number, isReplaying: boolean, toMark: ToMark): void {
  if (!isReplaying) {
    signal.input = marked(signal.input?.slice(0, 1), toMark);
  } else if (SIZES.some((size) => patched(blockOf(index, size)))) {
    signal.input = isReadable(signal) ? [toMark('unreadable when it came')] : marked(signal.input?.slice(0, 1), toMark);
  } else {
    need(signal.input?.slice(0, 1));
  }
}

function isReadable({ input }: Signal): boolean {
  return input?.[0] == null || !isEncrypted(input[0]);
}

/** Markers stand for blocks of signals: ten thousand in one task would be too much. A run takes no more signals than that. */
const SIZES = Array.from({ length: 14 }, (_, power) => 2 ** power);

/** The block of a size in which a signal is. */
function blockOf(index: number, size: number): string {
  return `unreadable-signals-${index - (index % size)}-${size}`;
}

/** The largest blocks that hold nothing but unreadable signals. */
function* blocksIn(unreadable: readonly boolean[], first: number): Generator<string> {
  for (let at = 0; at < unreadable.length;) {
    const fits = (size: number): boolean =>
      (first + at) % size === 0 && at + size <= unreadable.length && unreadable.slice(at, at + size).every(Boolean);
    const size = SIZES.findLast(fits);
    if (size !== undefined) yield blockOf(first + at, size);
    at += size ?? 1;
  }
}

function marked(payloads: readonly Payload[] | null | undefined, toMark: ToMark): Payload[] {
  return (payloads ?? []).map((payload) => (isEncrypted(payload) ? toMark(whyUnreadable(payload)) : payload));
}

function need(payloads: readonly Payload[] | null | undefined): void {
  const unreadable = payloads?.find(isEncrypted);
  if (unreadable !== undefined) throw new Error(waitsForKey(unreadable));
}

/** All payloads of a message of Temporal's, however deep: a failure has causes, and each of them details. */
function payloadsIn(message: unknown): Payload[] {
  if (typeof message !== 'object' || message === null || ArrayBuffer.isView(message)) return [];
  if ('metadata' in message && 'data' in message) return [message as Payload];
  return Object.values(message).flatMap(payloadsIn);
}
