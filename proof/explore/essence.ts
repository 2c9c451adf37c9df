/**
 * What distinguishes two moments: all that a rule can still read, as text. `test/proof/explore` shows that moments with the same essence
 * go on alike. Times count from now. Left out is:
 *
 * - what people read and were notified of, and words;
 * - names that only distinguish attempts, and of their verdicts all but their sum and the last one;
 * - of a settled send, all but its outcome, its key and its times;
 * - how long something is over: a look of a minute, a budget, a key, a cool-down.
 */
import type { BillRun } from '../../workflows/contract/activities.js';
import type { EmailJob } from '../../workflows/rules/job.js';
import type { Send } from '../../workflows/rules/send.js';
import { attemptsUnder, verdictOfKey } from '../../workflows/rules/verdict.js';
import { usedBudgetMs } from './ten-rules.js';
import type { Bounds, World } from './state.js';
import { HOUR, MINUTE, replyOf, type Zuora } from './zuora.js';

/** Longer than Zuora keeps a key, than the cool-down, and than the budget. */
const OVER_MS = 25 * HOUR;

export function essenceOf(world: World, { jobs, resets }: Bounds): string {
  const { now, end, used, job, zuora, facts, attempt, runId, allOnHold, before, history } = world;
  if (end !== null && used.jobs >= jobs) return 'over';
  const hasPast = jobs > 1 || resets > 0;
  const { held, closing, heldSince, risks, leftOut, othersEmailed, retryWaits, calls, requests } = facts;
  return written(
    {
      job: end === null ? essenceOfJob(world, hasPast) : null,
      zuora: essenceOfZuora(zuora, hasPast ? undefined : keyInUse(job), now),
      attempt:
        attempt === null
          ? null
          : { ...attempt, plan: { ...attempt.plan, trackId: null, decision: null, requestIds: null } },
      ...{ allOnHold, runId: hasPast ? runId : null, history: hasPast ? history : null, isOver: end !== null },
      before: before !== null && used.resets < resets ? before : null,
      facts: [held, closing, heldSince !== null, risks, leftOut, othersEmailed, retryWaits, calls.length > 0, requests],
    },
    now,
  );
}

/** Empty if no attempt follows without a new send. */
function keyInUse({ sends }: EmailJob): string {
  const last = sends.at(-1);
  return last?.settledAt === null ? `${last.intent}/${last.keyNumber}` : '';
}

function essenceOfJob(world: World, hasPast: boolean): object {
  const { job, now } = world;
  const { startedAt, lookedAt, sends, settings, billRun, delivery, ...rest } = job;
  return {
    ...{ ...rest, billRun: essenceOfBillRun(billRun, now) },
    delivery: delivery === null ? null : { ...delivery, ...within(delivery, now) },
    // One job has those of its beginning.
    settings: hasPast ? settings : null,
    startedAt: job.billRun?.status === 'Posted' ? null : startedAt,
    lookedAt: now - lookedAt <= MINUTE ? lookedAt : null,
    sends: sends.map((send) => essenceOfSend(world, send, hasPast)),
  };
}

