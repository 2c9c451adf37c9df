/**
 * The rules under any order of messages, faults and jumps of the clock. fast-check makes up lives of bill runs. After each step the
 * test compares the record of the job with what happened in a Zuora that is a part of this test.
 *
 * A failure prints its seed, path and the shrunk life. To see it again: MODEL_SEED=<seed> npx vitest run
 * test/workflows/rules/model.test.ts. MODEL_RUNS=100000 searches longer.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BillRun } from '../../../workflows/contract/activities.js';
import type {
  EmailReason,
  EmailRequest,
  EmailState,
  MessageAnswer,
  SendRecord,
  Verdict,
} from '../../../workflows/contract/contract.js';
import { aliasStep } from '../../../workflows/rules/alias.js';
import { deliveringStep } from '../../../workflows/rules/delivering.js';
import { detailsOf } from '../../../workflows/rules/details.js';
import { endingOf } from '../../../workflows/rules/ending.js';
import { isKnown, openSendOf, pendingRequests, unsettledOf, type EmailJob } from '../../../workflows/rules/job.js';
import { keyParts } from '../../../workflows/rules/keys.js';
import { nextStep, settle } from '../../../workflows/rules/next-step.js';
import { sendingStep } from '../../../workflows/rules/sending.js';
import { statusOf } from '../../../workflows/rules/status.js';
import { waitingStep } from '../../../workflows/rules/waiting.js';
import {
  cutOff,
  DAY,
  findsNoWorker,
  HOUR,
  iso,
  Life,
  losesWorker,
  makesNoCall,
  MINUTE,
  neverLeaves,
  NOON,
  replies,
  SECOND,
  type Answer,
  type Call,
} from '../../support/life.js';
import { checkNumbers } from '../../support/records.js';

const seed = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env['MODEL_RUNS'] ?? 600);
/** A safety net only: a life takes some 10 ms. */
const timeout = 120_000 + 100 * numRuns;

/** What Zuora does with a request whose key it does not know. */
type Work = 'accept' | 'refuse' | 'limit' | 'fail' | 'sendThenFail';
/** What happens on the way there and back. */
type Way =
  | 'answered'
  | 'requestLost'
  | 'answerLost'
  | 'workerLostBefore'
  | 'workerLostAfter'
  | 'neverLeaves'
  | 'noWorker'
  | 'inProgress'
  | 'foreign'
  /** No call is made: an order took the attempt back, all jobs are on hold, or the workflow seems to have been reset. */
  | 'takenBack'
  | 'heldByAll'
  | 'afterReset';

interface Weather {
  readonly work: Work;
  readonly way: Way;
  readonly takes: number;
  readonly retryAfterMs: number | null;
  /** A message that arrives while the call is under way. */
  readonly meanwhile: Act | null;
}

/** What is not known about the real Zuora; the rules hold either way. */
interface Nature {
  readonly storesLimits: boolean;
  /** Stored replies carry the track id of their first request; otherwise only Zuora's request id shows that they are stored. */
  readonly echoes: boolean;
}

const KEY_LIFETIME_MS = 24 * HOUR;
const ANSWERS: Record<Work, { readonly verdict: Verdict; readonly httpStatus: number }> = {
  accept: { verdict: 'accepted', httpStatus: 200 },
  refuse: { verdict: 'refused', httpStatus: 400 },
  limit: { verdict: 'notExecuted', httpStatus: 429 },
  fail: { verdict: 'unknown', httpStatus: 500 },
  sendThenFail: { verdict: 'unknown', httpStatus: 500 },
};

/** Zuora as its pages describe it: the first reply to a key is kept for 24 h, failures too, and emails once per key. */
class Zuora {
  readonly weather: Weather[] = [];
  /** The key of each time that the documents were emailed. */
  readonly emails: string[] = [];
  private readonly stored = new Map<string, { readonly at: number; readonly call: Call; readonly work: Work }>();

  /** When documents were last emailed; `resend=false` emails only what never was. */
  private emailedAt = -Infinity;
  private readonly nature: Nature;

  constructor(nature: Nature) {
    this.nature = nature;
  }

