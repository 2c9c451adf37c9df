// node pipeline.mjs BR-00000001 BR-00000002 …
import { BillRunEmails } from 'bill-run-emails/client';

const emails = await BillRunEmails.connect(); // TEMPORAL_*, BILL_RUN_TASK_QUEUE
const billRuns = process.argv.slice(2).map((billRunKey) => ({ billRunKey, requestedBy: 'nightly-billing' }));
for await (const { input, ok, error } of emails.startMany(billRuns)) if (!ok) console.error(input.billRunKey, error);
for await (const { request, ...settled } of emails.settledMany(billRuns, { until: 'emailed', longestMs: 7_200_000 })) {
  if (settled.value?.outcome === 'emailed') continue;
  process.exitCode = 4;
  const { outcome, text, documents = [] } = settled.value ?? { outcome: 'failed', text: settled.error.message };
  console.log(request.billRunKey, outcome, documents.map(({ number }) => number).join(' ') || text);
}
await emails.close();
