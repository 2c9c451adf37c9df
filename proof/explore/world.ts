/**
 * One moment in the lives of a bill run, and all that can happen next. The job's record changes by the shipped rules alone, in the order
 * of `email-bill-run.ts`; everything else here stands for Temporal, the worker, Zuora and people.
 */
import type { HistoricAttempt } from '../../client/history/attempts.js';
import type { AttemptResult, BillRun } from '../../workflows/contract/activities.js';
import type { EmailJob } from '../../workflows/rules/job.js';
import { keyParts } from '../../workflows/rules/keys.js';
import type { AttemptPlan } from '../../workflows/rules/send.js';
import type { Step } from '../../workflows/rules/step.js';
import type { Rules } from './rules.js';
import { checkOf, countsOf, leave, SIGHTS } from './checks.js';
import { copyOf, copyOfJob } from './copy.js';
import { People, startName } from './people.js';
import {
  heldMsOf,
  keepInHistory,
  type Beginning,
  type Bounds,
  type Change,
  type Counted,
  type Others,
  type World,
} from './state.js';
import { Broken, broken, checkCall, checkPlan, checkRecorded, checkRest } from './ten-rules.js';
import { call, CALL_MS, email, HOUR, MINUTE, passageName, passages, showEmails, type Passage } from './zuora.js';

const NOON = Date.parse('2026-03-02T12:00:00.000Z');

const BILL_RUN = { id: '8ad09e208b1a', number: 'BR-00000001', numberOfInvoices: 1, numberOfCreditMemos: 1 };

export interface Successor {
  readonly name: string;
  readonly world: World;
}

export class Model {
  private readonly rules: Rules;
  private readonly bounds: Bounds;
  private readonly people: People;

  constructor(rules: Rules, bounds: Bounds) {
    this.rules = rules;
    this.bounds = bounds;
    this.people = new People(rules, bounds, {
      open: (input, firstRunId, now) => this.open(input, firstRunId, now),
      takeBack: (world) => {
        this.endAttempt(world, 'neverTaken');
      },
    });
  }

  first({ echoes, input, others }: Beginning): World {
    const document = () => ({ emails: {}, email: 'never' as const, at: null });
    const world: World = {
      job: this.open(input, 'run-1', NOON),
      now: NOON,
      others,
      zuora: {
        ...{ echoes, billRun: { ...BILL_RUN, status: 'Completed' }, changedAt: 0 },
        ...{ documents: others === 'noDocuments' ? [] : [document(), document()], keys: {}, requests: 0 },
      },
      allOnHold: false,
      attempt: null,
      ...{ runId: 'run-1', history: [], before: null, end: null },
      used: { attempts: 0, messages: 0, jumps: 0, checks: 0, failedReads: 0, resets: 0, jobs: 1 },
      facts: {
        ...{
          held: false,
          closing: false,
          heldMs: 0,
          heldSince: null,
          risks: 0,
          leftOut: false,
          othersEmailed: false,
          retryWaits: false,
          scheduled: {},
          calls: [],
        },
        requests: [startName(input, 'run-1')],
      },
    };
    this.go(world);
    return world;
  }

  /** Everything that can happen within the bounds. `json`: the world, as `onWorld` sees it. */
  *successors(json: string, onWorld: (world: World) => void = () => undefined): Generator<Successor> {
    const world = JSON.parse(json) as World;
    onWorld(world);
    for (const [name, change] of this.changes(world)) {
      const next = copyOf(world);
      try {
        change(next);
        this.go(next);
      } catch (error) {
        if (error instanceof Broken) error.step = name;
        throw error;
      }
      if (next.job.sends.length <= this.bounds.sends) yield { name, world: next };
    }
  }

