/** Metrics and log lines about a job. Nothing is reported during replay, so each thing is reported once. */
import { log, metricMeter } from '@temporalio/workflow';
import type { Attempt } from './contract/contract.js';
import type { SweepResult } from './contract/sweep.js';
import { isAllSent } from './rules/documents.js';
import type { EmailJob } from './rules/job.js';
import type { Send } from './rules/send.js';
import type { Step } from './rules/step.js';
import { stateInWords } from './rules/text.js';

/** Reports what is new since the last call. */
export function report(job: EmailJob, { state, reason }: Pick<Step, 'state' | 'reason'>): void {
  const { reported, billRun } = job;
  const attempts = job.sends.flatMap(attemptsOfThisJob);
  const settled = job.sends.filter(({ settledAt }) => settledAt !== null);
  const postedAt = reported?.postedAt ?? (billRun?.status === 'Posted' ? job.lookedAt : null);

  for (const attempt of attempts.slice(reported?.attempts)) reportAttempt(attempt);
  for (const send of settled.slice(reported?.settledSends)) reportSend(send, postedAt);
  if (state !== reported?.state || reason !== reported.reason) {
    log.info(`email job: ${stateInWords(state, reason)}`, { emailState: state, emailReason: reason });
  }
  const documents = reportDocuments(job);
  job.reported = {
    ...{ state, reason, attempts: attempts.length, settledSends: settled.length, postedAt },
    ...(documents === undefined ? {} : { documents }),
  };
}

/** Counts documents that have come to an outcome since the last check. */
function reportDocuments({ delivery, reported }: EmailJob): NonNullable<EmailJob['reported']>['documents'] {
  const check = delivery?.check;
  if (check == null) return reported?.documents;
  const { ordinal, from } = delivery ?? { ordinal: 0, from: 0 };
  const { kinds, at } = check;
  if (reported?.documents?.ordinal === ordinal && reported.documents.at === at) return reported.documents;
  const before = reported?.documents?.ordinal === ordinal ? reported.documents.kinds : undefined;
  for (const kind of ['invoice', 'creditMemo'] as const) {
    for (const outcome of ['sent', 'notSent', 'leftOut', 'unknown'] as const) {
      const more = kinds[kind][outcome] - (before?.[kind][outcome] ?? 0);
      if (more > 0) {
        metricMeter
          .createCounter(
            'bill_run_emails_documents',
            undefined,
            'Documents by the outcome that a check showed; one whose outcome changes counts again.',
          )
          .add(more, { kind, outcome });
      }
    }
  }
  if (isAllSent(check)) {
    metricMeter
      .createHistogram(
        'bill_run_emails_accepted_to_sent',
        'float',
        'seconds',
        'Time from the acceptance of a send to the check that showed an email for each of its documents, in seconds.',
      )
      .record(Math.max(0, at - from) / 1000);
  }
  return { ordinal, kinds, at };
}

interface AttemptOfSend extends Attempt, Pick<Send, 'resend'> {}

/** Earlier jobs have reported their own. */
function attemptsOfThisJob({ attempts, resend }: Send): readonly AttemptOfSend[] {
  return attempts.filter(({ runId }) => runId === undefined).map((attempt) => ({ ...attempt, resend }));
}

function reportAttempt({ resend, reasons, ...attempt }: AttemptOfSend): void {
  metricMeter
    .createCounter('bill_run_emails_attempts', undefined, 'Calls to email the documents of a bill run, by verdict.')
    .add(1, { verdict: attempt.verdict, resend });
  // Zuora's own words stay in history.
  log.info(`attempt ended: ${attempt.verdict}`, { resend, ...attempt, reasonCodes: reasons.map(({ code }) => code) });
}

function reportSend({ ordinal, resend, outcome, attempts, settledAt }: Send, postedAt: number | null): void {
  metricMeter
    .createCounter('bill_run_emails_sends', undefined, 'Settled sends, by outcome.')
    .add(1, { outcome, resend });
  log.info(`send settled: ${outcome}`, { ordinal, resend, outcome, attempts: attempts.length });
  if (outcome !== 'accepted' || ordinal !== 1 || resend || postedAt === null || settledAt === null) return;
  metricMeter
    .createHistogram(
      'bill_run_emails_posted_to_accepted',
      'float',
      'seconds',
      'Time from the look that showed a bill run as posted to the acceptance of its first send, in seconds.',
    )
    .record(Math.max(0, Date.parse(settledAt) - postedAt) / 1000);
}

export function reportSweep({ looked, counts, started, waitingForPeople }: SweepResult): void {
  const found = { forgotten: counts.forgotten - started.length, waitingForPeople: waitingForPeople.length };
  metricMeter.createCounter('bill_run_emails_sweeps', undefined, 'Sweeps that came to their end.').add(1);
  const counter = metricMeter.createCounter('bill_run_emails_sweep_found', undefined, 'What sweeps found, by kind.');
  for (const [kind, count] of Object.entries(found)) counter.add(count, { kind });
  log.info('swept', { looked, ...found, started: started.length });
}