function essenceOfSend(world: World, send: Send, hasPast: boolean): object {
  const { now, zuora, facts, job } = world;
  const { attempts, nextAttemptAt, budgetFrom, firstUse, before, decisions, ...rest } = send;
  const last = attempts.at(-1);
  const under = attemptsUnder(send, last?.idempotencyKey ?? '');
  const [first] = under;
  const lookAge = Date.parse(first?.startedAt ?? '') - job.lookedAt;
  const common = {
    ...rest,
    ...{ key: last?.idempotencyKey, first: atMost(first?.startedAt, now), at: atMost(last?.startedAt, now) },
    isLookedAt: lookAge >= 0 && lookAge <= MINUTE,
    runs: attempts.map(({ runId }) => runId),
  };
  if (send.settledAt !== null) return common;
  const others = [...new Set(attempts.map(({ idempotencyKey: key }) => key))].filter(
    (key) => key !== last?.idempotencyKey,
  );
  const isUnknownBefore = others.some((name) => verdictOfKey(attemptsUnder(send, name)) === 'unknown');
  const known = zuora.keys[`${send.intent}/${send.keyNumber}`];
  const sums = [
    verdictOfKey(under),
    isUnknownBefore,
    under.every(({ verdict }) => verdict === 'notExecuted'),
    known !== undefined && attempts.some(({ zuoraRequestId: id }) => id === known.requestId),
  ];
  const isNoEntry = last?.verdict === 'notExecuted' && (last.httpStatus === null || last.httpStatus === 401);
  const scheduled = last === undefined ? 0 : (facts.scheduled[last.trackId] ?? 0);
  const onHoldMs = now - (job.onHoldSince ?? now);
  return {
    ...{
      ...common,
      before: before === null ? null : { ...before, budgetFrom: ageOf(before.budgetFrom, onHoldMs, now) },
      sums,
      count: attempts.length,
      last: [last?.verdict, last?.stored, isNoEntry],
    },
    firstUse: hasPast ? firstUse : Math.max(firstUse[send.keyNumber] ?? Infinity, now - OVER_MS),
    nextAttemptAt: Math.max(nextAttemptAt, now),
    budget: ageOf(budgetFrom, onHoldMs, now),
    used: Math.min(usedBudgetMs(world, send), OVER_MS),
    decided: decisions.filter(({ at }) => Date.parse(at) >= scheduled).map(({ decision }) => decision),
    isRisked: decisions.some(({ decision }) => decision === 'sendAnyway'),
  };
}

function within({ since, from }: { readonly since: number; readonly from: number }, now: number): object {
  return { since: Math.max(since, now - OVER_MS), from: Math.max(from, now - OVER_MS) };
}

/** How much of a budget is used up (ms). */
function ageOf(from: number | null, onHoldMs: number, now: number): number | null {
  return from === null ? null : Math.min(now - from - onHoldMs, OVER_MS);
}

function atMost(at: string | undefined, now: number): number | null {
  return at === undefined ? null : Math.max(Date.parse(at), now - OVER_MS);
}

function essenceOfBillRun(billRun: BillRun | null, now: number): object | null {
  return billRun === null ? null : { ...billRun, postedDate: atMost(billRun.postedDate, now) };
}

/** Of keys that no attempt can use any more, only counts what was executed. */
function essenceOfZuora(zuora: Zuora, inUse: string | undefined, now: number): object {
  const { echoes, keys, requests, changedAt, documents, billRun, ...rest } = zuora;
  return {
    ...{ ...rest, billRun: essenceOfBillRun(billRun, now), changedAt: now - changedAt <= MINUTE ? changedAt : null },
    keys: Object.entries(keys).map(([key, { at, reply, executed, mayEmail }]) => {
      if (inUse === undefined || key === inUse)
        return [key, Math.max(at, now - OVER_MS), replyOf(reply), executed, mayEmail];
      return executed === false ? null : [key, executed, mayEmail];
    }),
    documents: documents.map(({ emails, email, at }) => [
      emails,
      email,
      email === 'onTheWay' ? Math.max(at ?? 0, now - OVER_MS) : null,
    ]),
  };
}

/** As text, with times as numbers from now (ms). */
function written(value: unknown, now: number): string {
  switch (typeof value) {
    case 'string':
      return value.length === 24 && ISO.test(value) ? String(Date.parse(value) - now) : value;
    case 'number':
      return value > LONG_AGO ? String(value - now) : String(value);
    case 'object': {
      if (value === null) return '-';
      if (Array.isArray(value)) return `[${value.map((each) => written(each, now)).join()}]`;
      let all = '';
      for (const field in value) {
        if (!UNREAD.has(field)) all += `,${field}:${written((value as Record<string, unknown>)[field], now)}`;
      }
      return `{${all}}`;
    }
    default:
      return String(value);
  }
}

const UNREAD = new Set([
  ...['stateSince', 'notices', 'notifying', 'reported', 'ignored', 'revision', 'requestBytes', 'timerFiredAt'],
  ...['note', 'reasons', 'text', 'heldBy', 'requestedAt', 'requestedBy', 'reason', 'hintFollowedAt'],
  ...['zuoraRequestId', 'echoedTrackId'],
]);
/** Every time of a life is later (epoch, ms). */
const LONG_AGO = Date.parse('2026-01-01T00:00:00.000Z');
const ISO = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
