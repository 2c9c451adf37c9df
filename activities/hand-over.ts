import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, FinalFailures, HandedOver, HandOverInput } from '../workflows/contract/activities.js';
import { BillRunEmails, type BillRunToStart } from '../client/bill-run-emails.js';
import { BillRunEmailsError } from '../client/failures/errors.js';
import type { EmailBillRunInput, EmailRequest } from '../workflows/contract/contract.js';
import { whileAlive } from './alive.js';

/** Repeats the callers' requests through the library that they use: it starts, joins, and knows what was emailed. */
export const handOver: Activities['handOver'] = (input) => whileAlive(() => handOverAll(input));

async function handOverAll({ input, requests }: HandOverInput): Promise<readonly HandedOver[]> {
  const emails = new BillRunEmails(Context.current().client, { taskQueue: activityInfo().taskQueue, warns: false });
  const handedOver: HandedOver[] = [];
  for (const request of requests) {
    try {
      handedOver.push({ requestId: request.requestId, result: await ask(emails, input, request) });
    } catch (error) {
      if (!(error instanceof BillRunEmailsError)) throw error;
      if (error.type === 'NothingMissing') {
        handedOver.push({ requestId: request.requestId, result: 'alreadyEmailed' });
        continue;
      }
      const isFinal = error.type === 'InvalidInput' || (error.type === 'NotFound' && request.missing === true);
      if (!isFinal) throw error;
      throw ApplicationFailure.nonRetryable(error.message, 'InvalidInput' satisfies FinalFailures['handOver']);
    }
  }
  return handedOver;
}

async function ask(
  emails: BillRunEmails,
  input: EmailBillRunInput,
  { requestId, resend, missing, requestedBy, reason }: EmailRequest,
): Promise<HandedOver['result']> {
  const request = { requestId, requestedBy, reason };
  const billRun = withoutRequest(input);
  if (!resend) return (await emails.start({ ...billRun, ...request, missing })).result;
  await emails.resend(billRun, request);
  return 'joined';
}

/** The input without the starter's own request, which is one of the requests. */
function withoutRequest({
  resend,
  missing,
  requestId,
  requestedBy,
  reason,
  ...billRun
}: EmailBillRunInput): BillRunToStart {
  return billRun;
}
