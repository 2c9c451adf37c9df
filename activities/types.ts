/** What the activities take and give: plain data, kept in workflow history. Workflow code knows only these types. */
import type { BillRun } from '../zuora/bill-run.js';
import type { Reason, Verdict } from '../zuora/outcome.js';

export type { BillRun };

/** Where a bill run is found in Zuora. */
export interface BillRunAddress {
  readonly billRunKey: string;
  readonly entityId?: string;
  readonly orgIds?: readonly string[];
}

export interface WatchInput extends BillRunAddress {
  /** Answer when the status is another than this; at once where it is absent. */
  readonly lastSeenStatus?: string;
}

export interface AttemptInput extends BillRunAddress {
  readonly resend: boolean;
  readonly idempotencyKey: string;
  readonly trackId: string;
  /** Start no call after this time (epoch, ms): Zuora may have forgotten the key. */
  readonly notAfter: number;
  /**
   * Set on the first attempt that this run knows under the key. The workflow may have been reset, and the key used by
   * the part of its history that is gone; only an activity can tell, because it alone runs outside of replay.
   */
  readonly originalRunId?: string;
}

/** What came of one attempt. */
export type Receipt = AttemptReceipt | NoCallReceipt;

export interface AttemptReceipt {
  readonly called: true;
  /** ISO 8601, by the worker's clock. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
  readonly httpStatus: number | null;
  readonly zuoraRequestId: string | null;
  readonly echoedTrackId: string | null;
  /** How long Zuora asks us to wait. */
  readonly retryAfterMs: number | null;
}

/** No call was made, and why. */
interface NoCallReceipt {
  readonly called: false;
  readonly why: 'afterReset' | 'keyTooOld';
}

export interface Activities {
  /**
   * Answers with the bill run's record once its status is another than the last one seen. Until then it fails in a way
   * that makes the server wait and try again, which adds nothing to history.
   *
   * @throws ApplicationFailure `BillRunNotFound` or `InvalidInput`, which are final; every other one may pass
   */
  watchBillRun(input: WatchInput): Promise<BillRun>;
  /**
   * Asks Zuora to email the documents, in at most one HTTP call that may have reached Zuora.
   *
   * @throws ApplicationFailure `NeverLeft`, the only retryable one: nothing was sent
   */
  emailBillRunDocuments(input: AttemptInput): Promise<Receipt>;
}
