import type { Client } from '@temporalio/client';
import type { Earlier, EarlierSend, LookUpInput } from '../../workflows/contract/activities.js';
import { isFirstIntent } from '../../workflows/rules/keys.js';
import { RESENDS_KEPT } from '../../workflows/rules/job.js';
import { takeUp } from '../../workflows/rules/send.js';
import { attemptsByIntent, type HistoricAttempt } from './attempts.js';
import { historiesOf, runIdsOf, type Run } from './history.js';

/**
 * What all jobs of a workflow id did: read from event history, so it needs no worker, and knows of runs that were terminated or reset as
 * well.
 *
 * @throws Error while visibility does not list the asking run: then one that closed just before it may be missing as well
 */
export async function earlierSends(
  client: Client,
  { workflowId, runId: own }: { readonly workflowId: string; readonly runId: string },
  { requestIds, first, earlierRun }: LookUpInput,
): Promise<Earlier> {
  const listed = await runIdsOf(client, workflowId);
  if (listed !== undefined && earlierRun === undefined && !listed.includes(own)) {
    throw new Error(`Temporal does not list run ${own} yet`);
  }
  const others = [
    ...(listed ?? []).filter((runId) => runId !== own),
    ...(earlierRun === undefined ? [] : [earlierRun]),
  ];
  const runs = [...new Set([...others, own])].map((runId) => ({ workflowId, runId }));
  const unreadable: string[] = [];
  const skip = ({ runId }: Run): void => void unreadable.push(runId);
  const byIntent = await attemptsByIntent(historiesOf(client, runs, skip), client.options.loadedDataConverter, skip);
  return { ...earlierIn(byIntent, own, { requestIds, first }), unreadable };
}

/** @param byIntent the attempts of all runs, the asking one's included */
export function earlierIn(
  byIntent: ReadonlyMap<string, readonly HistoricAttempt[]>,
  own: string,
  { requestIds, first }: Pick<LookUpInput, 'requestIds' | 'first'>,
): Omit<Earlier, 'unreadable'> {
  const sends = [...byIntent].map(([intent, attempts]) => sendOf(intent, attempts));
  const accepted = sends.filter(({ isAccepted }) => isAccepted);
  const elsewhere = accepted.filter(({ runs: madeBy }) => !madeBy.has(own));
  const serving = first ? servingFirst(sends, accepted) : undefined;
  return {
    sends: sends
      .map((send): EarlierSend => ({
        requestIds: requestIds.filter((requestId) => send.served.has(requestId)),
        first: send === serving,
        attempts: send.attempts,
      }))
      .filter((send) => send.first || send.requestIds.length > 0),
    accepted: elsewhere.length,
    resends: elsewhere.flatMap(({ served }) => [...served]).slice(-RESENDS_KEPT),
  };
}

/** The send that serves a first send: it emailed the documents, or it is a first send that did not. */
function servingFirst(sends: readonly PastSend[], accepted: readonly PastSend[]): PastSend | undefined {
  const isFirst = ({ intent }: PastSend): boolean => isFirstIntent(intent);
  return accepted.find(isFirst) ?? accepted.at(-1) ?? sends.find(isFirst);
}

type PastSend = ReturnType<typeof sendOf>;

function sendOf(intent: string, historic: readonly HistoricAttempt[]) {
  const attempts = historic.map(({ resend, served, copiedTo, ...attempt }) => attempt);
  return {
    intent,
    attempts,
    runs: new Set(historic.flatMap(({ runId, copiedTo }) => [runId, ...copiedTo])),
    served: new Set(historic.flatMap(({ served }) => served)),
    isAccepted: takeUp(1, [], attempts).outcome === 'accepted',
  };
}
