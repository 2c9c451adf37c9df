import { Option, type Command } from 'commander';
import type { EmailState } from '../../workflows/contract/contract.js';
import { meaningOf } from './email-states.js';
import { columns } from './columns.js';
import type { ListedRun } from '../list.js';
import { painted } from './colours.js';
import { connected, examples, wholeNumber } from './command.js';

interface ListOptions {
  readonly state?: readonly EmailState[];
  readonly olderThan?: string;
  readonly number?: string;
  readonly open?: true;
  readonly limit: number;
  readonly json?: true;
}

export function addList(program: Command): void {
  program
    .command('list')
    .description('bill runs that Temporal knows: open ones first, and the newest first; needs no worker')
    .addOption(new Option('--state <state...>', 'in this state; may be repeated').choices(Object.keys(meaningOf)))
    .option('--older-than <duration>', 'started longer ago than this, such as "12 hours" or 30d')
    .option('--number <number>', 'of the bill run with this number, or of all whose number begins so')
    .option('--open', 'only runs that have not closed')
    .option('--limit <number>', 'at most so many; 0 lists all', wholeNumber(0), 50)
    .option('--json', 'JSON lines on stdout, one object for each run')
    .addHelpText(
      'after',
      examples(
        'list --state NeedsAttention --state Held',
        'list --open --older-than 2d',
        'list --number BR-0000 --limit 0 --json',
      ),
    )
    .action(async ({ json, state: states, ...filter }: ListOptions) => {
      await connected(async (emails) => {
        const runs = emails.list({ ...filter, states });
        if (json === true) await printLines(runs);
        else await printTable(runs, filter.limit);
      });
    });
}

async function printLines(runs: AsyncIterable<ListedRun>): Promise<void> {
  for await (const run of runs) {
    console.log(JSON.stringify(run));
    // Nobody reads any more, as in `list | head`.
    if (!process.stdout.writable) return;
  }
}

async function printTable(runs: AsyncIterable<ListedRun>, limit: number): Promise<void> {
  const listed: ListedRun[] = [];
  for await (const run of runs) listed.push(run);
  console.log(listTable(listed));
  if (limit > 0 && listed.length === limit) {
    console.error(`These are ${limit}, as --limit says; there may be more: --limit 0 lists all.`);
  }
}

function listTable(runs: readonly ListedRun[]): string {
  if (runs.length === 0) return 'No such bill run.';
  return columns([
    ['BILL RUN', 'STATE', 'IN ZUORA', 'SENDS', 'STARTED', 'CLOSED'],
    ...runs.map((run) => [
      billRunKeyOf(run),
      run.state === null ? '-' : painted(run.state),
      run.billRunStatus ?? '-',
      String(run.sends),
      seconds(run.startedAt),
      run.closedAt === null ? '-' : `${seconds(run.closedAt)} ${run.status.toLowerCase()}`,
    ]),
  ]);
}

/** How commands name the bill run of a run. One that has not seen it yet knows it by its own id only, as does one of somebody's own id. */
export function billRunKeyOf({ billRunNumber, workflowId }: ListedRun): string {
  return billRunNumber ?? workflowId.replace(/^email-bill-run\/(.*\/)?/, '');
}

function seconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}
