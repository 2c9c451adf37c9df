import { Option, type Command } from 'commander';
import type { JobRequest } from '../bill-run-emails.js';
import type { StartInput, StartResult } from '../starting.js';
import type { FileLine } from './bill-run-file.js';
import { BillRunEmailsError, EXIT } from '../failures/errors.js';
import { answerEach, billRunsNamed, contentsOf, onBillRuns, type BillRunsOptions } from './bill-runs.js';
import {
  answer,
  connected,
  examples,
  GROUP,
  mistake,
  reportingOnce,
  withNote,
  type CommonOptions,
  type NoteOptions,
} from './command.js';
import * as tables from './tables.js';
import { uiLinks } from './ui-link.js';
import { orSettled, triedOrSettled, settledOne, WAIT, waitIn, withWait, type WaitOptions } from './wait.js';

interface StartOptions extends CommonOptions, BillRunsOptions, NoteOptions, WaitOptions {
  readonly again?: true;
  readonly hold?: true;
  readonly org?: string[];
}

const FILES = `

Files have a key on each line, or they are CSV, whose first line names its
columns, or JSON lines. Columns and fields are those of a start's input, with
billRunKey among them. They win over the options. Each line has its result
(started, joined, alreadyEmailed or stopped), or says why it has none. It is
safe to repeat a whole file. For several bill runs, the exit code is the
highest of theirs.

A bill run that was emailed, but with documents that were not sent, ends with
4: retry emails only those.`;

const WARNINGS = `

A start that Temporal took ends with 0. It warns, on stderr or as warnings in
the JSON line, if no worker polls, search attributes are missing, or all jobs
are on hold.`;

export function addStart(program: Command): void {
  withWait(withNote(onBillRuns(program, 'start', 'email bill runs once they are posted; joins open jobs')))
    .helpGroup(GROUP.send)
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--post-deadline <duration>', 'how long to wait for the post (30 days)')
    .option('--send-budget <duration>', 'how long to attempt a send without a person (12 hours, at most 20)')
    .option('--cool-down <duration>', "how long after Zuora's last emails a first send waits (24 hours)")
    .option(
      '--open-for <duration>',
      'how long the job stays open after an acceptance, a question or an answer (7 days)',
    )
    .option('--hold', 'start on hold: nothing is sent until release')
    .option('--again', 'also if a person closed the last job; goes on with what that job left open')
    .addHelpText(
      'after',
      examples(
        'start BR-00000001',
        'start BR-00000001 --requested-by nightly-billing --json',
        'start --file runs.csv',
        'start --file runs.csv --wait=1h --json',
      ) +
        FILES +
        WARNINGS +
        `\n\n${WAIT}`,
    )
    .action(
      async (keys: readonly string[], { json, entity, file, org, wait: longest, until, ...rest }: StartOptions) => {
        const defaults = { entityId: entity, orgIds: org, ...rest };
        const wait = waitIn({ wait: longest, until });
        const reported = reportingOnce(json);
        const [only] = keys;
        if (file === undefined && keys.length === 1 && only !== undefined) {
          const start = () => {
            const linked = uiLinks();
            return connected(async (emails) => {
              const started = reported(await emails.start({ billRunKey: only, ...defaults }));
              const how = { emails, json, inWords: tables.started };
              return linked(
                emails,
                wait === undefined ? started : await settledOne(started, started, { ...how, wait }),
              );
            });
          };
          await answer({ billRunKey: only, json }, start, orSettled(wait, { inWords: tables.started, exitCode }, only));
          return;
        }
        const lines = await linesToStart(keys, file);
        await connected((emails) => {
          const start = async ({ input, fault }: Line): Promise<StartResult> => {
            if (fault !== undefined) throw new BillRunEmailsError('InvalidInput', `invalid input: ${fault}`);
            // The start itself checks the fields of a file.
            return reported(await emails.start({ ...defaults, ...input } as StartInput));
          };
          const requestOf = ({ input }: Line, { workflowId }: StartResult): JobRequest => {
            const { resend, requestId, missing } = (input ?? {}) as StartInput;
            return { workflowId, resend: resend === true ? requestId : undefined, retry: missing };
          };
          return answerEach(lines, triedOrSettled(lines, start, { emails, wait, requestOf }), {
            ...{ json, nameOf: keyOf, lineOf: ({ line }) => line },
            ...orSettled(wait, { inWords: tables.startedLine, resultOf, exitCode }),
          });
        });
      },
    );
}

type Line = Omit<FileLine, 'line'> & { readonly line?: number };

async function linesToStart(keys: readonly string[], file: string | undefined): Promise<readonly Line[]> {
  if (file === undefined || keys.length > 0) {
    return (await billRunsNamed(keys, { file })).map((billRunKey) => ({ input: { billRunKey } }));
  }
  const { linesOf } = await import('./bill-run-file.js');
  const lines = linesOf(await contentsOf(file));
  // An empty file means that an earlier step of the pipeline has failed.
  if (lines.length === 0) throw mistake(`${file === '-' ? 'stdin' : file} names no bill run to start`);
  return lines;
}

/** The key as the file has it, for people who search for it there. Longer texts are cut: no key is that long. */
function keyOf({ input }: Line): string | null {
  const { billRunKey }: { billRunKey?: unknown } = input ?? {};
  return typeof billRunKey === 'string' ? billRunKey.slice(0, 100) : null;
}

function resultOf({ result }: StartResult): string {
  return result;
}

function exitCode({ result, documentsNotSent }: StartResult): number {
  return (documentsNotSent ?? 0) > 0 ? EXIT.needsPerson : exitCodesOfStart[result];
}

const exitCodesOfStart: Readonly<Record<StartResult['result'], number>> = {
  started: EXIT.done,
  joined: EXIT.done,
  alreadyEmailed: EXIT.done,
  stopped: EXIT.notEmailed,
};
