/** Phase 2: the bill run is posted, and a send is due. */
import type { LookRules } from '../contract/activities.js';
import { missingOf } from './documents.js';
import { hasAccepted, isAlias, isOnHold, openSendOf, type EmailJob, type Read } from './job.js';
import { unreadQuestion } from './questions.js';
import { isPosted, unreadOr } from './waiting.js';
import { nextSendStep, type SendQuestion, type SendStep } from './send-step.js';
import { keyExpiry, type Send } from './send.js';
import { hasUnknown } from './verdict.js';
import type { SendingStep, Shown, Wait } from './step.js';
import { held } from './held.js';

/** What the open send needs next. */
export function openSendStep(job: EmailJob, now: number): SendStep | null {
  const send = openSendOf(job);
  if (send === undefined || job.billRun === null) return null;
  const onHoldMs = now - (job.onHoldSince ?? now);
  const limits = {
    ...{ ...lookRules(job, send), sendBudgetMs: job.settings.sendBudgetMs, onHoldMs },
    ...(send.missingSince === undefined ? {} : { missingDocuments: missingOf(job), attemptedAt: lastAttemptAt(job) }),
  };
  return nextSendStep(send, { billRun: job.billRun, at: job.lookedAt }, limits, now);
}

/** The same, with the question about a read that failed: it comes after those of the send, and holds back no further attempt. */
export function askedStep(job: EmailJob, now: number): SendStep | null {
  const step = openSendStep(job, now);
  const question = unread(job, step);
  if (question === undefined || questionIn(step) !== undefined) return step;
  const isUnderWay = (openSendOf(job)?.attempts.length ?? 0) > 0;
  if (isUnderWay && (step?.kind === 'attempt' || step?.kind === 'wait')) return { ...step, question };
  return { kind: 'ask', question };
}

/** A read that comes before anything else failed, and nobody has answered. */
export function isUnread(job: EmailJob, now: number): boolean {
  return unread(job, openSendStep(job, now)) !== undefined;
}

function unread(job: EmailJob, step: SendStep | null): SendQuestion | undefined {
  const { reading } = job;
  if (reading?.failed == null || reading.what !== neededRead(job, step)) return undefined;
  const text = unreadQuestion(reading.what, reading.since, reading.failed.words);
  return { kind: 'cannotRead', text, needsSendAnyway: false, safeUntil: null };
}

function neededRead(job: EmailJob, step: SendStep | null): Read | null {
  if (isAlias(job)) return 'handOver';
  if (job.incoming.length > 0) return 'lookUp';
  return job.lookWanted || step?.kind === 'look' ? 'look' : null;
}

/** Once this job may have emailed, what Zuora shows as emailed says nothing about others. */
export function lookRules(job: EmailJob, send: Send): LookRules {
  const { settings, sends } = job;
  const emailed = sends.some((each) => each.outcome === 'accepted' || hasUnknown(each));
  const missing = send.missingSince !== undefined || emailed;
  const documents = send.missingSince === undefined ? null : missingOf(job);
  return {
    coolDownMs: settings.coolDownMs,
    ...(missing ? { missing } : {}),
    ...(documents?.kind === 'accountedFor' ? { accountedAt: documents.at } : {}),
  };
}

/** When the last attempt of any send ended (epoch, ms); 0 without one. */
function lastAttemptAt({ sends }: EmailJob): number {
  const ends = sends.flatMap(({ attempts }) =>
    attempts.map(({ startedAt, durationMs }) => Date.parse(startedAt) + (durationMs ?? 0)),
  );
  return Math.max(0, ...ends);
}

export function questionIn(step: SendStep | null): SendQuestion | undefined {
  return step !== null && 'question' in step ? step.question : undefined;
}

/** How long a question stays open if the job itself would close at once. */
const LEAST_FOR_QUESTIONS_MS = 7 * 24 * 60 * 60_000;

/** When the job stops waiting for an answer (epoch, ms): no deadline closes a job on hold. */
export function questionEnd(job: EmailJob, { kind }: SendQuestion, now: number): number {
  if (isOnHold(job)) return Infinity;
  const { openForMs } = job.settings;
  const askedAt = kind === 'cannotRead' ? job.reading?.failed?.at : openSendOf(job)?.stoppedAt;
  return (askedAt ?? now) + (openForMs === 0 ? LEAST_FOR_QUESTIONS_MS : openForMs);
}

export function sendingStep(job: EmailJob, now: number): SendingStep | null {
  if (isAlias(job) || !isPosted(job)) return null;
  const send = openSendOf(job);
  if (send?.inFlight === true) return { ...waitUntil(Infinity), ...duringAttempt(job, send, now) };
  const step = dueStep(job, send, now);
  return step === null || !job.held ? step : { ...step, ...held(job) };
}

