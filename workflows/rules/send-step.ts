/**
 * What one send needs next, by its record, the last look at the bill run, the settings and the clock; and what a person is
 * asked about it. Pure, as `send.ts` is, which holds the record and what attempts do to it.
 */
import type { BillRun } from '../contract/activities.js';
import type { Settings } from '../contract/validation.js';
import type { Attempt, Question } from '../contract/contract.js';
import {
  asksAboutReset,
  attemptsUnder,
  hasUnknown,
  keyExpiry,
  needsSendAnyway,
  verdictOfKey,
  type Send,
} from './send.js';
import * as words from './words.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Attempts that go on for longer than this without certainty are shown to a person. */
const TROUBLE_MS = 15 * MINUTE;
/** A look at the bill run that is older says nothing about now. */
const LOOK_IS_FRESH_MS = MINUTE;
/** What Zuora shows about the documents is looked at again after this, and then ever more seldom. */
const FIRST_RECOUNT_MS = 15 * MINUTE;

/** What one send needs next. */
export type SendStep =
  /** Try now, and no later than `until` without a person. */
  | { readonly kind: 'attempt'; readonly until: number; readonly question?: Asked }
  /** Look at the bill run, for the last look is too old to send by. */
  | { readonly kind: 'look' }
  /** Nothing to do until then. A question may be open in the meantime, and a person's answer end the wait. */
  | { readonly kind: 'wait'; readonly until: number; readonly question?: Asked; readonly why: string }
  /** Only a person can go on from here. */
  | { readonly kind: 'ask'; readonly question: Asked };

export type Asked = Pick<Question, 'kind' | 'text' | 'needsSendAnyway'>;

/** The last look at the bill run, and when it was taken (epoch, ms). */
export interface Look {
  readonly billRun: BillRun;
  readonly at: number;
}

export function nextSendStep(send: Send, look: Look, settings: Settings, now: number): SendStep {
  if (send.retry !== null) {
    return send.retry.begun && now < send.nextAttemptAt
      ? { kind: 'wait', until: send.nextAttemptAt, why: words.clockAhead() }
      : { kind: 'attempt', until: Infinity };
  }
  if (asksAboutReset(send)) return { kind: 'ask', question: askedUnknown(send, words.resetQuestion(), true) };
  const last = send.attempts.at(-1);
  if (last === undefined) return beforeFirstAttempt(send, look, settings, now);

  const verdict = verdictOfKey(attemptsUnder(send, last.idempotencyKey));
  if (last.stored && verdict === 'unknown') {
    return { kind: 'ask', question: askedIfSent(send, words.storedUnknownQuestion(last), now) };
  }
  if (last.verdict === 'refused') {
    return hasUnknown(send)
      ? { kind: 'ask', question: askedIfSent(send, words.refusedAfterUnknownQuestion(last), now) }
      : { kind: 'ask', question: asked('refused', words.refusedQuestion(last), false) };
  }

  const end = automaticUntil(send, settings);
  if (Math.max(now, send.nextAttemptAt) > end) {
    return hasUnknown(send)
      ? { kind: 'ask', question: askedIfSent(send, words.unknownQuestion(send.attempts), now) }
      : { kind: 'ask', question: asked('refused', words.gaveUpQuestion(last), false) };
  }
  const troubleAt = (send.budgetFrom ?? now) + TROUBLE_MS;
  const trouble = isTrouble(send, last);
  const question = !trouble || now < troubleAt ? {} : { question: troubleQuestion(send, last, end, now) };
  if (now >= send.nextAttemptAt) return { kind: 'attempt', until: end, ...question };
  const until = trouble && now < troubleAt ? Math.min(send.nextAttemptAt, troubleAt) : send.nextAttemptAt;
  return { kind: 'wait', until, why: words.nextAttempt(send.attempts.length + 1, last), ...question };
}

function troubleQuestion(send: Send, last: Attempt, end: number, now: number): Asked {
  return hasUnknown(send)
    ? askedUnknown(send, words.stillUnknown(last, end), needsSendAnyway(send, now))
    : asked('refused', words.stillNotLeaving(last, end), false);
}

/** Whether the documents were emailed is for a person to find out; what a retry would then risk is for us to say. */
function askedIfSent(send: Send, text: string, now: number): Asked {
  const risky = needsSendAnyway(send, now);
  return askedUnknown(send, `${text} ${words.howToGoOn(risky ? null : keyExpiry(send))}`, risky);
}

/** Rule 5: with what Zuora shows meanwhile, which decides nothing. */
function askedUnknown({ shown }: Send, text: string, sendAnyway: boolean): Asked {
  return asked('unknown', shown === null ? text : `${text} ${words.shown(shown.count, shown.at)}`, sendAnyway);
}