  private *changes(world: World): Generator<[string, Change]> {
    if (this.has(world, 'jobs')) yield* this.people.furtherJobs(world);
    if (world.end !== null) return;
    if (this.has(world, 'resets')) yield* this.people.resets(world);
    if (this.has(world, 'messages')) yield* this.people.messages(world);
    if (world.attempt !== null) {
      yield* this.ofAttempt(world, world.attempt);
      return;
    }
    const step = this.step(world);
    if (step.kind === 'look' || step.kind === 'lookUp') yield* this.reads(world, step);
    else yield* this.waits(world, step);
    if (this.has(world, 'checks')) yield* this.checks(world);
  }

  private has({ used }: World, what: Counted): boolean {
    return used[what] < this.bounds[what];
  }

  private step({ job, now }: World): Step {
    return this.rules.steps.nextStep(job, now);
  }

  // The workflow

  private open(input: Beginning['input'], firstRunId: string, now: number): EmailJob {
    const { value, faults } = this.rules.validation.checkInput({ billRunKey: BILL_RUN.number, ...input });
    if (faults !== undefined) throw new Error(faults.join('; '));
    return this.rules.jobs.openJob(value, { workflowId: `email-bill-run/${BILL_RUN.number}`, firstRunId, now });
  }

  /** Goes on until something outside has to happen. */
  private go(world: World): void {
    if (world.end !== null) return;
    const { steps, jobs } = this.rules;
    for (let count = 0; ; count++) {
      if (count > 100) broken(0, 'the job does not come to rest');
      if (world.attempt !== null) return;
      const { job, now } = world;
      steps.settle(job, now);
      const step = this.step(world);
      switch (step.kind) {
        case 'watch':
          jobs.followHint(job, now);
          if (step.lastSeenStatus !== world.zuora.billRun.status) {
            jobs.recordLook(job, world.zuora.billRun, now);
            continue;
          }
          break;
        case 'attempt':
          if (this.schedule(world)) return;
          continue;
        case 'watchHoldAll': {
          const { hinted } = job;
          jobs.followHint(job, now);
          if (hinted || !world.allOnHold) {
            jobs.recordHold(job, { heldByAll: false }, now);
            continue;
          }
          break;
        }
        case 'complete':
        case 'cancel':
        case 'fail':
          world.end = step;
          break;
        default:
      }
      checkRest(this.rules, world, step);
      return;
    }
  }

  /** @returns whether an activity was scheduled */
  private schedule(world: World): boolean {
    const { job, now } = world;
    const { send: sends, jobs, sending } = this.rules;
    const send = jobs.openSendOf(job);
    if (send === undefined) return broken(2, 'an attempt without an open send');
    const before = this.bounds.resets > world.used.resets ? copyOfJob(job) : undefined;
    const plan = sends.beginAttempt(send, {
      originalRunId: job.firstRunId,
      unique: world.used.attempts.toString(16).padStart(8, '0'),
      now,
      look: { at: job.lookedAt, ...sending.lookRules(job, send) },
    });
    if (plan === undefined) return false;
    checkPlan(world, plan, send);
    world.facts.scheduled[plan.trackId] = now;
    world.attempt = {
      plan,
      ordinal: send.ordinal,
      startedAt: now,
      isForRetry: world.facts.retryWaits,
      isUnderWay: false,
    };
    if (before !== undefined)
      world.before = { job: before, attempts: world.history.length, retryWaits: world.facts.retryWaits };
    return true;
  }

  // The activity of an attempt

  private *ofAttempt(world: World, { plan, isUnderWay }: NonNullable<World['attempt']>): Generator<[string, Change]> {
    if (isUnderWay) {
      // What it did in Zuora is decided with its answer: nobody can see it before.
      for (const passage of passages(world.zuora, plan.idempotencyKey, world.now, this.bounds)) {
        yield [
          passageName(passage),
          (next) => {
            this.endCall(next, passage);
          },
        ];
      }
      return;
    }
    const without = this.withoutCall(world, plan);
    if (without !== undefined) {
      yield [
        `the activity makes no call (${without.why})`,
        (next) => {
          this.endAttempt(next, without);
        },
      ];
      return;
    }
    yield [
      'no worker takes it',
      (next) => {
        this.endAttempt(next, 'neverTaken');
      },
    ];
    yield* this.jumps(world, [...(plan.look === undefined ? [] : [2 * MINUTE]), ...this.untilForgotten(world)]);
    if (!this.has(world, 'attempts')) return;
    yield [
      `call ${plan.idempotencyKey.split('/').slice(2).join('/')}`,
      (next) => {
        if (next.attempt === null) return;
        checkCall(next, next.attempt);
        next.used.attempts += 1;
        next.attempt.isUnderWay = true;
      },
    ];
  }

