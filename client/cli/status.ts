import { stripVTControlCharacters } from 'node:util';
import type { Command } from 'commander';
import type { BillRunEmails, BillRunName } from '../bill-run-emails.js';
import { answerEach, billRunsNamed, onBillRuns, type BillRunsOptions } from './bill-runs.js';
import { failureIn } from '../failures/errors.js';
import { tryEach } from '../many.js';
import { answer, connected, examples, forPeople, GROUP, type CommonOptions } from './command.js';
import { exitCodeOfState } from './email-states.js';
import * as tables from './tables.js';
import { uiLinks } from './ui-link.js';
import { orSettled, settledEach, WAIT, waitIn, withWait, type MaybeSettled, type WaitOptions } from './wait.js';

export function addStatus(program: Command): void {
  withWait(onBillRuns(program, 'status', 'what jobs do, wait for and ask, their sends and documents'))
    .helpGroup(GROUP.look)
    .addHelpText(
      'after',
      `${examples(
        'status BR-00000001',
        'status BR-00000001 --json',
        'status BR-00000001 BR-00000002',
        'status --file - --wait=1h --until emailed',
      )}

With --wait it says only what came of them.

${WAIT}`,
    )
    .action(async (args: readonly string[], { json, entity: entityId, file, ...waiting }: StatusOptions) => {
      const keys = await billRunsNamed(args, { file });
      const wait = waitIn(waiting);
      const requestOf = (billRunKey: string): BillRunName => ({ billRunKey, entityId });
      const [only] = args;
      if (keys.length === 1 && only !== undefined) {
        const ask = () => {
          const linked = uiLinks();
          return connected(async (emails): Promise<MaybeSettled<tables.StatusAndSends>> => {
            if (wait !== undefined) return linked(emails, await emails.settled(requestOf(only), wait));
            const found = await statusAndSends(emails, requestOf(only));
            const heldBy = await emails.holdAllRequests();
            return linked(emails, heldBy === null ? found : { ...found, heldBy });
          });
        };
        await answer({ billRunKey: only, json }, ask, orSettled(wait, { inWords: tables.status, exitCode }, only));
        return;
      }
      const named = { json, nameOf: (key: string) => key };
      await connected((emails) => {
        if (wait === undefined) {
          const answers = tryEach(keys, (key) => statusAndSends(emails, requestOf(key)));
          return answerEach(keys, answers, { ...named, inWords: tables.statusLine, exitCode });
        }
        const answers = settledEach(keys, { emails, wait, requestOf });
        return answerEach(keys, answers, { ...named, ...orSettled(wait, { inWords: tables.statusLine, exitCode }) });
      });
    });
}

interface StatusOptions extends CommonOptions, BillRunsOptions, WaitOptions {}

function exitCode({ state, ended, paused, documentsNotSent }: tables.StatusAndSends): number {
  return exitCodeOfState(state, {
    ...{ isEnded: ended !== undefined, isPaused: paused !== undefined, notSent: documentsNotSent ?? 0 },
  });
}

/** What a person should know before a risky order. What cannot be found out does not keep the order back. */
export async function factsOf(
  emails: BillRunEmails,
  name: { readonly billRunKey: string; readonly entityId?: string | undefined },
): Promise<string> {
  const where = `${name.billRunKey} in namespace ${emails.client.options.namespace}`;
  try {
    const status = { ...(await emails.status(name)), sendRecords: null };
    return `${where}: ${stripVTControlCharacters(tables.statusLine(forPeople(status)))}`;
  } catch (error) {
    const { type, message } = failureIn(error);
    return `${where}: ${type === 'NotFound' ? 'no job yet' : `it is not known how its job stands: ${message}`}.`;
  }
}

async function statusAndSends(emails: BillRunEmails, name: BillRunName): Promise<tables.StatusAndSends> {
  const status = await emails.status(name);
  return { ...status, sendRecords: status.unanswered === true ? null : await emails.sends(status) };
}
