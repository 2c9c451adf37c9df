/**
 * The explorer's Zuora: one bill run with two documents, as its pages describe idempotency and the endpoint. What nobody can
 * see yet is left open, and chosen when somebody looks. Plain data, so that the explorer can copy it.
 */
import type { AttemptPlan } from '../../workflows/rules/send.js';
import type { AttemptReceipt, AttemptResult, BillRun } from '../../workflows/contract/activities.js';
import type { Verdict } from '../../workflows/contract/contract.js';

/** Every call takes as long as the loss of a worker is noticed after, so that lives differ less. */
export const CALL_MS = 30_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** Zuora keeps a reply for so long after the first use of its key. */
const FORGETS_AFTER_MS = 24 * HOUR;
/** After this no email is on its way: the cool-down rests on it. */
const LEAVES_WITHIN_MS = 24 * HOUR;

export interface Zuora {
  /** Stored replies carry the track id of their first request; otherwise only Zuora's request id shows that they are stored. */
  readonly echoes: boolean;
  billRun: BillRun;
  /** When a look would have shown something else before (epoch, ms). */
  changedAt: number;
  readonly documents: Document[];
  readonly keys: Record<string, KnownKey>;
  requests: number;
}

export interface Document {
  /** How often Zuora decided to email it, for each intent; `others` stands for Zuora itself and other clients. */
  readonly emails: Record<string, number>;
  email: 'never' | 'onTheWay' | 'left';
  /** When that was decided last (epoch, ms). */
  at: number | null;
}

/** A key under which a request may have arrived. What nobody could see so far is null, and is decided when somebody looks. */
export interface KnownKey {
  /** Epoch, ms. */
  at: number;
  reply: Stored | null;
  executed: boolean | null;
  /** The documents that it may have emailed when it arrived, by place. */
  readonly mayEmail: readonly number[];
  readonly requestId: string;
  readonly trackId: string;
}

/** What Zuora does with a request, by the classes of `zuora/outcome.ts`. `sends`: to how many documents; null: nobody knows. */
const WORKS = {
  accept: { sends: 2, verdict: 'accepted', httpStatus: 200 },
  /** One of the documents has an inactive notification: accepted, and never emailed. */
  acceptPart: { sends: 1, verdict: 'accepted', httpStatus: 200 },
  refuse: { sends: 0, verdict: 'refused', httpStatus: 400 },
  lock: { sends: 0, verdict: 'notExecuted', httpStatus: 400 },
  fail: { sends: null, verdict: 'unknown', httpStatus: 500 },
  limit: { sends: 0, verdict: 'notExecuted', httpStatus: 429 },
  unauthorized: { sends: 0, verdict: 'notExecuted', httpStatus: 401 },
  refuseAtTheDoor: { sends: 0, verdict: 'refused', httpStatus: 403 },
  /** The first request under the key is in progress. */
  inProgress: { sends: 0, verdict: 'unknown', httpStatus: 409 },
  /** It repeats a reply to another request. */
  foreign: { sends: 0, verdict: 'accepted', httpStatus: 200 },
} as const satisfies Record<string, { sends: number | null; verdict: Verdict; httpStatus: number }>;

type Work = keyof typeof WORKS;
const STORED = ['accept', 'acceptPart', 'refuse', 'lock', 'fail'] as const;
type Stored = (typeof STORED)[number];

/** What happens on the way there and back. */
export type Passage =
  /** `isRepeated`: Zuora repeats what it did when an earlier request arrived. */
  | { readonly kind: 'answered'; readonly work: Work; readonly isRepeated: boolean }
  | { readonly kind: 'lost' | 'workerLost' | 'neverLeft' };

const fresh = (work: Work): Passage => ({ kind: 'answered', work, isRepeated: false });
const repeated = (work: Work): Passage => ({ kind: 'answered', work, isRepeated: true });

const ANY_KEY: readonly Passage[] = [
  ...(['limit', 'unauthorized', 'refuseAtTheDoor'] as const).map(fresh),
  ...(['lost', 'workerLost', 'neverLeft'] as const).map((kind) => ({ kind })),
];
const NEW_KEY: readonly Passage[] = [...STORED, 'foreign' as const].map(fresh);

