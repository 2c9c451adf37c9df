/** Evidence from independent sources about what happened to the bill runs: plain data that `check.ts` judges. */
import type { Audit, AuditedSend } from '../../client/history/audit.js';
import type { AuditEntry } from '../../client/history/entries.js';
import type { EmailBillRunInput, JobStatus, SendRecord } from '../../workflows/contract/contract.js';
import type { Forbidden, ScheduledAttempt } from '../history.js';

export interface Evidence {
  readonly billRuns: readonly BillRunEvidence[];
  /** All emails that left Zuora and all email calls that reached it. */
  readonly emails: number;
  readonly calls: number;
  /** When all jobs were on hold. */
  readonly holdsOnAll: readonly Forbidden[];
  /** When connections to Zuora were stalled or slow (epoch, ms): a call arrives later than it left. */
  readonly delays: readonly { readonly from: number; readonly until: number }[];
  /** When Zuora was down, or refused to log in (epoch, ms). */
  readonly troubles: readonly {
    readonly kind: 'outage' | 'refuseLogins';
    readonly from: number;
    readonly until: number;
  }[];
  /** When workers asked Zuora for a token (epoch, ms). */
  readonly logins: readonly number[];
  /** Reads that reached Zuora, of whatever kind. */
  readonly reads: number;
}

export interface BillRunEvidence {
  readonly number: string;
  readonly id: string;
  /** Zuora's status at the end. */
  readonly status: string | null;
  readonly documents: readonly DocumentEvidence[];
  /** Requests of pipelines and operators that Temporal accepted. */
  readonly accepted: readonly AcceptedRequest[];
  /** Calls that reached Zuora. */
  readonly calls: readonly EmailCall[];
  /** Emails that left Zuora. */
  readonly emails: readonly SentEmail[];
  /** All Temporal runs of its jobs, including those of aliases, oldest first. */
  readonly runs: readonly RunEvidence[];
  /** Temporal's ids of earlier runs that nobody can decode. */
  readonly unreadable: readonly string[];
  readonly audit: Pick<Audit, 'runIds' | 'incomplete'> & {
    readonly sends: readonly AuditedSend[];
    readonly entries: readonly Pick<AuditEntry, 'runId' | 'event' | 'requestedBy' | 'text'>[];
  };
}

interface DocumentEvidence {
  readonly number: string;
  readonly postedAt: string | null;
  /** What the plan made of its first email, if it does not leave. */
  readonly unsent?: 'failed' | 'never';
}

export interface AcceptedRequest {
  readonly kind: 'start' | 'resend';
  /** Null if the signal had none. */
  readonly requestId: string | null;
  /** Null if the answer was `alreadyEmailed`: then no record names the requester. */
  readonly requestedBy: string | null;
  readonly workflowId: string;
}

/** A call to email the documents, as the simulator logged it. */
export interface EmailCall {
  readonly at: string;
  readonly path: string;
  readonly method: string;
  readonly idempotencyKey: string | null;
  readonly trackId: string | null;
  readonly requestId: string | null;
  /** Null if the call was cut off, or its client had disconnected. */
  readonly status: number | null;
  readonly body: { readonly resend?: boolean } | null;
}

export interface SentEmail {
  readonly documentNumber: string;
  readonly idempotencyKey: string | null;
  readonly resend: boolean | null;
  readonly sentAt: string;
}

export interface RunEvidence {
  readonly workflowId: string;
  readonly runId: string;
  readonly open: boolean;
  /** Epoch, ms. */
  readonly startedAt: number;
  /** A person finished, canceled or terminated it before its work was done. */
  readonly closedByPerson: boolean;
  readonly forbidden: readonly Forbidden[];
  /** No workflow task is pending, and no activity except a watch between two reads. */
  readonly atRest: boolean;
  readonly events: number;
  readonly input: EmailBillRunInput;
  /** The answers to the queries; null if they fail. */
  readonly status: JobStatus | null;
  readonly sends: readonly SendRecord[];
  /** From history alone. */
  readonly attempts: readonly ScheduledAttempt[];
  readonly resends: { readonly ids: readonly string[]; readonly unnamed: number };
  /** Workflow tasks that failed because the code threw or did not match its history. */
  readonly brokenTasks: readonly string[];
}
