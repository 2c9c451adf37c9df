/** Checks all that must be right before a bill run can be emailed. It changes nothing. */
import { CHECK_NAMES, type Check, type CheckName } from './checkup.js';
import { temporalChecks } from './temporal.js';
import { zuoraChecks } from './zuora.js';
import { EXIT } from '../failures/errors.js';

export interface DoctorOptions {
  /** The entity to read in; only where the tenant has Zuora Multi-entity. */
  readonly entityId?: string;
  /** Default: that of `BILL_RUN_TASK_QUEUE`, or `bill-run-emails`. */
  readonly taskQueue?: string;
  /** The longest that one check may take, in milliseconds. Default: 10 s. */
  readonly deadlineMs?: number;
}

export interface Diagnosis {
  /** No check found an error. */
  readonly ok: boolean;
  /** Always all of them, in the same order. */
  readonly checks: readonly Check[];
}

const DEADLINE_MS = 10_000;

/** Checks Temporal and Zuora as the environment (`TEMPORAL_*`, `BILL_RUN_TASK_QUEUE`, `ZUORA_*`) names them. Never throws for what it finds. */
export async function diagnose({
  entityId,
  taskQueue,
  deadlineMs = DEADLINE_MS,
}: DoctorOptions = {}): Promise<Diagnosis> {
  const checked = await Promise.all([
    temporalChecks({ taskQueue, deadlineMs }),
    zuoraChecks({ env: process.env, entityId, deadlineMs }),
  ]);
  const checks = checked.flat().sort((one, other) => rank(one) - rank(other));
  return { ok: checks.every(({ result }) => result !== 'error'), checks };
}

function rank({ name }: Check): number {
  return CHECK_NAMES.indexOf(name);
}

/** The exit code of the command line: 0, or that of what has to be mended first. */
export function exitCodeOfDiagnosis({ checks }: Diagnosis): number {
  const codes = checks.filter(({ result }) => result === 'error').map(({ name }) => exitCodeOfCheck[name]);
  return codes.length === 0 ? EXIT.done : Math.min(...codes);
}

const exitCodeOfCheck: Readonly<Record<CheckName, number>> = {
  temporalConfiguration: EXIT.invalid,
  zuoraConfiguration: EXIT.invalid,
  temporal: EXIT.temporal,
  temporalVersion: EXIT.temporal,
  namespace: EXIT.temporal,
  searchAttributes: EXIT.temporal,
  workflowWorkers: EXIT.temporal,
  activityWorkers: EXIT.temporal,
  temporalClock: EXIT.temporal,
  zuoraToken: EXIT.zuora,
  zuoraRead: EXIT.zuora,
  zuoraClock: EXIT.zuora,
};
