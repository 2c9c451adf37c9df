/** What the activities take and give: plain data, kept in workflow history. Workflow code knows only these types. */
import type { BillRun } from '../../zuora/bill-run.js';
import type { EmailBillRunInput, EmailRequest } from './contract.js';
import type { InvoiceCount } from '../../zuora/invoices.js';
import type { Reason, Verdict } from '../../zuora/outcome.js';

export type { BillRun, InvoiceCount };

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
   * Set on the first attempt that this run knows under the key: the run whose history that is. The workflow may have been
   * reset, and the key used by the part of its history that is gone; only an activity can tell, because it alone runs
   * outside of replay.
   */
  readonly originalRunId?: string;
  /** The resends that the send serves, on its first attempt: history is what later runs of the workflow learn it from. */
  readonly requestIds?: readonly string[];
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

/** An attempt of which no receipt came back: what never left, or what a lost worker may or may not have sent. */
export interface LostAttempt {
  readonly verdict: 'notExecuted' | 'unknown';
  readonly reasons: readonly Reason[];
}

/** No call was made, and why. */
export interface NoCallReceipt {
  readonly called: false;
  /** The run that asked for it, which replay cannot tell after a reset. */
  readonly runId: string;
  readonly why: 'afterReset' | 'keyTooOld';
}

/** A `resend=true` send, as the histories of all runs of the workflow tell it. */
export interface EarlierSend {
  /** The requests that it served, of those that were asked about. */
  readonly requestIds: readonly string[];
  /** At least one, oldest first. */
  readonly attempts: readonly EarlierAttempt[];
}

export interface EarlierAttempt extends Pick<AttemptInput, 'idempotencyKey' | 'trackId'> {
  readonly runId: string;
  /** When it was scheduled (epoch, ms). */
  readonly startedAt: number;
  readonly came: AttemptReceipt | LostAttempt;
}

/** Requests for the run which emails the bill run. */
interface HandOverInput {
  /** Its input, with the number of the bill run as key. */
  readonly input: EmailBillRunInput;
  readonly requests: readonly EmailRequest[];
}

/** What became of a request that was handed over. */
export interface HandedOver {
  readonly requestId: string;
  readonly result: 'started' | 'joined' | 'alreadyEmailed' | 'canceled' | 'terminated';
}

interface CountInput extends BillRunAddress {
  /** Emails from then on count (epoch, ms). */
  readonly since: number;
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
  /**
   * Finds, in the histories of all runs of the calling workflow's id, its own included, the sends that served the given resends.
   * Every failure may pass.
   */
  earlierSends(input: { readonly requestIds: readonly string[] }): Promise<readonly EarlierSend[]>;
  /**
   * Hands requests to the run which emails the bill run, as their callers would have done. Repeating it does no harm.
   *
   * @throws ApplicationFailure `InvalidInput`, which is final; every other failure may pass
   */
  handOver(input: HandOverInput): Promise<readonly HandedOver[]>;
  /** Counts the invoices of a bill run that Zuora shows as emailed. Every failure may pass. */
  countEmailedInvoices(input: CountInput): Promise<InvoiceCount>;
}
