/** Inputs, results and failures of the activities: plain data that stays in workflow history. Workflow code knows only these types. */
import type { BillRun as BillRunInZuora } from '../../zuora/bill-run.js';
import type { DeliveryMemory } from '../../zuora/delivery.js';
import type {
  Decision,
  DocumentKind,
  DocumentOutcome,
  EmailBillRunInput,
  EmailRequest,
  JobDocuments,
} from './contract.js';
import type { Reason, Verdict } from '../../zuora/outcome.js';
import type { ForgottenBillRun, SweepFindings, SweepStarts } from './sweep.js';

/** A look at a bill run. */
export interface BillRun extends BillRunInZuora {
  /** The tenant's notifications by which Zuora itself emails documents at the post, if there are any; only once it is posted. */
  readonly postedNotifications?: readonly string[];
}

/** Where a bill run is found in Zuora. */
export interface BillRunAddress {
  readonly billRunKey: string;
  readonly entityId?: string;
  readonly orgIds?: readonly string[];
}

export interface WatchInput extends BillRunAddress {
  /** Return once the status differs from this one. Absent: return at once. */
  readonly lastSeenStatus?: string;
  /** The words by which the last read failed: return once reads work again. */
  readonly cannotRead?: string;
}

/** Reads of the bill run have failed for about a minute. */
export interface CannotRead {
  /** What failed, in Zuora's words. */
  readonly cannotRead: string;
  /** Since when (epoch, ms). */
  readonly since: number;
}

export interface AttemptInput extends BillRunAddress {
  readonly resend: boolean;
  readonly idempotencyKey: string;
  readonly trackId: string;
  /** Start no call after this time (epoch, ms), because Zuora may have forgotten the key. */
  readonly notAfter: number;
  /**
   * Temporal's run id of the job that uses the key for the first time. If the activity runs under another run id, the workflow was
   * reset, and the part of history that is gone may have used the key. Only an activity sees that: replay hides it from the workflow.
   */
  readonly originalRunId?: string;
  /** The resends, or requests for what was missed, that the send serves; only on its first attempt. Later jobs read this history. */
  readonly requestIds?: readonly string[];
  /** What a person decided, if that led to this attempt. Only for the record. */
  readonly decision?: Decision;
  /** The last look at the bill run (epoch, ms), if the send depends on it. One older than a minute is repeated before the call. */
  readonly look?: LookRules & { readonly at: number };
}

/** What keeps a first send back. */
export interface LookRules {
  readonly coolDownMs: number;
  /** The send is for what earlier emails missed, so these do not make it needless. */
  readonly missing?: boolean;
  /** No earlier email was on its way then (epoch, ms): only later ones delay the send. */
  readonly accountedAt?: number;
}

/** Which documents to follow. */
export interface DeliveryInput extends BillRunAddress {
  readonly billRunNumber: string;
  readonly billRunId: string;
  readonly resend: boolean;
  /** It is for what an earlier send left unsent. */
  readonly missing?: true;
  /** The first attempt under the key of the send; since when emails are on their way, from which the plan of checks counts (epoch, ms). */
  readonly since: number;
  readonly from: number;
  /** Zuora emails the documents by itself at the post. */
  readonly atPost?: true;
  /** The bill run's last email before the send, in Zuora's format. */
  readonly before?: string;
  readonly postedDate?: string;
  readonly numberOfInvoices?: number;
  readonly numberOfCreditMemos?: number;
  /** What the last check showed: return once that changes. */
  readonly previous?: DeliveryCheck;
  /** What a check of an earlier send remembered. */
  readonly memory?: DeliveryMemory;
  /** A person asks: check now, and return the result. */
  readonly now?: true;
  /** The words by which the last read failed: return once reads work again. */
  readonly cannotRead?: string;
}

