import type { Client } from '@temporalio/client';
import type { Earlier, EarlierSend, LookUpInput } from '../../workflows/contract/activities.js';
import { isFirstIntent } from '../../workflows/rules/keys.js';
import { RESENDS_KEPT } from '../../workflows/rules/job.js';
import { takeUp } from '../../workflows/rules/send.js';
import { attemptsAndCheck } from './earlier-checks.js';
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
  { earlierRun, ...question }: LookUpInput,
): Promise<Earlier> {
  const listed = await runIdsOf(client, workflowId);
  if (earlierRun === undefined && !listed.includes(own)) {
    throw new Error(`Temporal does not list run ${own} yet`);
  }
  const others = [...listed.filter((runId) => runId !== own), ...(earlierRun === undefined ? [] : [earlierRun])];
  const runs = [...new Set([...others, own])].map((runId) => ({ workflowId, runId }));
  const unreadable: string[] = [];
  const skip = ({ runId }: Run): void => void unreadable.push(runId);
  const { loadedDataConverter: converter } = client.options;
  const histories = historiesOf(client, runs, skip);
  // Only a job for what was missed goes on with the checks of earlier ones.
  if (question.missing === undefined) {
    return { ...earlierIn(await attemptsByIntent(histories, converter, skip), own, question), unreadable };
  }
  const { byIntent, check } = await attemptsAndCheck(histories, converter, skip);
  return { ...earlierIn(byIntent, own, question), unreadable, ...(check === undefined ? {} : { check }) };
}

/** @param byIntent the attempts of all runs, the asking one's included */
export function earlierIn(
  byIntent: ReadonlyMap<string, readonly HistoricAttempt[]>,
  own: string,
  { requestIds, first, missing = [] }: Omit<LookUpInput, 'earlierRun'>,
): Omit<Earlier, 'unreadable' | 'check'> {
  const sends = [...byIntent].flatMap(([intent, attempts]) => sendsIn(attempts).map((each) => sendOf(intent, each)));
  const accepted = sends.filter(({ isAccepted }) => isAccepted);
  const elsewhere = accepted.filter(({ runs: madeBy }) => !madeBy.has(own));
  const serving = first ? servingFirst(sends, accepted, missing.length > 0) : undefined;
  return {
    sends: sends
      .map((send): EarlierSend => ({
        ...servedBy(send, requestIds, missing),
        first: send === serving,
        attempts: send.attempts,
      }))
      .filter((send) => send.first || send.requestIds.length > 0 || send.missing !== undefined),
    accepted: elsewhere.length,
    resends: elsewhere
      .filter(({ intent }) => !isFirstIntent(intent))
      .flatMap(({ served }) => [...served])
      .slice(-RESENDS_KEPT),
  };
}

function servedBy(
  { intent, served }: PastSend,
  requestIds: readonly string[],
  missing: readonly string[],
): Pick<EarlierSend, 'requestIds' | 'missing'> {
  const isServed = (requestId: string): boolean => served.has(requestId);
  if (!isFirstIntent(intent)) return { requestIds: requestIds.filter(isServed) };
  const ids = missing.filter(isServed);
  return { requestIds: [], ...(ids.length === 0 ? {} : { missing: ids }) };
}

/**
 * The send that serves a first send: it emailed the documents, or it is a first send that did not. For what was missed, the last first
 * send counts.
 */
function servingFirst(
  sends: readonly PastSend[],
  accepted: readonly PastSend[],
  missing: boolean,
): PastSend | undefined {
  const isFirst = ({ intent }: PastSend): boolean => isFirstIntent(intent);
  if (missing) return sends.findLast(isFirst) ?? accepted.at(-1);
  return accepted.find(isFirst) ?? accepted.at(-1) ?? sends.find(isFirst);
}

/** An accepted send ends with its key: later keys are those of sends for what it missed. */
export function sendsIn(attempts: readonly HistoricAttempt[]): readonly (readonly HistoricAttempt[])[] {
  const sends: HistoricAttempt[][] = [];
  let acceptedKey: string | undefined;
  for (const attempt of attempts) {
    const { idempotencyKey: key } = attempt;
    if (sends.length === 0 || (acceptedKey !== undefined && key !== acceptedKey)) {
      sends.push([]);
      acceptedKey = undefined;
    }
    sends.at(-1)?.push(attempt);
    if (takeUp(1, [], sends.at(-1) ?? []).outcome === 'accepted') acceptedKey = key;
  }
  return sends;
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
