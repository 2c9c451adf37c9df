/** The sweep: it names bill runs that were posted and that nobody emailed, and jobs that wait for people. */
import type { EmailReason, EmailState } from './contract.js';

export const SWEEP_TYPE = 'sweepBillRuns';

/** The workflow id of a sweep by hand, and the id of the Temporal Schedule. A scheduled sweep adds its time to it. */
export function sweepWorkflowId(entityId?: string): string {
  return ['sweep-bill-runs', ...(entityId === undefined ? [] : [entityId])].join('/');
}

/** The argument of `sweepBillRuns`. */
export interface SweepInput {
  /** How far to look back, such as `3 days`. Default: 3 days. Never further than Temporal keeps closed jobs. */
  readonly postedSince?: string;
  /** Start what was forgotten and posted since then: a date such as `2026-11-01`, or a time with its zone. Absent: start nothing. */
  readonly startPostedSince?: string;
  /** Zuora Multi-entity only, and then required. */
  readonly entityId?: string;
}

/**
 * What a posted bill run comes to in a sweep. Only the `forgotten` ones are named.
 *
 * - `emailed`: a send was accepted, or Zuora or somebody else emailed while its job was open.
 * - `underWay`: its job is open. `stopped`: a person closed it. `unsettled`: nobody answered its question.
 * - `autoEmail`, `invoicesEmailed`: nobody else needs to email it, as Zuora says. `empty`: it has no documents.
 */
export type Standing =
  'emailed' | 'underWay' | 'autoEmail' | 'invoicesEmailed' | 'empty' | 'stopped' | 'unsettled' | 'forgotten';

export interface ForgottenBillRun {
  readonly billRunNumber: string;
  readonly billRunId: string;
  /** In Zuora's format; null if Zuora does not say. */
  readonly postedDate: string | null;
  /** Such as `no job`. */
  readonly why: string;
}

/** A job that does nothing until a person acts. */
export interface WaitingForPeople {
  readonly billRunNumber: string;
  readonly workflowId: string;
  readonly state: EmailState;
  readonly reason: EmailReason | null;
  readonly why: string;
}

/** What a look at Zuora and Temporal found. */
export interface SweepFindings {
  /** The sweep looked at bill runs posted since then (ISO 8601). */
  readonly since: string;
  /** How many posted bill runs it looked at, each once. */
  readonly looked: number;
  readonly counts: Readonly<Record<Standing, number>>;
  /** At most 1,000, those posted last first. `counts` has all. */
  readonly forgotten: readonly ForgottenBillRun[];
  /** At most 1,000. */
  readonly waitingForPeople: readonly WaitingForPeople[];
}

export interface SweepStarts {
  /** The numbers of the bill runs whose email job was started, or had to look at once. */
  readonly started: readonly string[];
  /** Why forgotten bill runs were not started; absent if each was, or none was to be. */
  readonly notStarted?: string;
}

/** The result of `sweepBillRuns`. */
export interface SweepResult extends SweepFindings, SweepStarts {}
