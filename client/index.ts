/** The library for pipelines. */
import type { Diagnosis, DoctorOptions } from './doctor/doctor.js';
import type { BillRunDocuments } from './documents-report.js';
import type { DocumentsInput } from './documents.js';

export { BillRunEmails } from './bill-run-emails.js';
export type {
  BillRunEmailsOptions,
  BillRunName,
  BillRunToStart,
  JobName,
  JobRequest,
  KnownStatus,
  ResendResult,
  RetryResult,
  StartedOne,
} from './bill-run-emails.js';
export type { StartInput, StartResult } from './starting.js';
export type { MessageResult } from './messages.js';
export { BillRunEmailsError } from './failures/errors.js';
export { ConfigurationError } from '../environment/configuration-error.js';
export type { ErrorType, Failure } from './failures/errors.js';
export type { ListedJob, ListFilter } from './list.js';
export type { Settled, SettleOptions } from './settled.js';
export type { SettledOne } from './settled-many.js';
export type { Outcome, Until } from './outcome.js';
export type { Pause } from './temporal/paused.js';
export type { Audit } from './history/audit.js';
export type { Diagnosis, DoctorOptions } from './doctor/doctor.js';
export type { Check } from './doctor/checkup.js';
export type { BillRunDocuments } from './documents-report.js';
export type { DocumentsInput } from './documents.js';
export type * from '../workflows/contract/contract.js';
export type * from '../workflows/contract/sweep.js';

// The modules that read Zuora are loaded on demand: pipelines that start bill runs need none of them.

/** Checks Temporal and Zuora by the environment (`TEMPORAL_*`, `ZUORA_*`). Findings are results; it never throws for them. */
export async function diagnose(options?: DoctorOptions): Promise<Diagnosis> {
  return (await import('./doctor/doctor.js')).diagnose(options);
}

/**
 * What became of each document, what a send would email now, and what would keep it back. It reads Zuora, and the sends of the jobs from
 * Temporal; without Temporal, warnings say what is not known. It changes nothing.
 *
 * @param env holds the `ZUORA_*` variables; Temporal is found by those of the process
 * @throws {@link BillRunEmailsError} `InvalidInput`, `NotFound` or `ZuoraUnavailable`; {@link ConfigurationError}
 */
export async function documents(input: DocumentsInput, env?: NodeJS.ProcessEnv): Promise<BillRunDocuments> {
  return (await import('./documents.js')).documents(input, env);
}
