/** What a worker counts, beside what workflow code tells of itself (`workflows/telemetry.ts`) and the SDK of its own work. */
import { Runtime, type NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { WORKFLOW_TYPE, type EmailState } from '../workflows/contract/contract.js';
import type { OnCall } from '../zuora/observed.js';

/** Upper bounds of the buckets, in seconds, by name of the histogram. */
export const HISTOGRAM_BUCKETS: Readonly<Record<string, number[]>> = {
  bill_run_emails_zuora_call_duration: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
  // From the usual seconds to a person's decision after a week.
  bill_run_emails_posted_to_accepted: [1, 2.5, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800],
};

/** Times every call to Zuora, and keeps what Zuora last said of its limits. */
export function zuoraMetrics(): OnCall {
  const meter = Runtime.instance().metricMeter;
  const duration = meter.createHistogram(
    'bill_run_emails_zuora_call_duration',
    'float',
    'seconds',
    'Calls to Zuora, by operation and HTTP status, in seconds.',
  );
  const rateLeft = meter.createGauge(
    'bill_run_emails_zuora_rate_limit_remaining',
    'int',
    undefined,
    "Calls that Zuora's rate limit leaves, as last told.",
  );
  const concurrencyLeft = meter.createGauge(
    'bill_run_emails_zuora_concurrency_remaining',
    'int',
    undefined,
    "Calls at once that Zuora's concurrency limit leaves, as last told.",
  );
  return ({ endpoint, status, durationMs, rateLimitRemaining, concurrencyRemaining }) => {
    duration.record(durationMs / 1000, { endpoint, status });
    if (rateLimitRemaining !== undefined) rateLeft.set(rateLimitRemaining);
    if (concurrencyRemaining === undefined) return;
    concurrencyLeft.set(concurrencyRemaining.remaining, { limit: concurrencyRemaining.type });
  };
}

/** The states in which a run is open. */
const OPEN_STATES: readonly EmailState[] = [
  'WaitingForPost',
  'Delayed',
  'Sending',
  'Held',
  'NeedsAttention',
  'Skipped',
  'Emailed',
];
const COUNT_EVERY_MS = 60_000;
const COUNT_DEADLINE_MS = 10_000;

/**
 * Counts the open runs of the namespace by state, now and every minute, because only Temporal knows them all. Every worker
 * tells the same figures.
 *
 * @returns ends it
 */
export function countOpenRuns(connection: NativeConnection, namespace: string, logger: Logger): () => void {
  const gauge = Runtime.instance().metricMeter.createGauge(
    'bill_run_emails_open_runs',
    'int',
    undefined,
    'Open runs of the namespace, by state; the same from every worker.',
  );
  const count = async (): Promise<void> => {
    for (const state of OPEN_STATES) {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND EmailState = '${state}'`;
      const { count } = await connection.withDeadline(Date.now() + COUNT_DEADLINE_MS, () =>
        connection.workflowService.countWorkflowExecutions({ namespace, query }),
      );
      gauge.set(Number(count), { namespace, email_state: state });
    }
  };
  const tell = (): void => {
    count().catch((error: unknown) => {
      logger.warn({ reason: String(error) }, 'the open runs could not be counted');
    });
  };
  tell();
  const timer = setInterval(tell, COUNT_EVERY_MS);
  return () => {
    clearInterval(timer);
  };
}