  /** As `activities/email-bill-run-documents.ts` decides before its call. */
  private withoutCall(
    { runId, allOnHold, now, zuora }: World,
    { originalRunId, notAfter, look }: AttemptPlan,
  ): Extract<AttemptResult, { called: false }> | undefined {
    if (originalRunId !== undefined && originalRunId !== runId) return { called: false, why: 'afterReset', runId };
    const { LOOK_IS_FRESH_MS, obstaclesIn } = this.rules.sendStep;
    if (look !== undefined && now - look.at > LOOK_IS_FRESH_MS) {
      const { billRun } = zuora;
      if (billRun.status !== 'Posted' || obstaclesIn({ billRun, at: now }, look, now).length > 0)
        return { called: false, why: 'looked', billRun };
    }
    if (allOnHold) return { called: false, why: 'heldByAll' };
    return now > notAfter ? { called: false, why: 'keyTooOld' } : undefined;
  }

  private endCall(world: World, passage: Passage): void {
    const { zuora, now, attempt, facts, runId } = world;
    if (attempt === null) return;
    const { idempotencyKey: key, trackId } = attempt.plan;
    if (passage.kind !== 'neverLeft') {
      facts.calls.push({ key, trackId, runId, at: now, heldMs: heldMsOf(facts, now), isForRetry: attempt.isForRetry });
      if (attempt.isForRetry) facts.retryWaits = false;
    }
    const result = call(zuora, attempt.plan, passage, now);
    world.now += CALL_MS;
    this.endAttempt(world, result);
  }

  private endAttempt(world: World, result: AttemptResult | 'neverTaken'): void {
    const { attempt, job } = world;
    if (attempt === null) return broken(2, 'an attempt ends twice');
    const { plan, startedAt, ordinal } = attempt;
    world.attempt = null;
    keepInHistory(world, plan, startedAt, result);
    const send = job.sends.find((each) => each.ordinal === ordinal);
    if (send === undefined) return broken(7, 'the send of the attempt is gone');
    this.rules.jobs.recordAttempt(job, send, plan, result, { startedAt, now: world.now, jitter: 0.5 });
    checkRecorded(world, plan, result);
  }

  // Reads

  private *reads(world: World, step: Extract<Step, { kind: 'look' | 'lookUp' }>): Generator<[string, Change]> {
    const { jobs } = this.rules;
    if (step.kind === 'look') {
      yield [
        'look',
        ({ job, zuora, now }) => {
          jobs.recordLook(job, zuora.billRun, now);
        },
      ];
    } else {
      yield [
        'look up earlier jobs',
        (next) => {
          this.lookUp(next);
        },
      ];
    }
    if (!this.has(world, 'failedReads')) return;
    yield [
      `the ${step.kind} fails for 15 minutes`,
      (next) => {
        next.used.failedReads += 1;
        next.now += jobs.beginRead(next.job, step.kind, next.now);
        jobs.recordUnread(next.job, 'HTTP 503', next.now);
      },
    ];
  }

