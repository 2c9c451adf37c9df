/**
 * What one send needs next: from its record, the last look at the bill run, the settings and the clock. It also says what a person
 * is asked. `send.ts` holds the record.
 */
import type { BillRun, LookRules } from '../contract/activities.js';
import type { Attempt, Question } from '../contract/contract.js';
import type { Settings } from '../contract/validation.js';
import type { Missing } from './documents.js';
import * as questions from './questions.js';
import { asksAboutReset, isOverridden, keyExpiry, needsSendAnyway, type NotNeeded, type Send } from './send.js';
import { attemptsUnder, hasUnknown, verdictOfKey } from './verdict.js';
import { answerOf, iso, quoted, time } from './text.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Attempts without certainty are shown to a person after this time. */
const TROUBLE_MS = 15 * MINUTE;
/** An older look at the bill run says nothing about now. */
export const LOOK_IS_FRESH_MS = MINUTE;

/** What one send needs next. */
export type SendStep =
  /** Try now, and no later than `until` without a person. */
  | { readonly kind: 'attempt'; readonly until: number; readonly question?: SendQuestion }
  /** Look at the bill run: the last look is too old. */
  | { readonly kind: 'look' }
  /** Nothing to do until then. A question may be open meanwhile, and its answer ends the wait. At `wake`, it is asked. */
  | {
      readonly kind: 'wait';
      readonly until: number;
      readonly wake: number;
      readonly question?: SendQuestion;
      readonly text: string;
    }
  /** Zuora sent emails a short while ago: wait until then. `retry` looks again, or sends at once with `sendAnyway`. */
  | { readonly kind: 'coolDown'; readonly until: number; readonly text: string }
  /** Nothing is attempted: Zuora emails by itself, somebody else emailed, or there are no documents. */
  | { readonly kind: 'notNeeded'; readonly reason: NotNeeded }
  /** Only a person can go on from here. */
  | { readonly kind: 'ask'; readonly question: SendQuestion };

export type SendQuestion = Omit<Question, 'ordinal'>;

/** The last look at the bill run, and its time (epoch, ms). */
export interface Look {
  readonly billRun: BillRun;
  readonly at: number;
}

/** `onHoldMs`: how long the job has been on hold now. It does not use up the budget. */
type Limits = LookRules &
  Pick<Settings, 'sendBudgetMs'> & {
    readonly onHoldMs: number;
    /** For a send for what was missed: what the documents show, and when the last attempt ended (epoch, ms). */
    readonly missingDocuments?: Missing;
    readonly attemptedAt?: number;
  };

export function nextSendStep(send: Send, look: Look, settings: Limits, now: number): SendStep {
  if (send.retry !== null) return { kind: 'attempt', until: Infinity };
  if (asksAboutReset(send)) return { kind: 'ask', question: unknown(send, questions.resetQuestion(), now) };
  const last = send.attempts.at(-1);
  if (last === undefined) return beforeFirstAttempt(send, look, settings, now);

  const verdict = verdictOfKey(attemptsUnder(send, last.idempotencyKey));
  if (last.stored && verdict === 'unknown') {
    return { kind: 'ask', question: unknownToSettle(send, questions.storedUnknownQuestion(last), now) };
  }
  if (last.verdict === 'refused') {
    return hasUnknown(send)
      ? { kind: 'ask', question: unknownToSettle(send, questions.refusedAfterUnknownQuestion(last), now) }
      : { kind: 'ask', question: refused(questions.refusedQuestion(last)) };
  }

  const end = automaticUntil(send, settings);
  if (Math.max(now, send.nextAttemptAt) > end) {
    return hasUnknown(send)
      ? { kind: 'ask', question: unknownToSettle(send, questions.unknownQuestion(last, send.attempts.length), now) }
      : { kind: 'ask', question: refused(questions.gaveUpQuestion(last)) };
  }
  const troubleAt = (send.budgetFrom ?? now) + TROUBLE_MS + settings.onHoldMs;
  const trouble = isTrouble(send, last);
  const question = !trouble || now < troubleAt ? {} : { question: troubleQuestion(send, last, end, now) };
  if (now >= send.nextAttemptAt) return { kind: 'attempt', until: end, ...question };
  const until = send.nextAttemptAt;
  const wake = trouble && now < troubleAt ? Math.min(until, troubleAt) : until;
  const next = `Attempt ${send.attempts.length + 1} follows`;
  const text = hasUnknown(send)
    ? `There is no clear answer to attempt ${send.attempts.length} (${answerOf(last)}). ${next} under the same key, so nobody is emailed twice`
    : `Zuora did not execute attempt ${send.attempts.length} (${answerOf(last)}). ${next}`;
  return { kind: 'wait', until, wake, text, ...question };
}