/** What one check showed. */
export interface DeliveryCheck {
  readonly documents: Omit<JobDocuments, 'checkedAt'>;
  readonly kinds: Readonly<Record<DocumentKind, Readonly<Record<DocumentOutcome, number>>>>;
  /** Failed emails of accounts that have no document in the bill run. */
  readonly otherFailures: number;
  /** When it was made, and when the next one comes; null after the last (epoch, ms). */
  readonly at: number;
  readonly next: number | null;
  /** For the next check. */
  readonly memory: DeliveryMemory;
}

/** The result of one attempt. */
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
  /** How long Zuora asks us to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
}

/** An attempt without a receipt: it never left, or a lost worker may have sent it. */
export interface LostAttempt {
  readonly verdict: 'notExecuted' | 'unknown';
  readonly reasons: readonly Reason[];
}

/** Why no call was made. The attempt leaves the send as it was. */
export type NoCallReceipt = { readonly called: false } & (
  | {
      readonly why: 'afterReset';
      /** Temporal's run id under which the activity ran; after a reset, replay does not show it. */
      readonly runId: string;
    }
  /** Zuora may have forgotten the key; a hold on all is open; the job no longer wants the attempt. */
  | { readonly why: 'keyTooOld' | 'heldByAll' | 'takenBack' }
  /** The look was old, and the new one forbids the send. */
  | { readonly why: 'looked'; readonly billRun: BillRun }
  /** It could not leave for two minutes. */
  | { readonly why: 'neverLeft'; readonly reason: Reason }
);

/** What an attempt came to, as the record takes it. */
export type AttemptResult = AttemptReceipt | LostAttempt | Exclude<NoCallReceipt, { readonly why: 'neverLeft' }>;

/** What the histories of all jobs of a workflow id record. */
export interface Earlier {
  /** The sends that served the requests in question. */
  readonly sends: readonly EarlierSend[];
  /** How many sends Zuora accepted in other jobs, and the last resends of those, at most 50. */
  readonly accepted: number;
  readonly resends: readonly string[];
  /** Temporal's run ids of jobs whose history cannot be read: what they did is not known. */
  readonly unreadable: readonly string[];
  /** The last check of the documents; only if something missed is in question. */
  readonly check?: EarlierCheck;
}

/** What a check of the documents remembered, and the beginning of the send that it followed (epoch, ms). */
export interface EarlierCheck extends Pick<DeliveryInput, 'since'> {
  readonly memory: DeliveryMemory;
}

export interface EarlierSend {
  /** Which of the resends in question it served. */
  readonly requestIds: readonly string[];
  /** Which of the requests in question for what was missed it served. */
  readonly missing?: readonly string[];
  /** It serves a first send as well: Zuora accepted it, or it is itself a first send. */
  readonly first: boolean;
  /** At least one, oldest first. */
  readonly attempts: readonly EarlierAttempt[];
}

export interface EarlierAttempt extends Pick<AttemptInput, 'idempotencyKey' | 'trackId'> {
  readonly runId: string;
  /** When it was scheduled (epoch, ms). */
  readonly startedAt: number;
  readonly result: AttemptReceipt | LostAttempt;
}

export interface LookUpInput {
  /** The resends in question. */
  readonly requestIds: readonly string[];
  /** A first send is in question, too. */
  readonly first: boolean;
  /** The requests in question for what was missed: for them, the last first send counts, and not the one that Zuora accepted. */
  readonly missing?: readonly string[];
  /** Temporal's run id of the last job, as the starter found it. */
  readonly earlierRun?: string;
}

/** Requests for the canonical job of the bill run. */
export interface HandOverInput {
  /** The input of that job, with the number of the bill run as key. */
  readonly input: EmailBillRunInput;
  readonly requests: readonly EmailRequest[];
}

/** The canonical job's answer to a request that was handed over. */
export interface HandedOver {
  readonly requestId: string;
  readonly result: 'started' | 'joined' | 'alreadyEmailed' | 'stopped';
}

/**
 * A message to people where they are. It holds no words of Zuora and no notes of callers: these can name customers. An id is sent as it
 * is, also a workflow id that a foreign starter chose.
 */