  private lookUp({ job, history, runId }: World): void {
    const requests = [...job.incoming];
    const byIntent = new Map<string, HistoricAttempt[]>();
    for (const attempt of history) {
      const { intent } = keyParts(attempt.idempotencyKey);
      byIntent.set(intent, [...(byIntent.get(intent) ?? []), attempt]);
    }
    const found = this.rules.history.earlierIn(byIntent, runId, {
      requestIds: requests.filter(({ resend }) => resend).map(({ requestId }) => requestId),
      first: requests.some(({ resend }) => !resend),
      missing: requests.filter(({ missing }) => missing === true).map(({ requestId }) => requestId),
    });
    this.rules.jobs.recordEarlier(job, requests, { ...found, unreadable: [] });
  }

  private *checks({ job, zuora, now }: World): Generator<[string, Change]> {
    const { plannedChecks, wantedCheck } = this.rules.following;
    if (job.delivery === null || (plannedChecks(job) === null && wantedCheck(job) === null)) return;
    const known = new Set<string>();
    for (const sight of SIGHTS) {
      const counts = JSON.stringify(countsOf(job, zuora, now, sight));
      if (known.has(counts)) continue;
      known.add(counts);
      yield [
        `a check shows ${counts}`,
        (next) => {
          next.used.checks += 1;
          const found = countsOf(next.job, next.zuora, next.now, sight);
          if (sight === 'allHasLeft') leave(next);
          this.rules.documents.recordCheck(next.job, checkOf(next, found), next.now);
        },
      ];
    }
  }

  // Time

  private *waits(world: World, step: Step): Generator<[string, Change]> {
    const { now } = world;
    if (world.zuora.billRun.status !== 'Posted') yield ['the bill run posts', post];
    const wake = step.kind === 'watch' ? step.until : 'wake' in step ? step.wake : Infinity;
    if (wake !== Infinity && wake > now)
      yield [
        `until ${hours(wake - now)}`,
        (next) => {
          next.now = wake;
        },
      ];
    const { retry, overriddenAt } = this.rules.jobs.openSendOf(world.job) ?? {};
    const isRisked = retry?.sendAnyway === true || overriddenAt != null;
    yield* this.jumps(world, [...(isRisked ? [61 * MINUTE] : []), ...this.untilForgotten(world)]);
  }

  /** Until the job counts a key as forgotten, and until Zuora forgets it; a day without a key. */
  private untilForgotten({ job, now }: World): readonly number[] {
    const send = this.rules.jobs.openSendOf(job);
    const firstUse = send?.firstUse[send.keyNumber] ?? now;
    return [23, 24].map((age) => firstUse + age * HOUR + MINUTE - now);
  }

  private *jumps(world: World, lengths: readonly number[]): Generator<[string, Change]> {
    if (!this.has(world, 'jumps')) return;
    for (const length of new Set(lengths.filter((each) => each > 0))) {
      yield [
        `${hours(length)} pass`,
        (next) => {
          next.used.jumps += 1;
          next.now += length;
        },
      ];
    }
  }
}

function post({ zuora, now, others }: World): void {
  const postedDate = new Date(now).toISOString();
  const facts: Readonly<Record<Others, Partial<BillRun>>> = {
    nothing: {},
    autoEmail: { autoEmail: true, postedDate },
    emailed: { invoicesEmailed: true },
    emailedAnHourAgo: {},
    emailsAtPost: { postedDate, postedNotifications: ['Invoice Posted'] },
    noDocuments: { numberOfInvoices: 0, numberOfCreditMemos: 0 },
  };
  zuora.billRun = { ...zuora.billRun, status: 'Posted', ...facts[others] };
  const at = others === 'emailedAnHourAgo' ? now - HOUR : now;
  const isByOthers = others !== 'nothing' && others !== 'noDocuments';
  for (const document of isByOthers ? zuora.documents.slice(0, others === 'autoEmail' ? 1 : 2) : []) {
    email(document, 'others', at);
    if (others === 'emailed') document.email = 'left';
  }
  if (others === 'emailedAnHourAgo') {
    showEmails(zuora, at);
    delete (zuora.billRun as { invoicesEmailed?: boolean }).invoicesEmailed;
  }
}

function hours(length: number): string {
  return `${(length / HOUR).toFixed(2)} h`;
}
