/** What really happened to the bill runs, as independent witnesses tell it: plain data, which `check.ts` judges. */
import type { Audit, AuditEntry, AuditedSend } from '../../client/history/audit.js';
import type { EmailBillRunInput, JobStatus, SendRecord } from '../../workflows/contract/contract.js';
import type { ScheduledAttempt } from './history.js';

export interface Evidence {
  readonly billRuns: readonly BillRunEvidence[];
  /** All that left Zuora and all email calls that reached it, for whatever bill run. */
  readonly emails: number;
  readonly calls: number;
}

export interface BillRunEvidence {
  readonly number: string;
  readonly id: string;
  /** What Zuora says of it in the end. */
  readonly status: string | null;
  readonly documents: readonly DocumentEvidence[];
  /** What pipelines and operators asked for and Temporal took. */
  readonly accepted: readonly AcceptedRequest[];
  /** What reached Zuora. */
  readonly calls: readonly EmailCall[];
  /** What left Zuora. */
  readonly emails: readonly SentEmail[];
  /** All runs that were started for it, those under other workflow ids included, oldest first. */
  readonly runs: readonly RunEvidence[];
  readonly audit: Pick<Audit, 'runIds' | 'incomplete'> & {
    readonly sends: readonly AuditedSend[];
    readonly entries: readonly Pick<AuditEntry, 'runId' | 'event' | 'requestedBy' | 'text'>[];
  };
}

interface DocumentEvidence {
  readonly number: string;
  readonly postedAt: string | null;
}

export interface AcceptedRequest {
  readonly kind: 'start' | 'resend';
  /** None of a signal that named none. */
  readonly requestId: string | null;
  /** None where the answer was that it had been served before: then nothing tells of who asked this time. */
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
  /** None where the call was cut off, or its client had gone. */
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
  /** Nothing is under way: no task, no activity but a read that waits for its turn. */
  readonly atRest: boolean;
  readonly events: number;
  readonly input: EmailBillRunInput;
  /** The answers to the queries; null where it cannot be asked. */
  readonly status: JobStatus | null;
  readonly sends: readonly SendRecord[];
  /** From history alone. */
  readonly attempts: readonly ScheduledAttempt[];
  readonly asked: { readonly ids: readonly string[]; readonly unnamed: number };
  /** Workflow tasks that failed because the code could not go on with its history, or threw. */
  readonly brokenTasks: readonly string[];
}
