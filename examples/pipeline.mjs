/**
 * Starts the email jobs of bill runs, and waits until Zuora has accepted each one:
 *
 *     node examples/pipeline.mjs BR-00000001 BR-00000002
 *
 * Safe to repeat. Exit codes are those of the command line: 0 all accepted, 4 one waits for a person or has documents that
 * were not sent, 5 one closed without emailing.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { BillRunEmails } from 'bill-run-emails/client';

const PAUSE_MS = 1_000;

/** The exit code for the result of a start, and for a state. Other states mean: wait. */
const exitCodes = {
  alreadyEmailed: 0,
  Delivering: 0,
  Emailed: 0,
  Held: 4,
  NeedsAttention: 4,
  Skipped: 5,
  NotPosted: 5,
  Stopped: 5,
  Unsettled: 5,
  stopped: 5,
};

const emails = await BillRunEmails.connect(); // TEMPORAL_*, BILL_RUN_TASK_QUEUE
try {
  const billRuns = process.argv.slice(2).map((billRunKey) => ({ billRunKey, requestedBy: 'nightly-billing' }));
  const waiting = [];
  for await (const { input, ok, value, error } of emails.startMany(billRuns)) {
    console.log(`${input.billRunKey}: ${ok ? value.result : error.message}`);
    if (ok && !(value.result in exitCodes)) waiting.push(input);
    else if (ok && value.documentsNotSent > 0)
      endWith(4); // Fix the cause, then: retry.
    else endWith(ok ? exitCodes[value.result] : 1);
  }
  for (const { billRunKey } of waiting) {
    const { state, ended, question } = await settled({ billRunKey });
    console.log(`${billRunKey}: ${ended?.status ?? state}${question === null ? '' : `, ${question.text}`}`);
    endWith(ended === undefined ? exitCodes[state] : 5);
  }
} finally {
  await emails.close();
}

/** This can take as long as the bill run takes to post: up to its `postDeadline`. */
async function settled(billRun) {
  for (;;) {
    const status = await emails.status(billRun);
    if (status.ended !== undefined || status.state in exitCodes) return status;
    await pause(PAUSE_MS);
  }
}

function endWith(code) {
  process.exitCode = Math.max(process.exitCode ?? 0, code);
}
