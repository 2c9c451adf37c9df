/** What the email history of Zuora says about documents, within Zuora's limits on its queries. */
import { emailHistory, type FollowedDocument, type ListedRow } from './delivery-reads.js';
import type { Reader } from './delivery-reader.js';
import {
  isWord,
  type documentOutcome,
  type DocumentEvidence,
  type DocumentOutcome,
  type HistoryRow,
} from './document-outcome.js';
import type { DocumentKind, Query } from './documents.js';
import { momentOf } from './moment.js';
import { EVENTS, POSTED_EVENTS } from './notifications.js';

const DAY = 24 * 60 * 60 * 1000;
/** Zuora's limit for one query of the history. */
const LONGEST_WINDOW = 3 * DAY;
/** Of the history, probes for failures included. */
const MOST_HISTORY_CALLS = 200;
/** The part for accounts with failures, so that all other documents get their turn. */
const MOST_CALLS_FOR_FAILURES = 100;
/** Pages of one query of the history, 40 rows each. */
const MOST_HISTORY_PAGES = 5;

/** A document and what this check knows about it. */
export interface Followed {
  readonly document: FollowedDocument;
  readonly key: string;
  /** An earlier check found an email in its history. */
  readonly isEmailed: boolean;
  readonly pdfErrorBefore: boolean;
  rows: readonly HistoryRow[];
  history: DocumentEvidence['history'];
  lookedBackTo: number | undefined;
  pdf: { readonly status: string; readonly message: string | null } | 'failed' | null;
}

export type OutcomeOf = (each: Followed) => ReturnType<typeof documentOutcome>;

export interface HistoryQuestion {
  readonly resend: boolean;
  /** The send's first attempt, and now (epoch, ms). */
  readonly since: number;
  readonly now: number;
  /** Zuora emailed at the post, by the events of that. */
  readonly atPost?: boolean | undefined;
  /** Of the bill run. History of credit memos is looked at back to it. */
  readonly postedDate?: string | undefined;
  /** The document with which the turn of the check before ended. */
  readonly lastLooked: string | null;
}

/** Two probes for failures, then one query per open document, in turn from check to check. */
export async function lookAtHistory(
  reader: Reader,
  question: HistoryQuestion,
  all: readonly Followed[],
  outcomeOf: OutcomeOf,
): Promise<{ readonly otherFailures: number; readonly lastLooked: string | null }> {
  const history = new History(reader, question);
  const { failing, otherFailures } = await history.failures(all);

  const byKey = all.filter(({ isEmailed }) => !isEmailed).sort((one, other) => (one.key < other.key ? -1 : 1));
  const next = byKey.findIndex(({ key }) => key > (question.lastLooked ?? ''));
  const inTurn = next < 0 ? byKey : [...byKey.slice(next), ...byKey.slice(0, next)];
  // An invoice may have a date although its email failed.
  const urgent = inTurn.filter(({ document, rows }) => failing.has(document.accountId) && rows.length === 0);
  const first = new Set(urgent.slice(0, MOST_CALLS_FOR_FAILURES));
  const open = inTurn.filter((each) => !first.has(each) && isOpen(outcomeOf(each).outcome));
  let { lastLooked } = question;
  const looked: Followed[] = [];
  for (const each of [...first, ...open]) {
    if (history.isOver) break;
    if (await history.look(each)) looked.push(each);
    if (!first.has(each)) lastLooked = each.key;
  }
  for (const each of looked) await history.lookFurtherBack(each);

  if (reader.isGivenUp('email history')) {
    const fault = reader.denied.has('email history') ? 'denied' : 'failed';
    for (const each of all) if (each.history !== 'read') each.history = fault;
  }
  return { otherFailures, lastLooked };
}

/** The queries of one check. */
class History {
  #callsLeft = MOST_HISTORY_CALLS;
  readonly #reader: Reader;
  readonly #question: HistoryQuestion;
  /** The end of all windows: the zone of Zuora's times is not known, so a window has a day of slack. */
  readonly #end: number;

  constructor(reader: Reader, question: HistoryQuestion) {
    this.#reader = reader;
    this.#question = question;
    this.#end = Math.max(question.now, question.since) + DAY;
  }

  /** No further query is made in this check. */
  get isOver(): boolean {
    return this.#callsLeft === 0 || this.#reader.isGivenUp('email history');
  }