  answer(call: Call, life: Life, world: World): ReturnType<Answer> {
    const next = this.weather.shift();
    const { work, way, takes, retryAfterMs, meanwhile } = next ?? CALM;
    life.now += takes;
    meanwhile?.apply(world, life);
    switch (way) {
      case 'noWorker':
        return findsNoWorker()(call, life);
      case 'neverLeaves':
        return neverLeaves()(call, life);
      case 'requestLost':
        return cutOff()(call, life);
      case 'workerLostBefore':
        return losesWorker()(call, life);
      case 'inProgress':
        return replies({ verdict: 'unknown', httpStatus: 409 })(call, life);
      case 'foreign':
        return replies({ verdict: 'accepted', echoedTrackId: 'of-another-request' })(call, life);
      case 'takenBack':
      case 'heldByAll':
        return makesNoCall(way)(call, life);
      case 'afterReset':
        return call.originalRunId === undefined ? cutOff()(call, life) : makesNoCall('afterReset')(call, life);
      case 'answerLost':
        this.receive(call, work, life);
        return cutOff()(call, life);
      case 'workerLostAfter':
        this.receive(call, work, life);
        return losesWorker()(call, life);
      case 'answered':
        return replies({ ...this.receive(call, work, life), retryAfterMs })(call, life);
    }
  }

  /** The time that Zuora shows with the bill run, once emails have left. */
  get shownTime(): string | undefined {
    return this.emailedAt === -Infinity ? undefined : new Date(this.emailedAt).toISOString();
  }

  private receive(call: Call, work: Work, { now }: Life): Parameters<typeof replies>[0] {
    const { idempotencyKey: key } = call;
    const known = this.stored.get(key);
    if (known !== undefined && now < known.at + KEY_LIFETIME_MS) {
      const echoedTrackId = this.nature.echoes ? known.call.trackId : null;
      return { ...ANSWERS[known.work], zuoraRequestId: `request-${known.call.number}`, echoedTrackId };
    }
    if (work === 'accept' || work === 'sendThenFail') {
      // The page of the endpoint warns of calls "several times in a short period".
      const emailsAll = call.resend || now < this.emailedAt + DAY || this.emailedAt === -Infinity;
      if (emailsAll) this.emails.push(key);
      if (emailsAll) this.emailedAt = now;
    }
    if (work !== 'limit' || this.nature.storesLimits) this.stored.set(key, { at: now, call, work });
    return ANSWERS[work];
  }
}

const CALM: Weather = { work: 'accept', way: 'answered', takes: SECOND, retryAfterMs: null, meanwhile: null };

/** What the life should lead to, independent of the code under test. */
class World {
  readonly zuora: Zuora;
  /** How many requests were made under a new name. */
  requests = 1;
  /** The names of those with an id. */
  readonly names = new Set<string>();
  /** The sends of earlier jobs of the same workflow id. */
  readonly earlier: SendRecord[] = [];
  jobs = 1;
  /** The calls that were made, of those that were begun. */
  readonly made: (Call & { readonly onHoldMs: number })[] = [];
  /** The calls begun before the hold or the close: no more may follow. */
  heldAt: number | null = null;
  /** The time on hold so far, and since when it lasts. */
  private heldMs = 0;
  private heldSince: number | null = null;
  closedAt: number | null = null;
  /** A person went on without a look-up of earlier jobs. Then a job knows nothing of their keys. */
  leftOut = false;

  constructor(nature: Nature) {
    this.zuora = new Zuora(nature);
  }

  hold(now: number): void {
    this.heldSince ??= now;
  }

  release(now: number): void {
    this.heldMs = this.onHoldUntil(now);
    this.heldSince = null;
  }

  /** How long the job was on hold until then. */
  onHoldUntil(now: number): number {
    return this.heldMs + (this.heldSince === null ? 0 : now - this.heldSince);
  }

  /** Checks at each call the conditions under which it may be made. With `expect`, a life would take twice as long. */
  readonly answer: Answer = (call, life) => {
    assert.equal(life.billRun.status, 'Posted', 'rule 1: posted first');
    const send = life.send;
    if (send.attempts.length === 0 && !send.resend && send.decisions.every(({ decision }) => decision === 'retry')) {
      checkLook(life, call);
    }
    const result = this.zuora.answer(call, life, this);
    if (result !== 'neverTaken' && (!('called' in result) || result.called)) {
      this.made.push({ ...call, onHoldMs: this.onHoldUntil(call.at) });
    }
    return result;
  };
}

