import { Option, type Command } from 'commander';
import { checkResend } from '../../workflows/contract/validation.js';
import type { BillRunEmails, BillRunToStart, ResendResult } from '../bill-run-emails.js';
import { EXIT, naming, valid } from '../failures/errors.js';
import type { SettleOptions } from '../settled.js';
import { userHere } from '../temporal/identity.js';
import { askUnless } from './bill-runs.js';
import { factsOf } from './status.js';
import {
  answer,
  connected,
  examples,
  GROUP,
  mistake,
  NO_NAME,
  onBillRun,
  reportingOnce,
  withNote,
  type CommonOptions,
  type NoteOptions,
} from './command.js';
import { orSettled, settledOne, WAIT, waitIn, withWait, type MaybeSettled, type WaitOptions } from './wait.js';

interface ResendOptions extends CommonOptions, NoteOptions, WaitOptions {
  readonly requestId?: string;
  readonly yes?: true;
  readonly org?: string[];
}

export function addResend(program: Command): void {
  withWait(withNote(onBillRun(program, 'resend', 'email all documents again, also to those who have an email')))
    .helpGroup(GROUP.send)
    .option('--request-id <id>', 'required: names the request; repeating it emails once, also after jobs have closed')
    .option('--yes', 'do not ask')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .addHelpText(
      'after',
      `${examples(
        'resend BR-00000001 --request-id "<ticket>" --reason "<why>"',
        'resend BR-00000001 --request-id "<ticket>" --reason "<why>" \\\n    --yes --wait=1h --json',
      )}

It emails every customer, also those who have an email: so it needs a
--request-id and a --reason. --requested-by is the user of this machine by
default. On a terminal it asks first; elsewhere it needs --yes.

${WAIT}`,
    )
    .action(async (key: string, { json, entity, org, wait: longest, until, yes, ...options }: ResendOptions) => {
      const billRun = { billRunKey: key, entityId: entity, orgIds: org };
      const wait = waitIn({ wait: longest, until });
      const ask = async () => {
        const message = requestIn(options);
        const { requestId } = message;
        return naming(requestId, () => connected((emails) => resend(emails, billRun, message, { yes, json, wait })));
      };
      const inWords = (resent: Resent): string => `${requested(resent)}\nSee: bill-run-emails status ${key}`;
      const exitCode = ({ result }: Resent): number => exitCodesOf[result];
      await answer({ billRunKey: key, json }, ask, orSettled(wait, { inWords, exitCode }, key));
    });
}

/** How the request was taken. */
interface Resent extends ResendResult {
  readonly text?: string;
}

type Request = Required<Pick<ResendOptions, 'requestId' | 'requestedBy' | 'reason'>>;

function requestIn({ requestId, requestedBy = userHere(), reason }: ResendOptions): Request {
  if (requestId === undefined) {
    throw mistake('name the resend by --request-id, for example by a ticket number: repeating it then emails once');
  }
  if (reason === undefined) throw mistake('a resend emails every customer again, so it needs a --reason');
  if (requestedBy === undefined) throw mistake(NO_NAME);
  return { requestId, requestedBy, reason };
}

async function resend(
  emails: BillRunEmails,
  billRun: BillRunToStart,
  message: Request,
  { wait, ...how }: { yes: true | undefined; json: true | undefined; wait: SettleOptions | undefined },
): Promise<MaybeSettled<Resent>> {
  valid(checkResend(message));
  const { requestId, requestedBy, reason } = message;
  // It changes nothing, so nobody is asked.
  if (!(await emails.isResent(billRun, requestId))) {
    const request = `Request ${requestId}: email all documents of ${billRun.billRunKey} again, for ${requestedBy}: ${reason}`;
    await askUnless(how, async () => [await factsOf(emails, billRun), request], 'Email every customer again?');
  }
  const taken = reportingOnce(how.json)(await emails.resend(billRun, message));
  const resent = taken.result === 'alreadyEmailed' ? { ...taken, text: ALREADY } : taken;
  const { workflowId } = taken;
  if (wait === undefined) return resent;
  return settledOne(resent, { workflowId, resend: requestId }, { emails, wait, json: how.json, inWords: requested });
}

const ALREADY = 'Already emailed for this request; nothing is emailed again. To email again, use a new request id.';

function requested({ workflowId, requestId, via, state, text }: Resent): string {
  const later = via === 'signal' ? ' No worker answered, so the job takes it when one runs.' : '';
  const held = state === 'Held' ? ' It is on hold: nothing is sent until release.' : '';
  return text ?? `Asked ${workflowId} to email all documents; request ${requestId}.${later}${held}`;
}

const exitCodesOf: Readonly<Record<Resent['result'], number>> = {
  started: EXIT.done,
  joined: EXIT.done,
  stopped: EXIT.notEmailed,
  alreadyEmailed: EXIT.done,
};
