/** What machines are told of a run, in metrics and log lines: never during replay, so each thing once. */
import { log, metricMeter, workflowInfo, type WorkflowOutboundCallsInterceptor } from '@temporalio/workflow';
import type { Attempt, EmailState } from './contract/contract.js';
import type { Run } from './rules/job.js';
import { searchAttributes } from './contract/search-attributes.js';
import type { Send } from './rules/send.js';

/** Tells what is new, and remembers it. */
export function tell(run: Run, state: EmailState): void {
  const { told, billRun } = run;
  const attempts = run.sends.flatMap(attemptsOfThisRun);
  const settled = run.sends.filter(({ settledAt }) => settledAt !== null);
  const postedAt = told?.postedAt ?? (billRun?.status === 'Posted' ? run.lookedAt : null);

  for (const each of attempts.slice(told?.attempts)) tellAttempt(each);
  for (const send of settled.slice(told?.settledSends)) tellSend(send, postedAt);
  if (state !== told?.state) log.info(`the bill run's emails: ${state}`, { emailState: state });
  run.told = { state, attempts: attempts.length, settledSends: settled.length, postedAt };
}

interface AttemptOfSend extends Attempt, Pick<Send, 'resend'> {}

/** Those of earlier runs were told by them. */
function attemptsOfThisRun({ attempts, resend }: Send): readonly AttemptOfSend[] {
  return attempts.filter(({ runId }) => runId === undefined).map((attempt) => ({ ...attempt, resend }));
}

function tellAttempt({ resend, reasons, ...attempt }: AttemptOfSend): void {
  metricMeter
    .createCounter(
      'bill_run_emails_attempts',
      undefined,
      'Calls to email the documents of a bill run, by what became of them.',
    )
    .add(1, { verdict: attempt.verdict, resend });
  // Zuora's own words stay in history.
  log.info(`attempt ended: ${attempt.verdict}`, { resend, ...attempt, reasonCodes: reasons.map(({ code }) => code) });
}

function tellSend({ ordinal, resend, outcome, attempts, settledAt }: Send, postedAt: number | null): void {
  metricMeter
    .createCounter('bill_run_emails_sends', undefined, 'Sends that were settled, by how they ended.')
    .add(1, { outcome, resend });
  log.info(`send settled: ${outcome}`, { ordinal, resend, outcome, attempts: attempts.length });
  if (outcome !== 'accepted' || ordinal !== 1 || resend || postedAt === null || settledAt === null) return;
  metricMeter
    .createHistogram(
      'bill_run_emails_posted_to_accepted',
      'float',
      'seconds',
      'From the look that saw a bill run posted to the acceptance of its first send, in seconds.',
    )
    .record(Math.max(0, Date.parse(settledAt) - postedAt) / 1000);
}

/** Names the bill run in every line: by number, or, until that is known, by what the workflow id says. */
export const billRunInLogs: WorkflowOutboundCallsInterceptor = {
  getLogAttributes(input, next) {
    const { workflowId, typedSearchAttributes } = workflowInfo();
    const billRun = typedSearchAttributes.get(searchAttributes.billRunNumber) ?? workflowId.split('/').at(-1);
    return { ...next(input), billRun };
  },
};