function isOurs({ outcome }: SendRecord): boolean {
  return outcome === 'accepted' || outcome === 'unknown';
}

function checkLook({ job, sends, send }: Life, { at, look }: Call): void {
  assert.ok(at - job.lookedAt <= MINUTE, 'rule 6: the look is fresh');
  const { autoEmail, invoicesEmailed, lastEmailSentTime, postedDate, postedNotifications } = job.billRun ?? {};
  const isForMissing = send.decisions.length > 0 || sends.some(isOurs);
  assert.ok(autoEmail !== true || isForMissing, 'rule 6: Zuora does not email by itself');
  assert.ok(invoicesEmailed !== true || isForMissing, 'rule 6: nobody else emailed');
  const documents = [job.billRun?.numberOfInvoices, job.billRun?.numberOfCreditMemos];
  assert.notDeepEqual(documents, [0, 0], 'rule 6: there is something to email');
  const emailsAtPost = autoEmail === true || postedNotifications !== undefined;
  const { accountedAt = -Infinity } = look ?? {};
  const isMissing = send.requests.some(({ missing }) => missing === true);
  const ends = sends.flatMap(({ attempts }) => attempts.map((each) => Date.parse(each.startedAt)));
  const isQuiet = accountedAt > -Infinity || ends.every((end) => at >= end + job.settings.coolDownMs);
  assert.ok(!isMissing || isQuiet, 'rule 10: no earlier email can be on its way');
  for (const emailed of [lastEmailSentTime, emailsAtPost ? postedDate : undefined]) {
    const isAccountedFor = emailed !== undefined && Date.parse(emailed) <= accountedAt;
    const quietSince = emailed === undefined || isAccountedFor ? 0 : Date.parse(emailed);
    assert.ok(at >= quietSince + job.settings.coolDownMs, 'rule 6: the cool-down is over');
  }
}

/** One event in the life of a job. */
class Act implements fc.Command<World, Life> {
  readonly apply: (world: World, life: Life) => void;
  private readonly name: string;

  constructor(name: string, apply: (world: World, life: Life) => void) {
    this.name = name;
    this.apply = apply;
  }

  check(): boolean {
    return true;
  }

  run(world: World, life: Life): void {
    if (life.end !== undefined) return;
    this.apply(world, life);
    checkRules(world, life);
  }

  toString(): string {
    return this.name;
  }
}

/** The job ends as it is, and another one is started under the same id. */
class StartAgain extends Act {
  override run(world: World, life: Life): void {
    this.apply(world, life);
    checkRules(world, life);
  }
}

function checkRules(world: World, life: Life): void {
  if (world.jobs > 1) {
    checkOverJobs(world, life);
    return;
  }
  const { calls } = life;
  assert.equal(calls.length, world.heldAt ?? calls.length, 'a held job starts no attempt');
  assert.equal(calls.length, world.closedAt ?? calls.length, 'a closing job starts no attempt');
  for (const send of life.sends) {
    checkEmails(world.zuora, send);
    checkNumbers(send, ({ startedAt }) => Date.parse(startedAt));
    checkTimes(world, life, send);
  }
  checkRequests(world, life);
  checkReading(life);
}

