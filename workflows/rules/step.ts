/** What the outside world does next for a job, and what people read meanwhile. */
import type { EmailBillRunResult, EmailReason, EmailRequest, EmailState, FailureType } from '../contract/contract.js';
import type { Send } from './send.js';

/** What people read about a job at a step. */
export interface Shown {
  readonly state: EmailState;
  readonly reason: EmailReason | null;
  /** One plain sentence with the cause, without the full stop. */
  readonly text: string;
}

/** Watch the bill run until its status changes, `until` comes, or a message arrives. */
export interface Watch extends Shown {
  readonly kind: 'watch';
  readonly lastSeenStatus: string | undefined;
  readonly until: number;
}

/** Look at the bill run once. */
interface Look extends Shown {
  readonly kind: 'look';
}

/** Look up what earlier jobs did for these requests. At `wake`, an attempt of the open send is due. */
export interface LookUp extends Shown {
  readonly kind: 'lookUp';
  readonly wake: number;
  readonly requests: readonly EmailRequest[];
}

/** Hand these requests to the canonical job. */
export interface HandOver extends Shown {
  readonly kind: 'handOver';
  readonly to: string;
  readonly requests: readonly EmailRequest[];
}

interface MakeAttempt extends Shown {
  readonly kind: 'attempt';
  readonly send: Send;
}

/** Watch the hold on all until it ends, or a message arrives. At `wake`, a question changes. */
export interface WatchHoldAll extends Shown {
  readonly kind: 'watchHoldAll';
  readonly wake: number;
}

/** Wait for a message, at most until then. At `wake`, the text for people changes. */
export interface Wait extends Shown {
  readonly kind: 'wait';
  readonly until: number;
  readonly wake: number;
}

/** How a job closes. */
export type Ending =
  | (Shown & { readonly kind: 'complete'; readonly state: EmailBillRunResult['state'] })
  | (Shown & { readonly kind: 'cancel' })
  | (Shown & { readonly kind: 'fail'; readonly type: FailureType });

export type WaitingStep = Watch;
export type AliasStep = HandOver | Wait;
export type SendingStep = Look | LookUp | MakeAttempt | WatchHoldAll | Wait;
export type DeliveringStep = Wait;
export type Step = WaitingStep | AliasStep | SendingStep | DeliveringStep | Ending;
