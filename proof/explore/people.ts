/** What people can do at a moment: messages, the hold on all, emails in Zuora, resets, and further jobs of the same id. */
import type { EmailJob } from '../../workflows/rules/job.js';
import { copyOfJob } from './copy.js';
import type { Rules } from './rules.js';
import {
  heldMsOf,
  keepInHistory,
  requestName,
  type Beginning,
  type Bounds,
  type Change,
  type Facts,
  type World,
} from './state.js';
import { email, emailOf, showEmails } from './zuora.js';

/** What the workflow does when they act. */
interface Workflow {
  readonly open: (input: Beginning['input'], firstRunId: string, now: number) => EmailJob;
  readonly takeBack: Change;
}

export class People {
  private readonly rules: Rules;
  private readonly bounds: Bounds;
  private readonly workflow: Workflow;

  constructor(rules: Rules, bounds: Bounds, workflow: Workflow) {
    this.rules = rules;
    this.bounds = bounds;
    this.workflow = workflow;
  }

  *messages({ zuora, facts, job, attempt }: World): Generator<[string, Change]> {
    const { messages } = this.rules;
    const note = { requestedBy: 'ann', reason: 'checked' };
    const message = (name: string, change: Change): [string, Change] => [
      name,
      (world) => {
        world.used.messages += 1;
        change(world);
        takeBack(world, this.workflow.takeBack);
      },
    ];
    if (this.bounds.sends > 1) {
      for (const requestId of ['TICKET-A', 'TICKET-B']) {
        yield message(`resend ${requestId}`, ({ job, now, facts }) => {
          if (!facts.requests.includes(`resend ${requestId}`)) facts.requests.push(`resend ${requestId}`);
          messages.receiveResend(job, { requestId }, now);
        });
      }
    }
    for (const sendAnyway of [false, true]) {
      yield message(sendAnyway ? 'retry, sendAnyway' : 'retry', (world) => {
        const { job, now, facts } = world;
        const decided = decisionsIn(job);
        const leavesOut =
          this.rules.steps.questionOf(job, now)?.kind === 'cannotRead' && job.reading?.what === 'lookUp';
        messages.receiveRetry(job, { sendAnyway, ...note }, now);
        const isFollowed = decisionsIn(job) > decided || job.decided != null;
        if (isFollowed) facts.retryWaits = true;
        if (!sendAnyway) return;
        if (isFollowed) facts.risks += 1;
        if (leavesOut) facts.leftOut = true;
      });
    }
    yield message('hold', ({ job, now, facts }) => {
      facts.held = true;
      facts.heldSince ??= now;
      messages.receiveHold(job, note, now);
    });
    yield message('release', ({ job, now, facts }) => {
      facts.held = false;
      messages.receiveRelease(job, note, now);
      if (!job.heldByAll) endHold(facts, now);
    });
    yield message('finish', ({ job, now, facts }) => {
      facts.closing = true;
      messages.receiveFinish(job, note, now);
    });
    if (!this.bounds.isRich) return;
    yield message('cancel', ({ job, facts }) => {
      facts.closing = true;
      job.canceled = true;
    });
    const isLookedAt = job.sends.at(-1)?.attempts.length === 0 && attempt?.isUnderWay !== true;
    if (isLookedAt && zuora.documents.length > 0 && !facts.othersEmailed) {
      yield message('somebody emails in Zuora', (world) => {
        // Zuora's times have seconds.
        world.now += 1_000;
        const { zuora: changed, now, facts: noted } = world;
        noted.othersEmailed = true;
        changed.changedAt = now;
        for (const document of changed.documents) if (emailOf(document, now) !== 'left') email(document, 'others', now);
        showEmails(changed, now);
      });
    }
    if (job.heldByAll)
      yield message('billRunPosted', (world) => {
        messages.receiveHint(world.job);
      });
    yield message('hold all', (world) => {
      world.allOnHold = true;
      world.facts.heldSince ??= world.now;
    });
    yield message('release all', (world) => {
      world.allOnHold = false;
      if (!world.facts.held) endHold(world.facts, world.now);
    });
  }