/** These rules hold for any number of jobs: an intent is emailed once, and its keys are those of one send. */
function checkOverJobs(world: World, life: Life): void {
  const { emails } = world.zuora;
  const sends = [...world.earlier, ...life.sends];
  const calls = world.made.filter(({ resend }) => resend);
  for (const intent of new Set(calls.map(({ idempotencyKey: key }) => keyParts(key).intent))) {
    const sent = emails.filter((key) => keyParts(key).intent === intent).length;
    const risks = new Set(
      sends
        .filter(({ attempts }) => attempts.some(({ idempotencyKey: key }) => keyParts(key).intent === intent))
        .flatMap(({ decisions }) => decisions.filter(({ decision }) => decision === 'sendAnyway')),
    );
    assert.ok(sent <= 1 + risks.size, 'no intent is emailed twice, unless a person took the risk');
    if (world.leftOut) continue;
    const own = calls.filter(({ idempotencyKey: key }) => keyParts(key).intent === intent);
    const numbers = own.map(({ idempotencyKey: key }) => keyParts(key).number);
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
      'numbers never go back',
    );
    for (const { idempotencyKey: key, at } of own) {
      const firstUse = own.find(({ idempotencyKey }) => idempotencyKey === key)?.at ?? 0;
      assert.ok(at - firstUse <= 23 * HOUR, 'rule 4: no attempt under a forgotten key');
    }
  }
  const first = emails.filter((key) => keyParts(key).intent.endsWith('/first')).length;
  const missed = sends.filter(({ requests, attempts }) => attempts.length > 0 && requests.some(isMissing));
  const overridden = sends.flatMap(({ resend, decisions }) => {
    return resend ? [] : decisions.filter(({ decision }) => decision === 'sendAnyway');
  });
  assert.ok(first <= 1 + overridden.length + missed.length, 'a first send emails what was never emailed');
  checkReading(life);
}

/** A send for what was missed shares its intent with the first send, and has keys of its own. */
function keysOf({ attempts }: Pick<SendRecord, 'attempts'>): ReadonlySet<string> {
  return new Set(attempts.map(({ idempotencyKey: key }) => key));
}

/** Compares the record with the emails that Zuora sent. */
function checkEmails({ emails }: Zuora, send: SendRecord): void {
  const { outcome, settledAt, attempts, decisions } = send;
  const keys = keysOf(send);
  const sent = emails.filter((key) => keys.has(key)).length;
  const risks = decisions.filter(({ decision }) => decision === 'sendAnyway').length;
  assert.ok(sent <= 1 + risks, 'no intent is emailed twice, unless a person took the risk');
  // This Zuora has emailed every document with the first send.
  const isFirst = !send.requests.some(isMissing);
  if (outcome === 'accepted' && isFirst) assert.ok(sent > 0, 'accepted only what was emailed');
  if (['refused', 'superseded', 'stopped'].includes(outcome)) {
    assert.equal(sent, 0, `${outcome} only what was not emailed`);
  }
  if (outcome === 'pending') assert.equal(settledAt, null, 'pending only what is not settled');
  const success = attempts.some(({ verdict }) => verdict === 'accepted');
  assert.equal(outcome === 'accepted', success, 'accepted with a success, and only then');
}

/**
 * Rule 4: the budget of automatic attempts, and 23 h from the first use of a key, also for a person's retry. Attempts that made no
 * call use up neither.
 */
function checkTimes({ made }: World, { job }: Life, { attempts, decisions }: SendRecord): void {
  const keys = keysOf({ attempts });
  const own = made.filter(({ idempotencyKey: key }) => keys.has(key));
  // A person's retry begins a budget of its own with its first attempt.
  const begins = new Set([own[0], ...decisions.map(({ at }) => own.find((call) => call.at >= Date.parse(at)))]);
  let start = own[0];
  for (const call of own) {
    const first = attempts.find(({ idempotencyKey: key }) => key === call.idempotencyKey)?.startedAt;
    const firstUse = first === undefined ? call.at : Date.parse(first);
    assert.ok(call.at - firstUse <= 23 * HOUR, 'rule 4: no attempt under a forgotten key');
    if (begins.has(call)) start = call;
    const onHoldMs = call.onHoldMs - (start?.onHoldMs ?? 0);
    assert.ok(call.at - (start?.at ?? 0) - onHoldMs <= job.settings.sendBudgetMs, 'rule 4: the budget');
  }
}

