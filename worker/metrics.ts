/** Metrics of a worker, beside those of workflow code (`workflows/telemetry.ts`) and of the SDK. */
import { Runtime, type NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { CLOSED_STATES, EMAIL_STATES, WORKFLOW_TYPE } from '../workflows/contract/contract.js';
import { BILL_RUNS } from '../zuora/client.js';
import type { OnCall } from '../zuora/observed.js';
import { TOKEN } from '../zuora/token.js';

/** Upper bounds of the buckets in seconds, by name of the histogram. */
export const HISTOGRAM_BUCKETS: Readonly<Record<string, number[]>> = {
  bill_run_emails_zuora_call_duration: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
  // From a few seconds to a person's decision after a week.
  bill_run_emails_accepted_to_sent: [60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400],
  bill_run_emails_posted_to_accepted: [1, 2.5, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800],
};

/** Records the duration of every call to Zuora, whether bill runs can be read, and the limits that Zuora last reported. */
export function zuoraMetrics(): OnCall {
  const meter = Runtime.instance().metricMeter;
  const duration = meter.createHistogram(
    'bill_run_emails_zuora_call_duration',
    'float',
    'seconds',
    'Calls to Zuora, by operation and HTTP status, in seconds.',
  );
  const unreadable = meter.createGauge(
    'bill_run_emails_zuora_unreadable',
    'int',
    undefined,
    '1 if the last read of a bill run, or the token for it, failed; else 0.',
  );
  const rateLeft = meter.createGauge(
    'bill_run_emails_zuora_rate_limit_remaining',
    'int',
    undefined,
    "Calls that Zuora's rate limit leaves, as last reported.",
  );
  const concurrencyLeft = meter.createGauge(
    'bill_run_emails_zuora_concurrency_remaining',
    'int',
    undefined,
    "Concurrent calls that Zuora's limit leaves, as last reported.",
  );
  return ({ endpoint, status, durationMs, rateLimitRemaining, concurrencyRemaining }) => {
    duration.record(durationMs / 1000, { endpoint, status });
    const isFailure = !/^(2..|404)$/.test(status);
    // A token alone reads nothing.
    if (endpoint.startsWith(BILL_RUNS) || (endpoint === TOKEN && isFailure)) unreadable.set(isFailure ? 1 : 0);
    if (rateLimitRemaining !== undefined) rateLeft.set(rateLimitRemaining);
    if (concurrencyRemaining === undefined) return;
    concurrencyLeft.set(concurrencyRemaining.remaining, { limit: concurrencyRemaining.type });
  };
}

const COUNT_EVERY_MS = 60_000;
const COUNT_DEADLINE_MS = 10_000;

/**
 * Counts the open jobs of the namespace by state, now and every minute. Every worker reports the same figures.
 *
 * @returns stops counting
 */
export function countOpenJobs(connection: NativeConnection, namespace: string, logger: Logger): () => void {
  const gauge = Runtime.instance().metricMeter.createGauge(
    'bill_run_emails_open_jobs',
    'int',
    undefined,
    'Open jobs of the namespace, by state; the same from every worker.',
  );
  const count = async (): Promise<void> => {
    for (const state of EMAIL_STATES.filter((each) => !CLOSED_STATES.includes(each))) {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND EmailState = '${state}'`;
      const { count } = await connection.withDeadline(Date.now() + COUNT_DEADLINE_MS, () =>
        connection.workflowService.countWorkflowExecutions({ namespace, query }),
      );
      gauge.set(Number(count), { namespace, email_state: state });
    }
  };
  const report = (): void => {
    count().catch((error: unknown) => {
      logger.warn({ reason: String(error) }, 'the open jobs could not be counted');
    });
  };
  report();
  const timer = setInterval(report, COUNT_EVERY_MS);
  return () => {
    clearInterval(timer);
  };
}
