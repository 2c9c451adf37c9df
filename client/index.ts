/** The library for pipelines. */
export { BillRunEmails } from './bill-run-emails.js';
export type {
  BillRunEmailsOptions,
  BillRunName,
  BillRunToStart,
  KnownStatus,
  OperatorSignal,
  ResendResult,
  RunName,
  StartResult,
} from './bill-run-emails.js';
export { BillRunEmailsError } from './errors.js';
export type { ErrorType } from './errors.js';
export type { ListedRun, ListFilter } from './list.js';
export type { ResendOutcome } from './resend-outcome.js';
export type { Audit, AuditedSend, AuditEntry } from './audit.js';
export { diagnose } from './doctor.js';
export type { Diagnosis, DoctorOptions } from './doctor.js';
export type { Check, CheckName } from './checkup.js';
export { preview } from './preview.js';
export type { Answer, HeldBack, Preview, PreviewedDocument, PreviewedSend, PreviewInput } from './preview.js';
export type * from '../workflows/contract.js';