/** Every request is served by exactly one send, waits for one, or is named as unsettled in the end. */
function checkRequests(world: World, { job, sends, end }: Life): void {
  const waiting = pendingRequests(job);
  const all = [...sends.flatMap(({ requests }) => requests), ...waiting].map(nameOf);
  assert.equal(new Set(all).size, all.length, 'no request is served twice');
  assert.equal(all.length, world.requests, 'no request is lost');
  for (const name of world.names) assert.ok(all.includes(name), `the request ${name} is there`);
  if (end === undefined) return;
  const unsettled = unsettledOf(job);
  for (const { requestId } of waiting) expect(unsettled.some((text) => text.includes(` ${requestId} `))).toBe(true);
  const last = job.sends.at(-1);
  const isSettled = last === undefined || last.outcome === 'accepted' || last.notNeeded !== null;
  expect(unsettled.length).toBe(waiting.length + (isSettled ? 0 : 1));
  const isFollowed = last?.notNeeded === 'autoEmail' || last?.notNeeded === 'emailedElsewhere';
  const isDelivering = sends.some(({ outcome }) => outcome === 'accepted') || isFollowed;
  if (end.state === 'Delivering' || end.state === 'Emailed') expect([unsettled, isDelivering]).toEqual([[], true]);
  if (end.state === 'Stopped') expect(unsettled.length === 0 && isDelivering).toBe(false);
  if (end.state === 'Unsettled') expect(unsettled.length).toBeGreaterThan(0);
}

function nameOf({ requestId, resend }: { readonly requestId: string; readonly resend: boolean }): string {
  return `${resend ? 'resend' : 'first'} ${requestId}`;
}

/** What people read can be read at any time, and reading it, or continuing as new, changes nothing. */
function checkReading(life: Life): void {
  const { job, now, end } = life;
  const before = JSON.stringify(job);
  const carried = JSON.parse(before) as EmailJob;
  assertSame(nextStep(carried, now), nextStep(job, now));
  assertSame(statusOf(carried, now), statusOf(job, now));
  checkStep(life);
  if (end === undefined) settle(job, now);
  assert.equal(JSON.stringify(job), before);
}

/** A field that is undefined counts as absent, as it does in JSON. */
function assertSame(actual: unknown, expected: unknown): void {
  assert.equal(JSON.stringify(actual), JSON.stringify(expected));
}

/** The reasons of each state; '' stands for none. */
const REASONS: Readonly<Record<EmailState, readonly (EmailReason | '')[]>> = {
  Waiting: ['notPosted', 'coolDown', 'cannotRead'],
  Sending: ['', 'unknown', 'cannotRead'],
  Held: ['job', 'all'],
  NeedsAttention: ['refused', 'unknown', 'cannotRead'],
  Delivering: ['', 'autoEmail', 'emailedElsewhere', 'notSent', 'unknown', 'cannotRead'],
  Emailed: [''],
  Skipped: ['noDocuments'],
  Stopped: ['finish', 'cancel'],
  NotPosted: [''],
  Unsettled: ['refused', 'unknown', 'cannotRead'],
  HandedOver: [''],
};

/** Every record has a next step, from one phase at most, with a state of the contract; state and question agree. */
function checkStep({ job, now }: Life): void {
  const ending = endingOf(job, now);
  const steps = [waitingStep(job), aliasStep(job, now), sendingStep(job, now), deliveringStep(job, now)];
  const ofPhases = steps.filter((step) => step !== null);
  assert.ok(ofPhases.length <= 1, 'a job is in one phase');
  const step = nextStep(job, now);
  const [expected = ofPhases[0]] = ending === null ? [] : [ending];
  if (expected !== undefined) assertSame(step, expected);

  const { state, reason, text, question } = statusOf(job, now);
  assert.ok(REASONS[state].includes(reason ?? ''), `${reason} is a reason of ${state}`);
  assert.match(text, /\S\.$/);
  assert.ok(detailsOf(job, now).includes(`: ${state}`));
  if (state === 'NeedsAttention' || (state === 'Sending' && reason === 'unknown')) assert.equal(question?.kind, reason);
  if (question !== null && ending === null) assert.ok(['NeedsAttention', 'Sending', 'Held'].includes(state), state);
  if (question !== null) {
    assert.equal(question.needsSendAnyway, question.kind === 'unknown' && question.safeUntil === null);
  }
  const isUnderWay = openSendOf(job)?.inFlight === true;
  if (job.held && ending === null && !isUnderWay) assert.ok(['Held', 'Delivering', 'Emailed'].includes(state), state);
  if (!job.held && !job.heldByAll) assert.notEqual(state, 'Held');
}

const people = fc.constantFrom('alice', 'bob', undefined);
const flag = fc.constantFrom(true, false, undefined);

