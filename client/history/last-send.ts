import type { Client } from '@temporalio/client';
import type { EarlierCheck } from '../../workflows/contract/activities.js';
import { memoryOfSend } from '../../workflows/rules/following.js';
import { takeUp } from '../../workflows/rules/send.js';
import { hasUnknown } from '../../workflows/rules/verdict.js';
import { lastOf } from '../temporal/jobs.js';
import { attemptsAndCheck } from './earlier-checks.js';
import type { HistoricAttempt } from './attempts.js';
import { historiesOf, noDeadline, runsWith, type Run } from './history.js';

export interface AcceptedSend {
  readonly resend: boolean;
  /** The first attempt under the key that Zuora accepted (epoch, ms). */
  readonly since: number;
  /** What the last check of its documents remembered; null without one. */
  readonly memory: EarlierCheck['memory'] | null;
}

export interface LastAccepted {
  readonly send: AcceptedSend | null;
  /** Zuora may have accepted another send. */
  readonly mayHaveSent: boolean;
  /** The runs whose history cannot be read. */
  readonly unreadable: readonly string[];
}

/**
 * The last send that Zuora accepted of all jobs of a workflow id, from event histories: it needs no worker.
 *
 * @param call makes one call to Temporal, with a deadline
 */
export async function lastAccepted(client: Client, workflowId: string, call = noDeadline): Promise<LastAccepted> {
  const newest = await call(() => lastOf(client, workflowId));
  if (newest === undefined) return { send: null, mayHaveSent: false, unreadable: [] };
  const unreadable = new Set<string>();
  const skip = ({ runId }: Run): void => void unreadable.add(runId);
  const histories = historiesOf(client, await runsWith(client, newest, call), skip, call);
  const { byIntent, check } = await attemptsAndCheck(histories, client.options.loadedDataConverter, skip);
  const sends = [...byIntent.values()].map(sendIn);
  const accepted = sends
    .flatMap(({ accepted }) => accepted ?? [])
    .sort((one, other) => one.acceptedAt - other.acceptedAt)
    .at(-1);
  return {
    send: accepted === undefined ? null : sendOf(accepted, check),
    mayHaveSent: unreadable.size > 0 || sends.some(({ isUnknown }) => isUnknown),
    unreadable: [...unreadable],
  };
}

function sendOf({ resend, since, begun }: Accepted, check: EarlierCheck | undefined): AcceptedSend {
  return { resend, since, memory: memoryOfSend(check, begun) };
}

type Accepted = NonNullable<ReturnType<typeof sendIn>['accepted']>;

function sendIn(historic: readonly HistoricAttempt[]) {
  const send = takeUp(
    1,
    [],
    historic.map(({ resend, served, copiedTo, ...attempt }) => attempt),
  );
  const last = historic[send.attempts.findLastIndex(({ verdict }) => verdict === 'accepted')];
  const first = historic.find(({ idempotencyKey }) => idempotencyKey === last?.idempotencyKey);
  const accepted =
    last === undefined || first === undefined
      ? undefined
      : { resend: last.resend, since: first.startedAt, begun: begunAt(first), acceptedAt: last.startedAt };
  return { accepted, isUnknown: hasUnknown(send) };
}

/** By the worker's clock, as the job follows the documents; without a receipt, by the server's (epoch, ms). */
function begunAt({ startedAt, result }: HistoricAttempt): number {
  return 'called' in result ? Date.parse(result.startedAt) : startedAt;
}