function dueStep(job: EmailJob, send: Send | undefined, now: number): SendingStep | null {
  const step = askedStep(job, now);
  if (!isUnread(job, now)) {
    if (job.incoming.length > 0 && !isDue(job, send, step)) return lookUp(job, step);
    if (job.lookWanted) {
      const text = 'Looking at the bill run again';
      return look(job, send === undefined ? coolingDown(text) : beforeFirst(job, send, text));
    }
  }
  if (step === null) return null;
  if (send === undefined) return step.kind === 'ask' ? ask(job, step, now) : null;
  if (step.kind === 'notNeeded') {
    // Only a hold keeps a job without documents open.
    return step.reason === 'noDocuments' && job.held ? { ...waitUntil(Infinity), ...held(job) } : null;
  }
  const question = questionIn(step);
  if (job.held) return { ...waitUntil(Infinity, keyExpiresAt(send, now)), ...held(job) };
  if (job.heldByAll) return { kind: 'watchHoldAll', wake: keyExpiresAt(send, now), ...held(job) };
  switch (step.kind) {
    case 'look':
      return look(job, sending('Looking at the bill run before the first attempt'));
    case 'attempt':
      return { kind: 'attempt', send, ...(question === undefined ? sending(underWay(send)) : asking(step, question)) };
    case 'coolDown':
      return { ...waitUntil(step.until), ...beforeFirst(job, send, step.text) };
    case 'wait':
      return {
        ...waitUntil(step.until, Math.min(step.wake, changeOf(question))),
        ...(question === undefined ? between(job, send, step.text) : asking(step, question)),
      };
    case 'ask':
      return ask(job, step, now);
  }
}

/** Waits for the answer of a person. */
export function ask(job: EmailJob, step: Extract<SendStep, { kind: 'ask' }>, now: number): Wait {
  const { question } = step;
  return { ...waitUntil(questionEnd(job, question, now), changeOf(question)), ...asking(step, question) };
}

/** Attempts under way come before a look-up: it can take long, and Zuora forgets their key. */
function isDue(job: EmailJob, send: Send | undefined, step: SendStep | null): boolean {
  return step?.kind === 'attempt' && send !== undefined && send.attempts.length > 0 && !isOnHold(job);
}

function look(job: EmailJob, step: Shown): SendingStep {
  return { kind: 'look', ...unreadOr(job, step) };
}

function lookUp(job: EmailJob, step: SendStep | null): SendingStep {
  const question = questionIn(step);
  return {
    kind: 'lookUp',
    requests: job.incoming,
    wake: step?.kind === 'wait' ? step.wake : Infinity,
    ...(step === null || question === undefined
      ? sending('Looking up what earlier jobs of this bill run did')
      : asking(step, question)),
  };
}

/** When an unknown outcome becomes a question although the job is on hold (epoch, ms). */
function keyExpiresAt(send: Send, now: number): number {
  const expiry = keyExpiry(send);
  return hasUnknown(send) && expiry >= now ? expiry + 1 : Infinity;
}

/** When the question changes by time alone (epoch, ms): the key no longer protects a retry. */
function changeOf(question: SendQuestion | undefined): number {
  return question?.safeUntil == null ? Infinity : Date.parse(question.safeUntil) + 1;
}

function waitUntil(until: number, change = Infinity): Pick<Wait, 'kind' | 'until' | 'wake'> {
  return { kind: 'wait', until, wake: Math.min(until, change) };
}

/** An open question stays visible while its attempts continue. */
function duringAttempt(job: EmailJob, send: Send, now: number): Shown {
  const step = askedStep(job, now);
  const question = questionIn(step);
  return step === null || question === undefined ? sending(underWay(send)) : asking(step, question);
}

function underWay(send: Send): string {
  return `Attempt ${send.attempts.length + 1} is under way`;
}

function coolingDown(text: string): Shown {
  return { state: 'Waiting', reason: 'coolDown', text };
}

/** What an accepted send left unsent stays so until it is attempted again. */
function beforeFirst({ sends }: EmailJob, { missingSince }: Send, text: string): Shown {
  const isOurs = missingSince !== undefined && hasAccepted(sends);
  return isOurs ? { state: 'Delivering', reason: 'notSent', text } : coolingDown(text);
}

function between(job: EmailJob, send: Send, text: string): Shown {
  return send.attempts.length === 0 ? beforeFirst(job, send, text) : sending(text);
}

function sending(text: string): Shown {
  return { state: 'Sending', reason: null, text };
}

/** A question needs a person, except for an unknown outcome whose attempts continue. */
function asking(step: SendStep, { kind, text }: SendQuestion): Shown {
  const continues = step.kind !== 'ask' && kind === 'unknown';
  return { state: continues ? 'Sending' : 'NeedsAttention', reason: kind, text: text.replace(/\.$/, '') };
}
