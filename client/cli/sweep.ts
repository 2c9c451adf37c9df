import { Option, type Command } from 'commander';
import type { SweepInput, SweepResult } from '../../workflows/contract/sweep.js';
import type { BillRunEmails } from '../bill-run-emails.js';
import { EXIT } from '../failures/errors.js';
import { askUnless, canAsk } from './bill-runs.js';
import { answer, connected, examples, forPeople, GROUP, mistake, type CommonOptions } from './command.js';
import { timeHere } from './terminal.js';

interface SweepOptions extends CommonOptions {
  readonly postedSince?: string;
  readonly start?: true;
  readonly startPostedSince?: string;
  readonly yes?: true;
}

const ABOUT = `
It compares the bill runs that Zuora posted with their jobs. It names those that
nobody emailed and nobody stopped, and the jobs that wait for people. A worker
does it. Not named are bill runs that Zuora emails by itself, that somebody
emailed in Zuora, without documents, or stopped by a person.

--start starts what was forgotten, as start does: nothing that was posted before
the date, at most 100 at once, and nothing while all jobs are on hold. On a
terminal it shows the list first, and asks.

Exit code 4: something is forgotten, or a job waits for a person.
No sweep looks back further than Temporal keeps closed jobs. Every hour by
a Temporal Schedule: setup --sweep 1h`;

export function addSweep(program: Command): void {
  program
    .command('sweep')
    .helpGroup(GROUP.look)
    .description('find posted bill runs that nobody emailed')
    .option('--posted-since <duration>', 'how far to look back (3 days)')
    .option('--start', 'start what was forgotten; needs --start-posted-since')
    .option('--start-posted-since <date>', 'start nothing that was posted before, such as 2026-11-01')
    .option('--yes', 'with --start: do not ask')
    .addOption(new Option('--entity <id>', 'Zuora Multi-entity only: the entity of the bill runs'))
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `${examples('sweep', 'sweep --posted-since 7d --json', 'sweep --start --start-posted-since 2026-11-01')}\n${ABOUT}`,
    )
    .action(async ({ json, entity: entityId, yes, start, ...options }: SweepOptions) => {
      const { postedSince, startPostedSince } = options;
      if (start === true && startPostedSince === undefined) {
        throw mistake('--start needs --start-posted-since <date>: older bill runs may have been left alone on purpose');
      }
      if (start !== true && startPostedSince !== undefined) throw mistake('--start-posted-since needs --start');
      if (start !== true && yes === true) throw mistake('--yes needs --start');
      const look: SweepInput = {
        ...(postedSince === undefined ? {} : { postedSince }),
        ...(entityId === undefined ? {} : { entityId }),
      };
      const ask = () => connected((emails) => sweep(emails, look, startPostedSince, { json, yes }));
      await answer({ billRunKey: null, json }, ask, { inWords, exitCode });
    });
}

type Swept = Awaited<ReturnType<BillRunEmails['sweep']>>;

async function sweep(
  emails: BillRunEmails,
  look: SweepInput,
  startPostedSince: string | undefined,
  { json, yes }: { readonly json: true | undefined; readonly yes: true | undefined },
): Promise<Swept> {
  if (startPostedSince === undefined) return emails.sweep(look);
  if (!canAsk() || yes === true) return emails.sweep({ ...look, startPostedSince });
  const found = await emails.sweep(look);
  if (found.forgotten.length === 0) return found;
  await askUnless(
    { yes, json },
    () => Promise.resolve(inWords(forPeople(found)).split('\n')),
    `Start those posted since ${startPostedSince}?`,
  );
  return emails.sweep({ ...look, startPostedSince });
}

function exitCode({ counts, started, waitingForPeople }: SweepResult): number {
  return counts.forgotten > started.length || waitingForPeople.length > 0 ? EXIT.needsPerson : EXIT.done;
}

const WORDS: Readonly<Record<keyof SweepResult['counts'], string>> = {
  emailed: 'emailed',
  underWay: 'under way',
  autoEmail: 'emailed by Zuora itself',
  invoicesEmailed: 'emailed in Zuora',
  empty: 'without documents',
  stopped: 'stopped by a person',
  unsettled: 'unsettled',
  forgotten: 'forgotten',
};

function inWords({ since, looked, counts, forgotten, started, notStarted, waitingForPeople }: SweepResult): string {
  const standings = Object.keys(WORDS) as (keyof typeof WORDS)[];
  const counted = standings.filter((each) => counts[each] > 0).map((each) => `${counts[each]} ${WORDS[each]}`);
  const isStarted = new Set(started);
  const lines = [
    `${looked} bill run${looked === 1 ? '' : 's'} posted since ${timeHere(since)}${counted.length === 0 ? '' : `: ${counted.join(', ')}`}.`,
    ...forgotten.map(
      ({ billRunNumber, postedDate, why }) =>
        `Forgotten: ${billRunNumber}, posted ${postedDate ?? 'at an unknown time'}: ${why}${isStarted.has(billRunNumber) ? '; started now' : ''}.`,
    ),
    ...waitingForPeople.map(({ billRunNumber, why }) => `Waits for a person: ${billRunNumber}: ${why}.`),
  ];
  if (notStarted !== undefined) lines.push(`Not all were started: ${notStarted}.`);
  else if (counts.forgotten > started.length)
    lines.push('To email one: bill-run-emails start <bill-run>. To email all: see bill-run-emails sweep --help.');
  if (waitingForPeople.length > 0) lines.push('What one asks: bill-run-emails status <bill-run>.');
  return lines.join('\n');
}