const resends = fc.constantFrom('A', 'B', 'C', '__proto__', '\ud83d\ude42', 'first-run-1', undefined).map(
  (requestId) =>
    new Act(`resend(${JSON.stringify(requestId)})`, (world, life) => {
      if (requestId === undefined || !isKnown(life.job, 'resend', requestId)) world.requests += 1;
      if (requestId !== undefined) world.names.add(`resend ${requestId}`);
      life.resend(requestId === undefined ? undefined : { requestId });
    }),
);

const resendUpdates = fc.constantFrom('A', 'B', 'C', '__proto__').map(
  (requestId) =>
    new Act(`update resend(${requestId})`, (world, life) => {
      const isNew = !isKnown(life.job, 'resend', requestId);
      const answer = life.update('resend', { requestId });
      if (typeof answer === 'string') {
        expect([isNew, answer.length > 0], 'only a new request is rejected').toEqual([true, true]);
        return;
      }
      if (isNew) world.requests += 1;
      world.names.add(`resend ${requestId}`);
      checkAnswer(life, answer, requestId);
    }),
);

/** The answer names the send that serves the request; asking again names the same send. */
function checkAnswer(life: Life, { ordinal, ...answer }: MessageAnswer, requestId: string): void {
  expect(answer).toEqual({ requestId, state: expect.any(String) as string });
  if (life.end !== undefined) return;
  const served = life.sends.find(({ requests }) => requests.some((each) => nameOf(each) === `resend ${requestId}`));
  if (ordinal !== undefined) expect(served?.ordinal).toBe(ordinal);
  const before = JSON.stringify(life.job);
  expect(life.update('resend', { requestId })).toMatchObject({ ...(served && { ordinal: served.ordinal }), requestId });
  expect(JSON.stringify(life.job), 'asking again changes nothing').toBe(before);
}

const retries = fc
  .record({
    sendAnyway: flag,
    ordinal: fc.constantFrom(undefined, undefined, 1, 2),
    requestedBy: people,
    requestId: fc.constantFrom(undefined, undefined, 'R-1', 'R-2'),
    way: fc.constantFrom('signal' as const, 'update' as const),
  })
  .map(
    ({ way, ...message }) =>
      new Act(`${way} retry(${JSON.stringify(message)})`, (world, life) => {
        const asks = life.question?.kind === 'cannotRead' && life.job.reading?.what === 'lookUp';
        if (asks && message.sendAnyway === true) world.leftOut = true;
        const argument = JSON.parse(JSON.stringify(message)) as object;
        const { requestId } = message;
        const isRepeated = requestId !== undefined && isKnown(life.job, 'retry', requestId);
        const before = recordOf(life);
        const missing = missingRequests(life);
        if (way === 'signal') life.retry(argument);
        else life.update('retry', argument);
        world.requests += missingRequests(life) - missing;
        if (isRepeated) expect(recordOf(life), 'a retry with a known id changes nothing').toBe(before);
      }),
  );

function isMissing({ missing }: EmailRequest): boolean {
  return missing === true;
}

function missingRequests({ job, sends }: Life): number {
  return [...sends.flatMap(({ requests }) => requests), ...pendingRequests(job)].filter(isMissing).length;
}

const checks = fc
  .record({
    notSent: fc.nat({ max: 2 }),
    waiting: fc.nat({ max: 1 }),
    unknown: fc.nat({ max: 1 }),
    isLast: fc.boolean(),
  })
  .map(
    ({ isLast, ...counts }) =>
      new Act(`check ${JSON.stringify({ ...counts, isLast })}`, (_, life) => {
        if (life.job.delivery !== null) life.check(counts, isLast ? null : undefined);
      }),
  );

/** The record without the count of messages. */
function recordOf({ job }: Life): string {
  return JSON.stringify({ ...job, revision: 0 });
}

const holds = fc.constant(
  new Act('hold', (world, life) => {
    world.heldAt ??= life.calls.length;
    world.hold(life.now);
    life.hold();
  }),
);

const releases = fc.constant(
  new Act('release', (world, life) => {
    world.heldAt = null;
    if (!life.allOnHold) world.release(life.now);
    life.release();
  }),
);

const holdsOnAll = fc.constantFrom(true, false).map(
  (isOn) =>
    new Act(isOn ? 'hold on all' : 'release of all', (world, life) => {
      life.allOnHold = isOn;
      if (isOn) world.hold(life.now);
      else if (world.heldAt === null) world.release(life.now);
      life.go();
    }),
);