  /** A person resets the job, to its beginning or to the last attempt. Signals are not applied again. */
  *resets({ before, job: { settings } }: World): Generator<[string, Change]> {
    const reset = (
      name: string,
      jobOf: (world: World) => EmailJob,
      kept: { readonly attempts: number; readonly retryWaits: boolean },
    ): [string, Change] => [
      name,
      (world) => {
        endLost(world);
        world.used.resets += 1;
        world.runId = `reset-${world.used.resets}`;
        for (const attempt of world.history.slice(0, kept.attempts)) attempt.copiedTo.push(world.runId);
        world.job = jobOf(world);
        world.before = null;
        Object.assign(world.facts, {
          held: world.job.held,
          closing: false,
          retryWaits: kept.retryWaits,
          requests: requestsIn(world.job),
        });
        if (!world.job.held && !world.allOnHold) endHold(world.facts, world.now);
      },
    ];
    yield reset(
      'reset to the beginning',
      ({ job }) => this.workflow.open(inputOf(job), job.firstRunId, job.startedAt),
      {
        attempts: 0,
        retryWaits: settings.again === true,
      },
    );
    if (before !== null) yield reset('reset to the last attempt', () => copyOfJob(before.job), before);
  }

  /** Somebody starts another job of the same id; one that is open is terminated. */
  *furtherJobs(world: World): Generator<[string, Change]> {
    const inputs: Beginning['input'][] = [
      {},
      { again: true },
      ...(this.bounds.sends > 1 ? [{ resend: true, requestId: 'TICKET-A' }, { missing: true }] : []),
    ];
    for (const input of inputs) {
      yield [
        `${world.end === null ? 'terminated; ' : ''}another start ${JSON.stringify(input)}`,
        (next) => {
          endLost(next);
          next.used.jobs += 1;
          next.runId = `run-${next.used.jobs}`;
          next.end = null;
          next.before = null;
          next.job = this.workflow.open(input, next.runId, next.now);
          Object.assign(next.facts, {
            held: false,
            closing: false,
            retryWaits: input['again'] === true,
            requests: [startName(input, next.runId)],
          });
          if (!next.allOnHold) endHold(next.facts, next.now);
        },
      ];
    }
  }
}

/** A Temporal run ends amid an attempt. */
function endLost(world: World): void {
  const { attempt } = world;
  world.attempt = null;
  if (attempt?.isUnderWay !== true) return;
  keepInHistory(world, attempt.plan, attempt.startedAt, { verdict: 'unknown', reasons: [] });
}

/** As the workflow does: an order takes back an attempt that no worker has begun. */
function takeBack(world: World, end: (world: World) => void): void {
  const { attempt, job } = world;
  if (attempt !== null && !attempt.isUnderWay && (job.held || job.canceled || job.finish !== null)) end(world);
}

function endHold(facts: Facts, now: number): void {
  facts.heldMs = heldMsOf(facts, now);
  facts.heldSince = null;
}

function decisionsIn({ sends }: EmailJob): number {
  return sends.reduce((sum, { decisions }) => sum + decisions.length, 0);
}

export function startName({ resend, requestId }: Beginning['input'], runId: string): string {
  const id = typeof requestId === 'string' ? requestId : `${runId}-0`;
  return requestName({ resend: resend === true, requestId: id });
}

function requestsIn({ sends, queue, incoming, repeated }: EmailJob): string[] {
  const requests = [sends, repeated].flat().flatMap((each) => each.requests);
  return [...requests, ...queue, ...incoming].map(requestName);
}

function inputOf({ settings }: EmailJob): Beginning['input'] {
  const { resend, requestId, again, missing, hold } = settings;
  return JSON.parse(JSON.stringify({ resend, requestId, again, missing, hold })) as Beginning['input'];
}
