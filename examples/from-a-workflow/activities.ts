import { Context } from '@temporalio/activity';
import { BillRunEmails, type StartInput, type StartResult } from 'bill-run-emails/client';

/** There is a job: how it stands decides. Safe to repeat. */
export async function startOrJoin(billRun: StartInput): Promise<StartResult['result']> {
  const emails = new BillRunEmails(Context.current().client);
  return (await emails.start(billRun)).result;
}