/** One of each class of `zuora/outcome.ts`, for a small space. */
const NARROW: ReadonlySet<string> = new Set([
  ...['accept', 'refuse', 'lock', 'limit', 'refuseAtTheDoor', 'lost', 'foreign'],
  ...['stored accept', 'stored refuse', 'stored lock', 'stored fail'],
]);

/** Everything that can happen to a call now. */
export function passages(
  zuora: Zuora,
  key: string,
  now: number,
  { isRich }: { readonly isRich: boolean },
): readonly Passage[] {
  const all = allPassages(zuora, key, now);
  return isRich ? all : all.filter((passage) => NARROW.has(passageName(passage)));
}

function allPassages(zuora: Zuora, key: string, now: number): readonly Passage[] {
  const known = knownKey(zuora, key, now);
  if (known === undefined) return [...NEW_KEY, ...ANY_KEY];
  if (known.reply !== null) return [repeated(known.reply), ...ANY_KEY];
  const possible = STORED.filter((work) => known.executed !== true || (WORKS[work].sends ?? 1) > 0);
  const notArrived = known.executed === true ? [] : NEW_KEY;
  return [...possible.map(repeated), ...notArrived, fresh('inProgress'), ...ANY_KEY];
}

export function passageName(passage: Passage): string {
  if (passage.kind !== 'answered') return passage.kind;
  return passage.isRepeated ? `stored ${passage.work}` : passage.work;
}

/** What a worker sees of it. Without an echo, a stored reply can look like a fresh one. */
export function replyKind(
  passage: Passage,
  echoes: boolean,
): { readonly verdict: Verdict; readonly kind: readonly string[] } {
  if (passage.kind === 'neverLeft') return { verdict: 'notExecuted', kind: ['silent'] };
  if (passage.kind !== 'answered') return { verdict: 'unknown', kind: ['silent'] };
  const { work, isRepeated } = passage;
  const { verdict } = WORKS[work];
  if (work === 'foreign') return { verdict, kind: ['foreign'] };
  return { verdict, kind: isRepeated ? (echoes ? ['stored'] : ['stored', 'fresh']) : ['fresh'] };
}

/** Whether Zuora may have done that with a request, by the status in its log; null: nobody knows. Some refusals come with HTTP 200. */
export function isLike(passage: Passage, status: number | null): boolean {
  if (passage.kind !== 'answered') return passage.kind === 'lost';
  if (status === null) return true;
  const { httpStatus } = WORKS[passage.work];
  return Math.floor(httpStatus / 100) === Math.floor(status / 100) || (status === 200 && httpStatus === 400);
}

/** Without what does not matter for later replies. */
export function noted(zuora: Zuora): Zuora {
  return { ...zuora, requests: 0 };
}

function knownKey({ keys }: Zuora, key: string, now: number): KnownKey | undefined {
  const known = keys[key];
  return known === undefined || now >= known.at + FORGETS_AFTER_MS ? undefined : known;
}

/** Makes one call: what it does in Zuora, and what the worker gets to know. */
export function call(
  zuora: Zuora,
  { idempotencyKey: key, trackId, resend }: Pick<AttemptPlan, 'idempotencyKey' | 'trackId' | 'resend'>,
  passage: Passage,
  now: number,
): AttemptResult {
  const request = { key, trackId, resend, requestId: `request-${zuora.requests}` };
  zuora.requests += 1;
  switch (passage.kind) {
    case 'neverLeft':
      return { verdict: 'notExecuted', reasons: [{ code: 'ECONNREFUSED', message: '' }] };
    case 'lost':
    case 'workerLost':
      if (knownKey(zuora, key, now) === undefined) arrive(zuora, request, null, now);
      return passage.kind === 'lost'
        ? receipt({}, now)
        : { verdict: 'unknown', reasons: [{ code: 'WORKER_LOST', message: '' }] };
    case 'answered': {
      const { work, isRepeated } = passage;
      if (isStored(work)) arrive(zuora, request, work, isRepeated ? (zuora.keys[key]?.at ?? now) : now);
      const first = isRepeated ? zuora.keys[key] : undefined;
      const echoed = work === 'foreign' ? 'of-another-request' : (first?.trackId ?? trackId);
      const { verdict, httpStatus } = WORKS[work];
      return receipt(
        {
          ...{ verdict, httpStatus, zuoraRequestId: first?.requestId ?? request.requestId },
          echoedTrackId: first === undefined || zuora.echoes ? echoed : null,
        },
        now,
      );
    }
  }
}

