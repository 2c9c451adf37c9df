/** Who asked for the hold on all jobs of the namespace. */
import type { Client } from '@temporalio/client';
import { HOLD_ALL_WORKFLOW_ID, holdSignal, type NoteMessage } from '../../workflows/contract/contract.js';
import { isHoldAllOpen } from '../temporal/hold-all.js';
import { firstOf, timeOf } from './history.js';

/** One person's wish to hold all jobs. */
export interface HoldAllRequest {
  readonly at: string;
  /** As the person claims. */
  readonly requestedBy: string | null;
  readonly reason: string | null;
  /** As Temporal recorded it; null for a signal from Temporal UI without login. */
  readonly identity: string | null;
}

/** Who asked for the hold on all that is open, oldest first; null if none is open. It needs no worker. */
export async function holdAllRequests(client: Client): Promise<readonly HoldAllRequest[] | null> {
  if (!(await isHoldAllOpen(client))) return null;
  const { events } = await client.workflow.getHandle(HOLD_ALL_WORKFLOW_ID).fetchHistory();
  const requests: HoldAllRequest[] = [];
  for (const event of events ?? []) {
    const started = event.workflowExecutionStartedEventAttributes;
    const signaled = event.workflowExecutionSignaledEventAttributes;
    const isHold = started != null || signaled?.signalName === holdSignal.name;
    if (!isHold) continue;
    const payloads = (signaled ?? started)?.input?.payloads;
    const note: unknown = await firstOf(client.options.loadedDataConverter, payloads).catch(() => undefined);
    requests.push({
      at: new Date(timeOf(event)).toISOString(),
      requestedBy: textIn(note, 'requestedBy'),
      reason: textIn(note, 'reason'),
      identity: identityIn(signaled ?? started),
    });
  }
  // Our clients start and signal in one call: the start says less than the signal.
  const [start, signal] = requests;
  return start !== undefined && signal?.identity === start.identity ? requests.slice(1) : requests;
}

/** Temporal writes an absent identity as an empty text. */
function identityIn(event: { readonly identity?: string | null } | null | undefined): string | null {
  const identity = event?.identity ?? '';
  return identity === '' ? null : identity;
}

function textIn(note: unknown, field: keyof NoteMessage): string | null {
  const value = typeof note === 'object' && note !== null ? (note as Record<string, unknown>)[field] : undefined;
  return typeof value === 'string' ? value : null;
}