function troubleQuestion(send: Send, last: Attempt, end: number, now: number): SendQuestion {
  return hasUnknown(send)
    ? unknown(send, questions.stillUnknown(last, end), now)
    : refused(questions.stillNotLeaving(last, end));
}

/** A person finds out whether the documents were emailed; the text says what a retry would then risk. */
function unknownToSettle(send: Send, text: string, now: number): SendQuestion {
  return unknown(send, `${text} ${questions.howToGoOn(safeUntil(send, now))}`, now);
}

function unknown(send: Send, text: string, now: number): SendQuestion {
  const until = safeUntil(send, now);
  return {
    kind: 'unknown',
    text,
    needsSendAnyway: until === null,
    safeUntil: until === null ? null : iso(until),
  };
}

/** Nothing was executed, so no key has to protect a retry. */
function refused(text: string): SendQuestion {
  return { kind: 'refused', text, needsSendAnyway: false, safeUntil: null };
}

/** Until when the key protects a retry (epoch, ms); null if it does not. */
function safeUntil(send: Send, now: number): number | null {
  const expiry = keyExpiry(send);
  return needsSendAnyway(send, now) || expiry === Infinity ? null : expiry;
}

/** Rule 6: a first send looks at the bill run before its first attempt. A resend is a person's explicit wish, and does not. */
function beforeFirstAttempt(send: Send, look: Look, settings: Limits, now: number): SendStep {
  if (!send.resend && !isOverridden(send, now)) {
    const wait = hasNoDocuments(look.billRun) ? undefined : untilAccountedFor(settings, now);
    if (wait !== undefined) return wait;
    const [obstacle] = obstaclesIn(look, settings, now);
    switch (obstacle?.kind) {
      case 'autoEmail':
      case 'emailedElsewhere':
      case 'noDocuments':
        return { kind: 'notNeeded', reason: obstacle.kind };
      case 'coolDown': {
        const { until, text } = obstacle;
        return {
          kind: 'coolDown',
          until,
          text: `${text}; this send waits until ${time(until)}, and then emails only documents that were never emailed`,
        };
      }
      case undefined:
        if (now - look.at > LOOK_IS_FRESH_MS) return { kind: 'look' };
    }
  }
  return { kind: 'attempt', until: Infinity };
}

/** Rule 10: what was missed is sent once no earlier email can still be on its way. */
function untilAccountedFor(
  { missingDocuments, attemptedAt = 0, coolDownMs }: Limits,
  now: number,
): SendStep | undefined {
  const kind = missingDocuments?.kind;
  if (kind === 'waits' || kind === 'none') {
    const text = 'Checking once more which documents were not sent';
    return { kind: 'wait', until: Infinity, wake: Infinity, text };
  }
  const until = attemptedAt + coolDownMs;
  if (kind !== 'onTheirWay' || now >= until) return undefined;
  const text = `Emails may still be on their way, so what was not sent waits until ${time(until)}`;
  return { kind: 'coolDown', until, text };
}

/** What keeps a first send back on a posted bill run. */
export type Obstacle = { readonly kind: NotNeeded } | ({ readonly kind: 'coolDown' } & CoolDown);

/** When it ends (epoch, ms), and its cause without the full stop. */
interface CoolDown {
  readonly until: number;
  readonly text: string;
}

/** All obstacles that a look at the bill run shows; the first one counts. */
export function obstaclesIn(
  look: Look,
  { coolDownMs, missing = false, accountedAt = -Infinity }: LookRules,
  now: number,
): readonly Obstacle[] {
  const { billRun } = look;
  const coolDown = coolDownAfter(look, coolDownMs, accountedAt);
  return [
    ...(billRun.autoEmail === true && !missing ? [{ kind: 'autoEmail' } as const] : []),
    ...(hasNoDocuments(billRun) ? [{ kind: 'noDocuments' } as const] : []),
    ...(billRun.invoicesEmailed === true && !missing ? [{ kind: 'emailedElsewhere' } as const] : []),
    ...(coolDown !== undefined && now < coolDown.until ? [{ kind: 'coolDown', ...coolDown } as const] : []),
  ];
}

