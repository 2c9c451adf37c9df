/** Checks everything that a bill run needs to be emailed. It changes nothing. */
import { runChecks, type Check, type CheckName } from './checkup.js';
import { temporalChecks } from './temporal.js';
import { zuoraChecks } from './zuora.js';
import { EXIT } from '../failures/errors.js';

export interface DoctorOptions {
  /** The entity to read in; only if the tenant has Zuora Multi-entity. */
  readonly entityId?: string;
}

export interface Diagnosis {
  /** No check found an error. */
  readonly ok: boolean;
  /** Always all of them, in the same order. */
  readonly checks: readonly Check[];
}

/** For each check. */
const DEADLINE_MS = 10_000;

/** Checks Temporal and Zuora by the environment (`TEMPORAL_*`, `BILL_RUN_*`, `ZUORA_*`). It reports what it finds, and never throws. */
export async function diagnose({ entityId }: DoctorOptions = {}): Promise<Diagnosis> {
  const temporal = temporalChecks(entityId, DEADLINE_MS);
  const zuora = zuoraChecks(entityId, DEADLINE_MS);
  try {
    const checks = await runChecks([...temporal.checks, ...zuora.checks], DEADLINE_MS);
    return { ok: checks.every(({ result }) => result !== 'error'), checks };
  } finally {
    await Promise.all([temporal.close(), zuora.close()]);
  }
}

/** The exit code of the command line: 0, or the code of the first thing to fix. */
export function exitCodeOfDiagnosis({ checks }: Diagnosis): number {
  const codes = checks.filter(({ result }) => result === 'error').map(({ name }) => exitCodeOf(name));
  return codes.length === 0 ? EXIT.done : Math.min(...codes);
}

function exitCodeOf(name: CheckName): number {
  if (name.endsWith('Configuration')) return EXIT.invalid;
  return name.startsWith('zuora') ? EXIT.zuora : EXIT.temporal;
}
