import { Option, type Command } from 'commander';
import type { EmailState } from '../../workflows/contract/contract.js';
import { painted, STATES } from './email-states.js';
import type { BillRunEmails } from '../bill-run-emails.js';
import type { ListedJob } from '../list.js';
import { withoutMarkdown } from '../failures/plain-text.js';
import { connected, examples, forPeople, GROUP, jsonLine, jsonOf, wholeNumber } from './command.js';
import { holderIn } from './tables.js';
import { timeHere } from './terminal.js';

interface ListOptions {
  readonly state?: readonly EmailState[];
  readonly olderThan?: string;
  readonly number?: string;
  readonly open?: true;
  readonly notSent?: true;
  readonly summary?: true;
  readonly limit: number;
  readonly json?: true;
}

export function addList(program: Command): void {
  program
    .command('list')
    .helpGroup(GROUP.look)
    .description('jobs, open ones first, then the newest; needs no worker')
    .addOption(new Option('--state <state...>', 'in this state; may be repeated').choices(STATES))
    .option('--older-than <duration>', 'started longer ago than this, such as "12 hours" or 30d')
    .option('--number <number>', 'the bill run with this number, or all whose number begins so')
    .option('--open', 'only open jobs')
    .option('--not-sent', 'only jobs with documents that were not sent, open or closed')
    .addOption(new Option('--summary', 'only how many there are in each state, with its reason').conflicts('limit'))
    .option('--limit <number>', 'at most so many; 0 lists all', wholeNumber(0), 50)
    .option('--json', 'JSON lines on stdout, one for each job; with --summary, for each count')
    .addHelpText(
      'after',
      examples(
        'list --state NeedsAttention --state Held',
        'list --open --older-than 2d',
        'list --not-sent',
        'list --open --summary',
        'list --number BR-0000 --limit 0 --json',
      ),
    )
    .action(async ({ json, summary, state: states, ...filter }: ListOptions) => {
      await connected(async (emails) => {
        if (summary === true) {
          await printSummary(emails.list({ ...filter, states, limit: 0 }), json);
          return;
        }
        const jobs = emails.list({ ...filter, states });
        if (json === true) {
          await printLines(jobs);
          return;
        }
        for (const request of (await emails.holdAllRequests()) ?? [])
          console.error(`All jobs are on hold by ${holderIn(forPeople(request))}`);
        const { limit, ...others } = filter;
        const isFiltered = states !== undefined || Object.keys(others).length > 0;
        await printTable(jobs, { limit, isFiltered }, emails);
      });
    });
}

async function printLines(jobs: AsyncIterable<ListedJob>): Promise<void> {
  for await (const job of jobs) {
    console.log(jsonOf(billRunKeyOf(job), job));
    // The reader has gone, as in `list | head`.
    if (!process.stdout.writable) return;
  }
}

async function printTable(
  jobs: AsyncIterable<ListedJob>,
  { limit, isFiltered }: { readonly limit: number; readonly isFiltered: boolean },
  emails: BillRunEmails,
): Promise<void> {
  const listed: ListedJob[] = [];
  for await (const job of jobs) listed.push(forPeople(job));
  console.log(listed.length === 0 ? nothingListed(emails, isFiltered) : await listTable(listed));
  // One speaks for all: they share Zuora and its credentials.
  const unread = listed.find(({ reason, closedAt }) => reason === 'cannotRead' && closedAt === null);
  if (unread !== undefined) {
    const { text } = forPeople(await emails.status({ workflowId: unread.workflowId }));
    console.log(`${billRunKeyOf(unread)}: ${withoutMarkdown(text)}`);
  }
  if (limit > 0 && listed.length === limit) {
    console.error(`These are the first ${limit}; there may be more: --limit 0 lists all.`);
  }
}

/** Counted here: Temporal's server 1.32 groups by its own status alone. */
async function printSummary(jobs: AsyncIterable<ListedJob>, json: true | undefined): Promise<void> {
  const counts = new Map<string, Pick<ListedJob, 'state' | 'reason'> & { count: number }>();
  for await (const { state, reason } of jobs) {
    const key = `${STATES.indexOf(state ?? '')} ${reason ?? ''}`;
    const { count } = counts.get(key) ?? { count: 0 };
    counts.set(key, { state, reason, count: count + 1 });
  }
  const rows = [...counts]
    .toSorted(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }))
    .map(([, row]) => row);
  if (json === true) {
    for (const row of rows) console.log(jsonLine(row));
    return;
  }
  const { columns } = await import('./columns.js');
  const cells = rows.map(({ state, reason, count }) => [
    state === null ? '-' : painted(state),
    reason ?? '-',
    `${count}`,
  ]);
  console.log(columns([['STATE', 'REASON', 'JOBS'], ...cells]));
}

function nothingListed({ client }: BillRunEmails, isFiltered: boolean): string {
  const { namespace } = client.options;
  if (isFiltered) return `No job in namespace ${namespace} matches.`;
  return `No email jobs yet in namespace ${namespace}. To start one: bill-run-emails start <bill-run>`;
}

async function listTable(jobs: readonly ListedJob[]): Promise<string> {
  // Loaded only for a table: loading takes as long as everything else in `--help`.
  const { columns } = await import('./columns.js');
  const anyClosed = jobs.some(({ closedAt }) => closedAt !== null);
  return columns([
    [
      'BILL RUN',
      'STATE',
      'REASON',
      'SINCE',
      'IN ZUORA',
      'SENDS',
      'NOT SENT',
      'STARTED',
      ...(anyClosed ? ['CLOSED'] : []),
    ],
    ...jobs.map((job) => [
      billRunKeyOf(job),
      job.state === null ? '-' : painted(job.state),
      job.reason ?? '-',
      job.since === null ? '-' : seconds(job.since),
      job.billRunStatus ?? '-',
      String(job.sends),
      String(job.documentsNotSent ?? '-'),
      seconds(job.startedAt),
      ...(anyClosed ? [job.closedAt === null ? '-' : `${seconds(job.closedAt)} ${job.status.toLowerCase()}`] : []),
    ]),
  ]);
}

/** The key by which commands name the bill run of a job. Before its first look, a job has it only in its workflow id. */
export function billRunKeyOf({ billRunNumber, workflowId }: Pick<ListedJob, 'billRunNumber' | 'workflowId'>): string {
  return billRunNumber ?? workflowId.replace(/^email-bill-run\/(.*\/)?/, '');
}

function seconds(time: string): string {
  return timeHere(time).replace(/\.\d+Z$/, 'Z');
}