/** The cool-down that ends last: after Zuora's last emails, or after a post at which it emails. */
function coolDownAfter({ billRun, at }: Look, coolDownMs: number, accountedAt: number): CoolDown | undefined {
  const { autoEmail, lastEmailSentTime, postedDate, postedNotifications = [] } = billRun;
  const counts = (written: string | undefined): boolean => (earliestOf(written) ?? Infinity) > accountedAt;
  const emailed = counts(lastEmailSentTime) ? coolDownEnd(lastEmailSentTime, coolDownMs, at) : undefined;
  const emailsAtPost = (autoEmail === true || postedNotifications.length > 0) && counts(postedDate);
  const posted = emailsAtPost ? coolDownEnd(postedDate, coolDownMs, at) : undefined;
  if (posted !== undefined && posted > (emailed ?? 0)) {
    return { until: posted, text: emailedAtPost(postedNotifications, postedDate) };
  }
  return emailed === undefined ? undefined : { until: emailed, text: emailsLeft(lastEmailSentTime) };
}

function emailsLeft(sentTime = ''): string {
  return latestOf(sentTime) === undefined
    ? `Zuora's time of its last emails, ${quoted(sentTime)}, cannot be read, so they count as sent just now`
    : `Zuora emailed documents of this bill run at ${isZoned(sentTime) ? time(Date.parse(sentTime)) : quoted(sentTime)}, and more emails may be on their way`;
}

function emailedAtPost(notifications: readonly string[], postedDate = ''): string {
  const names = `by its notification${notifications.length === 1 ? '' : 's'} ${notifications.map(quoted).join(', ')}`;
  const how = notifications.length === 0 ? 'by itself (autoEmail is on)' : names;
  const posted = quoted(postedDate);
  return (
    `Zuora emails the documents at the post ${how}, and the bill run was posted at ` +
    (latestOf(postedDate) === undefined ? `${posted}, which cannot be read, so it counts as posted just now` : posted)
  );
}

/** A missing count means unknown, not zero. */
export function hasNoDocuments({ numberOfInvoices, numberOfCreditMemos }: BillRun): boolean {
  return numberOfInvoices === 0 && numberOfCreditMemos === 0;
}

/**
 * When the cool-down after a time of Zuora's ends (epoch, ms); undefined without a time. Zuora may write a time without a zone,
 * in the tenant's own. Then the latest possible instant counts: 12 hours after the same time in UTC. A time that cannot be read counts
 * as the time of the look. It lies before the look in any case.
 */
export function coolDownEnd(time: string | undefined, coolDownMs: number, lookedAt: number): number | undefined {
  if (time === undefined) return undefined;
  return Math.min(latestOf(time) ?? lookedAt, lookedAt) + coolDownMs;
}

/** The latest instant that a time of Zuora's may mean (epoch, ms); undefined if it cannot be read. */
function latestOf(written: string): number | undefined {
  // A day without a time lasts 24 hours.
  if (/^\d{4}-\d{2}-\d{2}$/.test(written)) return latestOf(`${written}T23:59:59`);
  const zoned = isZoned(written);
  const at = Date.parse(zoned ? written : `${written.replace(' ', 'T')}Z`);
  if (Number.isNaN(at)) return undefined;
  return zoned ? at : at + 12 * HOUR;
}

/** The earliest instant that a time may mean (epoch, ms): without a zone, 14 hours before the same time in UTC. */
function earliestOf(written = ''): number | undefined {
  const latest = latestOf(written);
  return latest === undefined || isZoned(written) ? latest : latest - 26 * HOUR;
}

function isZoned(written: string): boolean {
  return /(Z|[+-]\d{2}:?\d{2})$/i.test(written);
}

/** Rule 4: the last moment at which an attempt may start without a person. */
function automaticUntil(send: Send, { sendBudgetMs, onHoldMs }: Limits): number {
  const end = send.budgetFrom === null ? Infinity : send.budgetFrom + sendBudgetMs + onHoldMs;
  return hasUnknown(send) ? Math.min(end, keyExpiry(send)) : end;
}

/** An unknown outcome or a request that does not get through needs a person. Locks and limits pass by themselves. */
function isTrouble(send: Send, { httpStatus, reasons }: Attempt): boolean {
  // Category 11: authentication failed. Older versions of Zuora's API report it under any status.
  const noEntry = httpStatus === null || httpStatus === 401 || reasons.some(({ code }) => /^(\d{6})?11$/.test(code));
  return noEntry || hasUnknown(send);
}
