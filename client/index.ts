/** The library for pipelines. */
import type { Diagnosis, DoctorOptions } from './doctor/doctor.js';
import type { Preview, PreviewInput } from './preview.js';

export { BillRunEmails } from './bill-run-emails.js';
export type {
  BillRunEmailsOptions,
  BillRunName,
  BillRunToStart,
  KnownStatus,
  OperatorSignal,
  ResendResult,
  RunName,
  StartedOne,
  StartResult,
} from './bill-run-emails.js';
export { BillRunEmailsError } from './failures/errors.js';
export { ConfigurationError } from '../environment/environment.js';
export type { ErrorType, Failure } from './failures/errors.js';
export type { ListedRun, ListFilter } from './list.js';
export type { ResendOutcome } from './resend-outcome.js';
export type { Audit, AuditedSend, AuditEntry } from './history/audit.js';
export type { Diagnosis, DoctorOptions } from './doctor/doctor.js';
export type { Check, CheckName } from './doctor/checkup.js';
export type { Answer, HeldBack, Preview, PreviewedDocument, PreviewedSend, PreviewInput } from './preview.js';
export type * from '../workflows/contract/contract.js';

// What speaks to Zuora is loaded when it is asked for: pipelines that start bill runs need none of it.

/** Checks Temporal and Zuora as the environment (`TEMPORAL_*`, `ZUORA_*`) names them. Never throws for what it finds. */
export async function diagnose(options?: DoctorOptions): Promise<Diagnosis> {
  return (await import('./doctor/doctor.js')).diagnose(options);
}

/**
 * What a send would email now, and what would hold it back. It reads Zuora, changes nothing, and needs no Temporal.
 *
 * @param env holds the `ZUORA_*` variables
 * @throws {@link BillRunEmailsError} `InvalidInput`, `NotFound` or `ZuoraUnavailable`; {@link ConfigurationError}
 */
export async function preview(input: PreviewInput, env?: NodeJS.ProcessEnv): Promise<Preview> {
  return (await import('./preview.js')).preview(input, env);
}