const closings = fc.constantFrom('finish' as const, 'cancel' as const).map(
  (name) =>
    new Act(name, (world, life) => {
      world.closedAt ??= life.calls.length;
      life[name]();
    }),
);

const nonsense = fc
  .tuple(fc.constantFrom('resend', 'retry', 'finish'), fc.jsonValue())
  .filter(([, argument]) => !isNothing(argument))
  .map(
    ([name, argument]) =>
      new Act(`nonsense ${name}(${JSON.stringify(argument)})`, (_, life) => {
        const { count } = life.job.ignored;
        life[name as 'resend'](argument);
        expect(life.job.ignored.count, 'nonsense is ignored, and counted').toBe(count + 1);
      }),
  );

/** A field that is null counts as absent. */
function isNothing(argument: unknown): boolean {
  if (typeof argument !== 'object' || Array.isArray(argument)) return false;
  return Object.values(argument ?? {}).every((field) => field === null);
}

const time = fc
  .constantFrom(...[1, SECOND, MINUTE, 16 * MINUTE, HOUR, 5 * HOUR, 12 * HOUR, 23 * HOUR, DAY, 3 * DAY, 8 * DAY])
  .map((length) => new Act(`pass ${length / HOUR} h`, (_, life) => void life.pass(length)));

const posts = fc.constant(new Act('post', (_, life) => void life.change({ status: 'Posted' })));

const looks = fc
  .record({
    autoEmail: fc.constantFrom(undefined, false, true),
    invoicesEmailed: fc.constantFrom(undefined, undefined, false, true),
    numberOfInvoices: fc.constantFrom(undefined, 0, 3),
    numberOfCreditMemos: fc.constantFrom(undefined, 0, 3),
    sentAgo: fc.constantFrom(undefined, 0, HOUR, 30 * HOUR),
    postedAgo: fc.constantFrom(undefined, 0, HOUR, 30 * HOUR),
    postedNotifications: fc.constantFrom(undefined, ['Invoice Posted']),
  })
  .map(
    ({ sentAgo, postedAgo, ...fields }) =>
      new Act(`Zuora shows ${JSON.stringify({ ...fields, sentAgo, postedAgo })}`, (_, life) => {
        const { id, number, status } = life.billRun;
        const time = (ago: number | undefined) => (ago === undefined ? undefined : iso(life.now - ago));
        const times = { lastEmailSentTime: time(sentAgo), postedDate: time(postedAgo) };
        const record = JSON.stringify({ id, number, status, ...fields, ...times });
        life.billRun = JSON.parse(record) as BillRun;
        life.go();
      }),
  );

const readings = fc.subarray(['watch', 'look', 'lookUp'] as const).map((unreadable) => {
  return new Act(`unreadable: ${unreadable.join(', ')}`, (_, life) => {
    life.unreadable.clear();
    for (const read of unreadable) life.unreadable.add(read);
    life.go();
  });
});

const continues = fc.constant(new Act('continue as new', (_, life) => void life.continueAsNew()));

const restarts = fc.record({ resend: fc.boolean(), requestId: fc.constantFrom('A', 'B') }).map(
  (input) =>
    new StartAgain(`start again ${JSON.stringify(input)}`, (world, life) => {
      world.earlier.push(...life.sends);
      world.jobs += 1;
      world.heldAt = null;
      world.release(life.now);
      world.closedAt = null;
      showEmails(world, life);
      life.startAgain(JSON.parse(JSON.stringify(input)) as typeof input);
    }),
);

/** Zuora shows that and when it last emailed for the bill run. */
function showEmails({ zuora }: World, { billRun }: Life): void {
  const { shownTime } = zuora;
  if (shownTime !== undefined) Object.assign(billRun, { invoicesEmailed: true, lastEmailSentTime: shownTime });
}

/** Messages that may also arrive while a call is under way. */
const messages = fc.oneof(resends, resendUpdates, retries, holds, releases, holdsOnAll, closings);