function asked(kind: Question['kind'], text: string, sendAnyway: boolean): Asked {
  return { kind, text, needsSendAnyway: sendAnyway };
}

/** Rule 6: a first send looks before it leaps. `resend=true` is somebody's explicit wish and does not. */
function beforeFirstAttempt(send: Send, look: Look, settings: Settings, now: number): SendStep {
  if (!send.resend && !send.lookOverridden) {
    const [first] = holdingBack(look, settings, now);
    switch (first?.kind) {
      case 'autoEmail':
        return { kind: 'ask', question: asked('skipped', words.autoEmailQuestion(), true) };
      case 'noDocuments':
        return { kind: 'ask', question: asked('skipped', words.noDocumentsQuestion(), true) };
      case 'coolDown': {
        const { until } = first;
        const question = asked('delayed', words.delayedQuestion(look.billRun.lastEmailSentTime ?? '', until), true);
        return { kind: 'wait', until, question, why: words.coolDown() };
      }
      case undefined:
        if (now - look.at > LOOK_IS_FRESH_MS) return { kind: 'look' };
    }
  }
  return now < send.nextAttemptAt
    ? { kind: 'wait', until: send.nextAttemptAt, why: words.clockAhead() }
    : { kind: 'attempt', until: Infinity };
}

/** Why a first send is not begun on a bill run that is posted. */
export type HoldingBack =
  { readonly kind: 'autoEmail' | 'noDocuments' } | { readonly kind: 'coolDown'; readonly until: number };

/** All that holds a first send back, by a look at the bill run; what comes first counts first. `until`: epoch, ms. */
export function holdingBack(
  { billRun, at }: Look,
  { coolDownMs }: Pick<Settings, 'coolDownMs'>,
  now: number,
): readonly HoldingBack[] {
  const until = coolDownEnd(billRun.lastEmailSentTime, coolDownMs, at);
  return [
    ...(billRun.autoEmail === true ? [{ kind: 'autoEmail' } as const] : []),
    ...(hasNoDocuments(billRun) ? [{ kind: 'noDocuments' } as const] : []),
    ...(until !== undefined && now < until ? [{ kind: 'coolDown', until } as const] : []),
  ];
}

/** Missing counts mean unknown, not zero. */
export function hasNoDocuments({ numberOfInvoices, numberOfCreditMemos }: BillRun): boolean {
  return numberOfInvoices === 0 && numberOfCreditMemos === 0;
}

/**
 * When the cool-down after Zuora's last emails is over (epoch, ms); undefined where there were none, or where Zuora's
 * time cannot be read. Zuora may write times without a zone, in the tenant's own: then the latest instant that may be
 * meant counts, which is 12 hours after the same time in UTC. What was seen was sent before the look in any case.
 */
export function coolDownEnd(sentTime: string | undefined, coolDownMs: number, lookedAt: number): number | undefined {
  if (sentTime === undefined) return undefined;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(sentTime);
  const time = Date.parse(zoned ? sentTime : `${sentTime.replace(' ', 'T')}Z`);
  if (Number.isNaN(time)) return undefined;
  return Math.min(zoned ? time : time + 12 * HOUR, lookedAt) + coolDownMs;
}

/** Rule 4: the last moment at which an attempt may start without a person. */
function automaticUntil(send: Send, { sendBudgetMs }: Settings): number {
  return Math.min(send.budgetFrom === null ? Infinity : send.budgetFrom + sendBudgetMs, keyExpiry(send));
}

/** Worth a person's look: an unknown outcome, or a request that does not get in. Locks and limits pass by themselves. */
function isTrouble(send: Send, { httpStatus, reasons }: Attempt): boolean {
  // Zuora's category 11: authentication failed, which older versions of its API report under any status.
  const noEntry = httpStatus === null || httpStatus === 401 || reasons.some(({ code }) => /^(\d{6})?11$/.test(code));
  return noEntry || hasUnknown(send);
}

/** From when on emails may be the send's own (epoch, ms). */
export function emailsSince({ attempts, requests }: Send): number {
  return Date.parse(attempts[0]?.startedAt ?? requests[0]?.requestedAt ?? '');
}

/** When the invoices that Zuora shows as emailed are to be counted again (epoch, ms): emails may leave hours late. */
export function nextInvoiceCountAt({ shown, askedAt }: Send): number {
  if (shown === null || askedAt === null || shown.at < askedAt) return 0;
  return shown.at + Math.max(shown.at - askedAt, FIRST_RECOUNT_MS);
}

/** When an open question about the send reads otherwise though nothing happened (epoch, ms). */
export function questionChangesAt(send: Send, { kind, needsSendAnyway: risky }: Asked): number {
  if (kind !== 'unknown') return Infinity;
  return Math.min(nextInvoiceCountAt(send), risky ? Infinity : keyExpiry(send) + 1);
}