export interface Notice {
  /** Plain sentences. */
  readonly text: string;
  /** The command that shows more, and the workflow that Temporal UI shows. */
  readonly command: string;
  readonly workflowId: string;
  /** The same for programs, beside `text`. */
  readonly facts: Readonly<Record<string, string | number | null>>;
}

/** False without `NOTIFY_URL`. */
export interface Notified {
  readonly notified: boolean;
}

/**
 * The types of the ApplicationFailures with which activities end for good. `contract/activity-failures.ts` matches them exhaustively,
 * so a new type does not compile until the workflow handles it.
 */
export interface FinalFailures {
  readonly watchBillRun: 'BillRunNotFound' | 'InvalidInput';
  /** `PayloadUndecodable`: the worker could not decode the input, so it made no call. */
  readonly emailBillRunDocuments: 'NeverLeft' | 'AttemptFailed' | 'PayloadUndecodable';
  readonly earlierSends: never;
  readonly handOver: 'InvalidInput';
  readonly watchDelivery: never;
}

export interface FindForgottenInput {
  /** How far to look back, in milliseconds. */
  readonly postedSinceMs: number;
  readonly entityId?: string;
  /** Of the Temporal Schedule. The id of each of its sweeps begins so. */
  readonly scheduleId: string;
}

export interface FoundForgotten extends SweepFindings {
  /** Names of what the last scheduled sweep found. */
  readonly known: readonly string[];
}

export interface StartForgottenInput {
  readonly billRuns: readonly ForgottenBillRun[];
  /** Start nothing that was posted before (epoch, ms). */
  readonly postedSince: number;
  readonly entityId?: string;
}

export interface Activities {
  /**
   * Returns the bill run once its status differs from the last one seen. Until then it fails with a benign failure and a retry delay,
   * so waiting adds nothing to history. An outage adds two results, however long it lasts: that reads fail, and the first that works.
   *
   * @throws ApplicationFailure of {@link FinalFailures}, which is final; every other failure is retried
   */
  watchBillRun(input: WatchInput): Promise<BillRun | CannotRead>;
  /** Returns once no hold on all is open. Until then it fails as `watchBillRun` does. */
  watchHoldAll(): Promise<void>;
  /**
   * Asks Zuora to email the documents, with at most one HTTP call that may have reached Zuora.
   *
   * Just before the call it asks Temporal whether it may leave.
   *
   * @throws ApplicationFailure `NeverLeft`, which is retried: nothing was sent. `AttemptFailed` is final: a defect of ours
   */
  emailBillRunDocuments(input: AttemptInput): Promise<Receipt>;
  /** Finds out what all jobs of the calling workflow's id did, its own included. Every failure is retried. */
  earlierSends(input: LookUpInput): Promise<Earlier>;
  /**
   * Hands requests to the canonical job of the bill run, as their callers would have done. It is safe to repeat.
   *
   * @throws ApplicationFailure of {@link FinalFailures}, which is final; every other failure is retried
   */
  handOver(input: HandOverInput): Promise<readonly HandedOver[]>;
  /**
   * Checks by a plan what became of the documents, and returns once that has changed, or after the last check. Otherwise it fails and
   * reports an outage as `watchBillRun` does.
   */
  watchDelivery(input: DeliveryInput): Promise<DeliveryCheck | CannotRead>;
  /** Compares the bill runs that Zuora posted with their jobs. It changes nothing. */
  findForgotten(input: FindForgottenInput): Promise<FoundForgotten>;
  /** Starts the jobs of forgotten bill runs, as any caller would, unless all jobs are on hold. It is safe to repeat. */
  startForgotten(input: StartForgottenInput): Promise<SweepStarts>;
  /**
   * Posts a notice to `NOTIFY_URL`.
   *
   * @throws ApplicationFailure `NotifyFailed`, with what the receiver answered and without its address
   */
  notify(notice: Notice): Promise<Notified>;
}
