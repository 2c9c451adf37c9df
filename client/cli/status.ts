import type { Command } from 'commander';
import type { BillRunEmails, BillRunName } from '../bill-run-emails.js';
import { answerEach, billRunsNamed, onBillRuns, type BillRunsOptions } from './bill-runs.js';
import { answer, connected, examples, GROUP, type CommonOptions } from './command.js';
import { exitCodeOfState } from './email-states.js';
import * as tables from './tables.js';
import { uiLinks } from './ui-link.js';

export function addStatus(program: Command): void {
  onBillRuns(program, 'status', 'what jobs do, wait for and ask, their sends and documents')
    .helpGroup(GROUP.look)
    .addHelpText(
      'after',
      examples('status BR-00000001', 'status BR-00000001 --json', 'status BR-00000001 BR-00000002', 'status --file -'),
    )
    .action(async (args: readonly string[], { json, entity: entityId, file }: CommonOptions & BillRunsOptions) => {
      const keys = await billRunsNamed(args, { file });
      const [only] = args;
      const exitCode = ({ state, ended, paused, documentsNotSent }: tables.StatusAndSends): number =>
        exitCodeOfState(state, {
          ...{ isEnded: ended !== undefined, isPaused: paused !== undefined, notSent: documentsNotSent ?? 0 },
        });
      if (keys.length === 1 && only !== undefined) {
        const ask = () => {
          const linked = uiLinks();
          return connected(async (emails) => {
            const found = await statusAndSends(emails, { billRunKey: only, entityId });
            const heldBy = await emails.holdAllRequests();
            return linked(emails, heldBy === null ? found : { ...found, heldBy });
          });
        };
        await answer({ billRunKey: only, json }, ask, { inWords: tables.status, exitCode });
        return;
      }
      await connected((emails) =>
        answerEach(keys, (billRunKey) => statusAndSends(emails, { billRunKey, entityId }), {
          ...{ json, nameOf: (key) => key, inWords: tables.statusLine, exitCode },
        }),
      );
    });
}

async function statusAndSends(emails: BillRunEmails, name: BillRunName): Promise<tables.StatusAndSends> {
  const status = await emails.status(name);
  return { ...status, sendRecords: status.unanswered === true ? null : await emails.sends(status) };
}
