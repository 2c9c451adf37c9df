/** What people read of a sweep: in Temporal UI, and where they are notified. */
import type { Notice } from '../contract/activities.js';
import type { SweepResult } from '../contract/sweep.js';
import { counted } from './text.js';

/** The most rows that Temporal UI shows of each kind; the result has more. */
const SHOWN = 20;

export function sweepDetails({ since, looked, counts, forgotten, started, notStarted, waitingForPeople }: SweepResult) {
  const startedNow = new Set(started);
  const lines = forgotten.map(({ billRunNumber, why }) => {
    const then = startedNow.has(billRunNumber)
      ? '; started now'
      : `; to email it: \`bill-run-emails start ${billRunNumber}\``;
    return `- ${billRunNumber}: ${why}${then}`;
  });
  const people = waitingForPeople.map(
    ({ billRunNumber, why }) => `- ${billRunNumber}: ${why}; see \`bill-run-emails status ${billRunNumber}\``,
  );
  return [
    `### ${forgotten.length === 0 ? 'Nothing is forgotten' : `${counted(counts.forgotten, 'bill run')} ${counts.forgotten === 1 ? 'was' : 'were'} forgotten`}`,
    `Compared with their jobs: ${counted(looked, 'bill run')} posted since ${since}.`,
    listed('**Forgotten**', lines),
    notStarted === undefined ? '' : `Not all of them were started: ${notStarted}.`,
    listed('**Jobs that wait for people**', people),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function listed(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  const more = lines.length > SHOWN ? [`- and ${lines.length - SHOWN} more`] : [];
  return `${title}\n\n${[...lines.slice(0, SHOWN), ...more].join('\n')}`;
}

/** The most bill runs that a notice names of each kind. */
const NAMED = 10;

/**
 * What a scheduled sweep found and the one before did not, so that people are notified once of each; undefined if nothing is new.
 *
 * @param known names of what the sweep before found
 */
export function sweepNotice(result: SweepResult, known: readonly string[]): Pick<Notice, 'text' | 'facts'> | undefined {
  const isNew = (found: Found): boolean => !known.includes(nameOf(found));
  const forgotten = result.forgotten.filter(isNew);
  const waiting = result.waitingForPeople.filter(isNew);
  if (forgotten.length === 0 && waiting.length === 0) return undefined;
  const started = new Set(result.started);
  const startedNow = forgotten.filter(({ billRunNumber }) => started.has(billRunNumber)).length;
  const text = [
    ...(forgotten.length === 0
      ? []
      : [
          `${counted(forgotten.length, 'posted bill run')} without emails: ${named(forgotten)}; started now: ${startedNow}.`,
        ]),
    ...(waiting.length === 0 ? [] : [`Jobs that wait for people: ${named(waiting)}.`]),
  ].join(' ');
  return { text, facts: { forgotten: forgotten.length, waitingForPeople: waiting.length, started: startedNow } };
}

interface Found {
  readonly billRunNumber: string;
  readonly why: string;
}

/** A job that waits for another reason is another find. */
const nameOf = ({ billRunNumber, why }: Found): string => `${billRunNumber}: ${why}`;

/** Names of what a sweep found, by its result as Temporal keeps it; none if that has another form. */
export function namesIn(result: unknown): readonly string[] {
  const { forgotten = [], waitingForPeople = [] } = (result ?? {}) as Partial<SweepResult>;
  const lists: readonly unknown[] = [forgotten, waitingForPeople];
  return lists.flatMap((list) => (Array.isArray(list) ? (list as readonly Found[]).map(nameOf) : []));
}

function named(found: readonly Found[]): string {
  const names = found.slice(0, NAMED).map(nameOf);
  const more = found.length > NAMED ? [`and ${found.length - NAMED} more`] : [];
  return [...names, ...more].join('; ');
}
