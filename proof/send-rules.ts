/**
 * Rules for one send, checked against its record and the attempts in history. Shared by the checker of the chaos, the
 * explorer, and the models in test/. Pure.
 */
import type { AttemptInput, BillRun } from '../workflows/contract/activities.js';
import type { Settings } from '../workflows/contract/validation.js';
import type { Attempt, SendRecord } from '../workflows/contract/contract.js';
import { keyParts } from '../workflows/rules/keys.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Zuora forgets a key after 24 h; no attempt starts in the last of them. */
export const KEY_LIFETIME_MS = 23 * HOUR;
/** Maximum age of a look, by rule 6. */
const FRESH_MS = 60 * SECOND;
/** Allowed difference between the clocks of server, worker and simulator on one busy machine. */
export const SLACK_MS = 60 * SECOND;

/**
 * Rule 3: faults in the numbers of a send's keys. They begin with 1, or go on from the send whose documents are missing, and grow only
 * for a reason.
 *
 * @param startOf when an attempt began (epoch, ms), by the clock of the decisions
 * @param from the first attempt in question: those before are of earlier jobs, whose decisions the record does not hold
 */
export function numberFaults(
  { attempts, decisions, requests }: Pick<SendRecord, 'attempts' | 'decisions' | 'requests'>,
  startOf: (attempt: Attempt) => number,
  from = 0,
): string[] {
  const isMissing = requests.some(({ missing }) => missing === true);
  return attempts.flatMap((attempt, index) => {
    const before = attempts[index - 1];
    const { number } = keyParts(attempt.idempotencyKey);
    const last = before === undefined ? (isMissing ? number : 1) : keyParts(before.idempotencyKey).number;
    const grown = number - last;
    if (grown === 0 || index < from) return [];
    if (before === undefined) return ['the numbers in keys do not begin with 1'];
    if (grown !== 1) return ['the number in the key does not grow by one'];
    if (before.stored && before.verdict === 'notExecuted') return [];
    const between = decisions.filter(
      ({ at }) => Date.parse(at) >= startOf(before) && Date.parse(at) <= startOf(attempt),
    );
    const past = attempts.slice(0, index);
    const firstUse = past.find(({ idempotencyKey: key }) => key === before.idempotencyKey) ?? before;
    const forgotten = startOf(attempt) > startOf(firstUse) + KEY_LIFETIME_MS;
    // Rule 3 (a2).
    const under = past.filter(({ idempotencyKey: key }) => key === before.idempotencyKey);
    if (forgotten && under.every(({ verdict }) => verdict === 'notExecuted') && !isUnknown(past)) return [];
    const usedUp = before.verdict === 'refused' || before.stored || forgotten;
    const risked = between.some(({ decision }) => decision === 'sendAnyway');
    return [
      ...(between.length === 0 ? ['a new key that no person asked for'] : []),
      ...(usedUp ? [] : ['a new key although the old one is usable']),
      ...(risked || !isUnknown(past) ? [] : ['a new key after an unknown attempt, and nobody took the risk']),
    ];
  });
}

/** Whether some key has an unknown attempt that no success or stored reply has settled. */
function isUnknown(attempts: readonly Attempt[]): boolean {
  return attempts.some(({ idempotencyKey: key }) => {
    const under = attempts.filter(({ idempotencyKey }) => idempotencyKey === key);
    const settling = under.findLastIndex(({ stored, verdict }) => stored || verdict === 'accepted');
    return under.slice(Math.max(settling, 0)).some(({ verdict }) => verdict === 'unknown');
  });
}

/**
 * Rule 4: the attempts that began after the end of the budget, which counts from the first attempt, or from the first attempt
 * after a person's decision.
 *
 * @param startOf when an attempt began (epoch, ms), by the clock of the decisions
 * @returns when they began, and the start of the budget (epoch, ms)
 */
export function attemptsBeyond(
  budgetMs: number,
  { attempts, decisions }: Pick<SendRecord, 'attempts' | 'decisions'>,
  startOf: (attempt: Attempt) => number,
): { start: number; from: number }[] {
  const starts = attempts.map(startOf);
  const restarts = decisions.map(({ at }) => starts.find((start) => start >= Date.parse(at)) ?? Infinity);
  return starts
    .map((start) => ({ start, from: Math.max(...[starts[0] ?? start, ...restarts].filter((at) => at <= start)) }))
    .filter(({ start, from }) => start - from > budgetMs + SLACK_MS);
}

/** Rule 6, for the first attempt of a first send: faults of the look before it. */
export function lookFaults(
  {
    at,
    look,
    input,
  }: {
    readonly at: number;
    readonly look: { readonly billRun: BillRun; readonly at: number } | undefined;
    readonly input: Pick<AttemptInput, 'look'>;
  },
  { coolDownMs }: Pick<Settings, 'coolDownMs'>,
): string[] {
  if (look === undefined) return ['there was no look before it'];
  const { billRun, at: lookedAt } = look;
  const sentAt = Math.min(Date.parse(billRun.lastEmailSentTime ?? '1970-01-01T00:00:00Z'), lookedAt);
  const { missing = false, accountedAt = -Infinity } = input.look ?? {};
  const postedDate = billRun.postedNotifications === undefined ? undefined : billRun.postedDate;
  const postedAt = Math.min(Date.parse(postedDate ?? '1970-01-01T00:00:00Z'), lookedAt);
  return [
    ...(at - lookedAt > FRESH_MS + SLACK_MS ? ['the look before it was not fresh'] : []),
    ...(billRun.autoEmail === true && !missing ? ['Zuora emails by itself'] : []),
    ...(billRun.invoicesEmailed === true && !missing ? ['somebody else emailed the bill run'] : []),
    ...(billRun.numberOfInvoices === 0 && billRun.numberOfCreditMemos === 0 ? ['there is nothing to email'] : []),
    ...(sentAt > accountedAt && at < sentAt + coolDownMs ? ['the cool-down is not over'] : []),
    ...(postedAt > accountedAt && at < postedAt + coolDownMs ? ['the cool-down after the post is not over'] : []),
  ];
}