/** Replies that read alike are one to the worker. */
export function replyOf(reply: Stored | null): string {
  return reply === null ? '?' : `${WORKS[reply].verdict} ${WORKS[reply].httpStatus}`;
}

function isStored(work: Work): work is Stored {
  return STORED.some((each) => each === work);
}

function receipt(reply: Partial<AttemptReceipt>, now: number): AttemptReceipt {
  return {
    ...{ called: true, startedAt: new Date(now).toISOString(), durationMs: CALL_MS, verdict: 'unknown', reasons: [] },
    ...{ httpStatus: null, zuoraRequestId: null, echoedTrackId: null, retryAfterMs: null },
    ...reply,
  };
}

interface Request extends Pick<KnownKey, 'requestId' | 'trackId'> {
  readonly key: string;
  readonly resend: boolean;
}

/** A request arrives, or it is decided now what an earlier one did. */
function arrive(zuora: Zuora, { key, resend, ...names }: Request, reply: Stored | null, at: number): void {
  const sends = reply === null ? null : WORKS[reply].sends;
  const known = zuora.keys[key];
  const isDecided = known?.at === at;
  zuora.keys[key] = {
    ...(isDecided ? known : { ...names, at, mayEmail: notEmailed(zuora, resend, at) }),
    ...{ reply, executed: (isDecided ? known.executed : null) ?? (sends === null ? null : sends > 0) },
  };
  if (sends !== null && !(isDecided && known.executed !== null)) emailAll(zuora, key, sends);
}

/** An email on its way is not seen yet, so a call in a short period emails the document once more. */
function notEmailed({ documents }: Zuora, resend: boolean, at: number): number[] {
  return [...documents.keys()].filter((place) => resend || emailOf(documents[place], at) !== 'left');
}

/** @param sends to how many documents */
function emailAll(zuora: Zuora, key: string, sends: number): void {
  const { mayEmail, at } = zuora.keys[key] ?? { mayEmail: [], at: 0 };
  const emailed = mayEmail.filter((place) => place < sends);
  for (const place of emailed) email(zuora.documents[place], intentOf(key), at);
  if (emailed.length > 0) showEmails(zuora, at);
}

/** A check shows that a request was executed of which nobody knew it. */
export function decideExecuted(zuora: Zuora, key: string): void {
  const known = zuora.keys[key];
  if (known?.executed !== null) return;
  known.executed = true;
  emailAll(zuora, key, 2);
}

/** How often a document may have been emailed for each intent. */
export function emailsOf({ keys, documents }: Zuora, place: number): ReadonlyMap<string, number> {
  const counts = new Map(Object.entries(documents[place]?.emails ?? {}));
  for (const [key, { executed, mayEmail }] of Object.entries(keys)) {
    const intent = intentOf(key);
    if (executed === null && mayEmail.includes(place)) counts.set(intent, (counts.get(intent) ?? 0) + 1);
  }
  return counts;
}

/** `first`, or `resend/` with the request. */
export function intentOf(key: string): string {
  return key.split('/').slice(2, -1).join('/');
}

export function email(document: Document | undefined, by: string, now: number): void {
  if (document === undefined) return;
  document.emails[by] = (document.emails[by] ?? 0) + 1;
  document.email = 'onTheWay';
  document.at = now;
}

export function showEmails(zuora: Zuora, now: number): void {
  zuora.billRun = { ...zuora.billRun, invoicesEmailed: true, lastEmailSentTime: new Date(now).toISOString() };
}

export function emailOf(document: Document | undefined, now: number): Document['email'] {
  const { email: status, at } = document ?? { email: 'never', at: null };
  return status === 'onTheWay' && now >= (at ?? 0) + LEAVES_WITHIN_MS ? 'left' : status;
}