const weather = fc
  .array(
    fc.record<Weather>({
      work: fc.constantFrom('accept', 'refuse', 'limit', 'fail', 'sendThenFail'),
      way: fc.oneof(
        { weight: 3, arbitrary: fc.constant<Way>('answered') },
        {
          weight: 4,
          arbitrary: fc.constantFrom<Way>(
            ...(['requestLost', 'answerLost', 'workerLostBefore', 'workerLostAfter', 'neverLeaves'] as const),
            ...(['noWorker', 'inProgress', 'foreign', 'takenBack', 'heldByAll', 'afterReset'] as const),
          ),
        },
      ),
      takes: fc.constantFrom(SECOND, 130 * SECOND),
      retryAfterMs: fc.constantFrom(null, 0, 30 * SECOND, DAY),
      meanwhile: fc.option(messages, { freq: 5 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((days) => {
    const names = days.map(
      ({ work, way, meanwhile }) => `${work}/${way}${meanwhile === null ? '' : ` + ${String(meanwhile)}`}`,
    );
    return new Act(`weather ${names.join(', ')}`, (world) => void world.zuora.weather.push(...days));
  });

/** The same weather for a long time, so that budgets end and keys are forgotten. */
const climates = fc
  .record({
    work: fc.constantFrom<Work>('accept', 'limit', 'fail', 'sendThenFail'),
    way: fc.constantFrom<Way>('answered', 'requestLost', 'answerLost', 'neverLeaves'),
  })
  .map(
    ({ work, way }) =>
      new Act(`climate ${work}/${way}`, ({ zuora }) => {
        zuora.weather.push(...Array.from({ length: 150 }, () => ({ ...CALM, work, way })));
      }),
  );

const lives = fc.commands(
  [
    time,
    time,
    weather,
    weather,
    climates,
    resends,
    resendUpdates,
    retries,
    retries,
    checks,
    checks,
    posts,
    looks,
    readings,
    holds,
    releases,
    holdsOnAll,
    continues,
    nonsense,
  ].concat(closings),
  { maxCommands: 40, size: '+1' },
);

const livesOverJobs = fc.commands(
  [
    restarts,
    restarts,
    time,
    time,
    weather,
    weather,
    climates,
    resends,
    resends,
    retries,
    checks,
    readings,
    posts,
    continues,
    closings,
  ],
  { maxCommands: 40, size: '+1' },
);

const circumstances = fc.record({
  input: fc.record({
    resend: fc.boolean(),
    requestId: fc.constantFrom('A', 'JOB'),
    sendBudget: fc.constantFrom('1h', '12 hours', '20 hours'),
    coolDown: fc.constantFrom('0s', '24 hours'),
    openFor: fc.constantFrom('0s', '1 hour', '7 days'),
  }),
  status: fc.constantFrom('Completed', 'Posted', 'Posted'),
  nature: fc.record<Nature>({ storesLimits: fc.boolean(), echoes: fc.boolean() }),
});

test(`the rules hold for any life of a bill run (seed ${seed})`, { timeout }, () => {
  fc.assert(
    fc.property(circumstances, lives, ({ input, status, nature }, acts) => {
      const world = new World(nature);
      world.names.add(nameOf(input));
      const life = new Life({ input, billRun: { status }, otherwise: world.answer });
      life.betweenSteps = checkStep;
      fc.modelRun(() => ({ model: world, real: life.go() }), acts);

      // No job stays open forever.
      world.heldAt = null;
      world.zuora.weather.length = 0;
      life.allOnHold = false;
      world.release(life.now);
      life.release();
      if (life.job.delivery !== null) life.check();
      life.pass(60 * DAY);
      checkRules(world, life);
      expect(life.end, 'every job comes to an end').toBeDefined();
      expect(life.now).toBeGreaterThan(NOON);
    }),
    { seed, numRuns },
  );
});

test(`no intent is emailed twice over any number of jobs (seed ${seed})`, { timeout }, () => {
  fc.assert(
    fc.property(circumstances, livesOverJobs, ({ input, status, nature }, acts) => {
      const world = new World(nature);
      const life = new Life({
        input: { ...input, coolDown: '24 hours' },
        billRun: { status },
        otherwise: world.answer,
      });
      fc.modelRun(() => ({ model: world, real: life.go() }), acts);
      world.zuora.weather.length = 0;
      life.pass(60 * DAY);
      checkRules(world, life);
    }),
    { seed, numRuns },
  );
});
