import { InvalidArgumentError, Option, type Command } from 'commander';
import { milliseconds } from '../../workflows/contract/validation.js';
import type { BillRunEmails, ResendResult } from '../bill-run-emails.js';
import { EXIT } from '../failures/errors.js';
import type { ResendOutcome } from '../resend-outcome.js';
import { connected, examples, onBillRun, optional, print, type CommonOptions, type NoteOptions } from './command.js';

interface ResendOptions extends CommonOptions, NoteOptions {
  readonly requestId?: string;
  readonly org?: string[];
  readonly wait?: string;
}

const DEFAULT_WAIT = '10 minutes';

export function addResend(program: Command): void {
  onBillRun(program, 'resend', 'email all documents again: by the run at work, or else by a new one')
    .option('--request-id <id>', 'names the request; repeating it asks once, also when earlier runs have closed')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--requested-by <who>', 'who asks')
    .option('--reason <why>', 'why')
    .addOption(
      new Option('--wait [duration]', 'wait until it is settled or a person is asked, for so long at most')
        .preset(DEFAULT_WAIT)
        .argParser(durationToWait),
    )
    .addHelpText(
      'after',
      `${examples(
        'resend BR-00000001 --requested-by alice --reason "template was wrong, TICKET-1"',
        'resend BR-00000001 --request-id TICKET-1 --wait',
        'resend BR-00000001 --wait=1h --json',
      )}

With --wait, the exit code tells: 0 emailed, or emailed before for the same request id; 4 a person is asked, or the
time is over (it goes on by itself: see status); 5 the run ended without emailing.`,
    )
    .action(async (key: string, { json, entity, org, wait, ...message }: ResendOptions) => {
      const billRun = { billRunKey: key, ...optional('entityId', entity), ...optional('orgIds', org) };
      await connected(async (emails) => {
        const served = message.requestId === undefined ? null : await emails.resendServed(billRun, message.requestId);
        if (served !== null) {
          tell(json, served, key);
          return;
        }
        const asked = await emails.requestResend(billRun, message);
        const words = `Asked ${asked.workflowId} to email all documents; request ${asked.requestId}.`;
        if (wait === undefined) print(json, asked, words);
        else await waitFor(emails, asked, { json, key, words, longest: wait });
      });
    });
}

/** `--wait BR-00000001` takes the bill run for the duration. */
function durationToWait(text: string): string {
  if (milliseconds(text) >= 0) return text;
  throw new InvalidArgumentError('It is no duration such as 90s or 1h. Put --wait last, or write --wait=1h.');
}

async function waitFor(
  emails: BillRunEmails,
  asked: ResendResult,
  { json, key, words, longest }: { json: true | undefined; key: string; words: string; longest: string },
): Promise<void> {
  console.error(words);
  tell(json, { ...asked, ...(await emails.resendOutcome(asked, longest)) }, key);
}

function tell(json: true | undefined, outcome: ResendResult & ResendOutcome, key: string): void {
  const see = `See: bill-run-emails sends ${key}`;
  print(json, outcome, `${outcome.text.replaceAll(' KEY', ` ${key}`)}\n${see}`);
  process.exitCode = exitCodesOf[outcome.result];
}

const exitCodesOf: Readonly<Record<ResendOutcome['result'], number>> = {
  emailed: EXIT.done,
  alreadyEmailed: EXIT.done,
  needsPerson: EXIT.needsPerson,
  waiting: EXIT.needsPerson,
  notEmailed: EXIT.notEmailed,
};
