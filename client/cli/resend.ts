import { InvalidArgumentError, Option, type Command } from 'commander';
import { checkResend, milliseconds } from '../../workflows/contract/validation.js';
import type { BillRunEmails, BillRunToStart, ResendResult } from '../bill-run-emails.js';
import { EXIT, naming, valid } from '../failures/errors.js';
import type { ResendOutcome } from '../resend-outcome.js';
import { userHere } from '../temporal/identity.js';
import { askUnless } from './bill-runs.js';
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

interface ResendOptions extends CommonOptions, NoteOptions {
  readonly requestId?: string;
  readonly yes?: true;
  readonly org?: string[];
  /** Milliseconds. */
  readonly wait?: number;
}

export function addResend(program: Command): void {
  withNote(onBillRun(program, 'resend', 'email all documents again, also to those who have an email'))
    .helpGroup(GROUP.send)
    .option('--request-id <id>', 'required: names the request; repeating it emails once, also after jobs have closed')
    .option('--yes', 'do not ask')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .addOption(
      new Option('--wait [duration]', 'wait until it is settled or a person is asked, at most so long')
        .preset('10 minutes')
        .argParser(durationToWait),
    )
    .addHelpText(
      'after',
      `${examples(
        'resend BR-00000001 --request-id "<ticket>" --reason "<why>"',
        'resend BR-00000001 --request-id "<ticket>" --reason "<why>" \\\n    --yes --wait=1h --json',
      )}

It emails every customer, also those who have an email: so it needs a
--request-id and a --reason. --requested-by is the user of this machine by
default. On a terminal it asks first; elsewhere it needs --yes.

Exit codes with --wait:
  0  emailed, or emailed before for the same request id
  4  a person is asked, or the time is over (it continues by itself: see status)
  5  the job closed without emailing`,
    )
    .action(async (key: string, { json, entity, org, wait, yes, ...options }: ResendOptions) => {
      const billRun = { billRunKey: key, entityId: entity, orgIds: org };
      const ask = async () => {
        const message = requestIn(options);
        const { requestId } = message;
        return naming(requestId, () =>
          connected((emails) => resend(emails, billRun, message, { yes, json, waitMs: wait })),
        );
      };
      await answer({ billRunKey: key, json }, ask, {
        inWords: (resent) => `${resent.text ?? requested(resent)}\nSee: bill-run-emails status ${key}`,
        exitCode: ({ result }) => exitCodesOf[result],
      });
    });
}

/** `--wait BR-00000001` takes the bill run for the duration. */
function durationToWait(text: string): number {
  const wait = milliseconds(text);
  if (wait >= 0) return wait;
  throw new InvalidArgumentError('It is not a duration such as 90s or 1h. Put --wait last, or write --wait=1h.');
}

/** How the request was taken or, with `--wait`, what came of it. */
type Resent = Omit<ResendResult, 'result'> &
  Partial<Omit<ResendOutcome, 'result'>> & { readonly result: ResendResult['result'] | ResendOutcome['result'] };

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
  { waitMs, ...how }: { yes: true | undefined; json: true | undefined; waitMs: number | undefined },
): Promise<Resent> {
  valid(checkResend(message));
  const { requestId, requestedBy, reason } = message;
  const { ALREADY } = await import('../resend-outcome.js');
  // It changes nothing, so nobody is asked.
  if (await emails.isResent(billRun, requestId)) return { ...(await emails.resend(billRun, message)), text: ALREADY };
  const facts = `Request ${requestId}: email all documents of ${billRun.billRunKey} again, for ${requestedBy}: ${reason}`;
  await askUnless(how, facts, 'Email every customer again?');
  const request = reportingOnce(how.json)(await emails.resend(billRun, message));
  if (request.result === 'alreadyEmailed') return { ...request, text: ALREADY };
  return waitMs === undefined ? request : { ...request, ...(await emails.resendOutcome(request, waitMs)) };
}

function requested({ workflowId, requestId, via, state }: Resent): string {
  const later = via === 'signal' ? ' No worker answered, so the job takes it when one runs.' : '';
  const held = state === 'Held' ? ' It is on hold: nothing is sent until release.' : '';
  return `Asked ${workflowId} to email all documents; request ${requestId}.${later}${held}`;
}

const exitCodesOf: Readonly<Record<Resent['result'], number>> = {
  started: EXIT.done,
  joined: EXIT.done,
  stopped: EXIT.notEmailed,
  emailed: EXIT.done,
  alreadyEmailed: EXIT.done,
  needsPerson: EXIT.needsPerson,
  waiting: EXIT.needsPerson,
  notEmailed: EXIT.notEmailed,
};