  /** The accounts of these documents whose emails failed since the send, and how many emails of other accounts did. */
  async failures(
    all: readonly Followed[],
  ): Promise<{ readonly failing: ReadonlySet<string | null>; readonly otherFailures: number }> {
    const { since } = this.#question;
    const accountIds = new Set(all.map(({ document }) => document.accountId));
    const failing = new Set<string | null>();
    let otherFailures = 0;
    const kinds = new Set(all.map(({ document }) => document.kind));
    for (const event of [...kinds].flatMap((kind) => this.#eventsOf(kind))) {
      const filter: Query = [
        ['eventCategory', event],
        ['failedOnly', 'true'],
      ];
      for (const { at, accountId } of (await this.#rows(this.#startAbove(since - DAY), this.#end, filter)) ?? []) {
        if ((momentOf(at)?.to ?? Infinity) < since) continue;
        if (accountId !== null && accountIds.has(accountId)) failing.add(accountId);
        else otherFailures += 1;
      }
    }
    return { failing, otherFailures };
  }

  /** Looks at a document's last three days; false if they cannot be read. */
  async look(each: Followed): Promise<boolean> {
    const isRead = await this.#read(each, this.#startAbove(this.#floorOf(each)), this.#end);
    if (!isRead && this.#callsLeft > 0) each.history = 'failed';
    return isRead;
  }

  /** Looks at earlier windows until one shows an email. */
  async lookFurtherBack(each: Followed): Promise<void> {
    const floor = this.#floorOf(each);
    const start = this.#startAbove(floor);
    let from = Math.min(start, each.lookedBackTo ?? start);
    while (from > floor && !each.rows.some(isEmail)) {
      const earlier = Math.max(floor, from - LONGEST_WINDOW);
      if (!(await this.#read(each, earlier, from))) break;
      from = earlier;
    }
    each.lookedBackTo = from;
    if (from <= floor || each.rows.some(isEmail)) each.history = 'read';
  }

  /** One document's rows in a window; false if they cannot be read. */
  async #read(each: Followed, from: number, to: number): Promise<boolean> {
    const filter: Query = [
      ['objectId', each.document.id],
      ['failedOnly', 'false'],
    ];
    const rows = await this.#rows(from, to, filter);
    if (rows === undefined) return false;
    // A reminder that failed says nothing about this send. Custom events have names.
    const isOfEvent = ({ event }: ListedRow): boolean =>
      event === null || this.#eventsOf(each.document.kind).includes(event) || !/^\d+$/.test(event);
    const counting = rows.filter((row) => isWord(row.result, 'ok') || isOfEvent(row));
    each.rows = [...each.rows, ...counting.map(({ at, result, message }) => ({ at, result, message }))];
    return true;
  }

  async #rows(from: number, to: number, filter: Query): Promise<readonly ListedRow[] | undefined> {
    const rows: ListedRow[] = [];
    for (let page = 1; ; page++) {
      if (this.isOver) return undefined;
      this.#callsLeft -= 1;
      const query: Query = [
        ...filter,
        ...([
          ['startTime', withoutZone(from)],
          ['endTime', withoutZone(to)],
          ['page', `${page}`],
          ['pageSize', '40'],
        ] as const),
      ];
      const found = await this.#reader.attempt('email history', 'v1/notification-history/email', query, emailHistory);
      if (found === undefined) return undefined;
      rows.push(...found.rows);
      if (!found.hasMore || page === MOST_HISTORY_PAGES) return rows;
    }
  }

  #eventsOf(kind: DocumentKind): readonly string[] {
    return [EVENTS[kind], ...(this.#question.atPost === true ? [POSTED_EVENTS[kind]] : [])];
  }

  /** A first send leaves out what was emailed since the post. Only the history shows this for credit memos. */
  #floorOf({ document: { kind } }: Followed): number {
    const { since, resend, postedDate } = this.#question;
    const posted = momentOf(postedDate)?.from ?? since;
    return (kind === 'creditMemo' && !resend ? Math.min(since, posted) : since) - DAY;
  }

  #startAbove(floor: number): number {
    return Math.max(floor, this.#end - LONGEST_WINDOW);
  }
}

export function isOpen(outcome: DocumentOutcome): boolean {
  return outcome !== 'sent' && outcome !== 'leftOut';
}

export function isEmail({ result }: HistoryRow): boolean {
  return isWord(result, 'ok');
}

/** The form of the query's times. */
function withoutZone(at: number): string {
  return new Date(at).toISOString().slice(0, 19);
}
