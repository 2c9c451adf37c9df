/** How often a thousand waiting bill runs are read while Zuora does not answer: each activity, minute by minute, on a clock of the test. */
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWatchBillRun } from '../../activities/watch-bill-run.js';
import type { BillRun, CannotRead, WatchInput } from '../../workflows/contract/activities.js';
import { ZuoraFailure } from '../../zuora/client.js';

const MINUTE = 60_000;
const JOBS = 1_000;
const PER_MINUTE = 60;
const logger = new DefaultLogger('ERROR');

/** An attempt of a watch, as Temporal schedules it. */
interface Due {
  readonly at: number;
  readonly input: WatchInput;
  readonly scheduledAt: number;
  readonly attempt: number;
  readonly heartbeatDetails: unknown;
}

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

/** Jobs whose bill runs wait, on one worker. */
class Jobs {
  down = false;
  reads = 0;
  informed = 0;
  recovered = 0;
  private now = 0;
  private due: Due[] = [];
  private readonly watchBillRun = createWatchBillRun({
    readBillRun: (key): Promise<BillRun> => {
      this.reads += 1;
      if (this.down) return Promise.reject(new ZuoraFailure('unavailable', 'Zuora answered HTTP 503', 503));
      return Promise.resolve({ id: key, number: key, status: 'Completed', numberOfInvoices: 1 });
    },
    multiEntity: false,
    polling: { first: 10_000, longest: MINUTE, afterAnHour: 15 * MINUTE, perMinute: PER_MINUTE },
  });

  constructor() {
    for (let number = 1; number <= JOBS; number += 1)
      this.schedule({ billRunKey: `BR-${number}`, lastSeenStatus: 'Completed' });
  }

  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      const next = this.due.reduce<Due | undefined>(
        (one, other) => (one && one.at <= other.at ? one : other),
        undefined,
      );
      if (next === undefined || next.at > until) break;
      vi.advanceTimersByTime(Math.max(0, next.at - this.now));
      this.now = Math.max(this.now, next.at);
      this.due.splice(this.due.indexOf(next), 1);
      await this.run(next);
    }
    vi.advanceTimersByTime(until - this.now);
    this.now = until;
  }

  private schedule(input: WatchInput): void {
    this.due.push({ at: this.now, input, scheduledAt: this.now, attempt: 1, heartbeatDetails: undefined });
  }

  private async run({ at, input, scheduledAt, attempt, heartbeatDetails }: Due): Promise<void> {
    let kept = heartbeatDetails;
    const environment = new MockActivityEnvironment(
      { attempt, scheduledTimestampMs: scheduledAt, currentAttemptScheduledTimestampMs: at, heartbeatDetails },
      { logger },
    );
    environment.on('heartbeat', (details: unknown) => (kept = details));
    type Ended = BillRun | CannotRead | ApplicationFailure;
    const watch = (watched: WatchInput): Promise<Ended> =>
      this.watchBillRun(watched).catch((error: unknown) => {
        if (error instanceof ApplicationFailure) return error;
        throw error;
      });
    const ended = await environment.run<[WatchInput], Ended, typeof watch>(watch, input);
    if (ended instanceof ApplicationFailure) {
      const retryAt = this.now + Number(ended.nextRetryDelay);
      this.due.push({ at: retryAt, input, scheduledAt, attempt: attempt + 1, heartbeatDetails: kept });
    } else this.goOn(input, ended);
  }

  /** As the workflow does: it watches again. */
  private goOn({ billRunKey, lastSeenStatus = '' }: WatchInput, result: BillRun | CannotRead): void {
    if ('cannotRead' in result) {
      this.informed += 1;
      this.schedule({ billRunKey, lastSeenStatus, cannotRead: result.cannotRead });
    } else {
      this.recovered += 1;
      this.schedule({ billRunKey, lastSeenStatus });
    }
  }
}

test('ten minutes without Zuora cost no more reads than the budget, whose jobs are informed once', async () => {
  const jobs = new Jobs();
  await jobs.pass(2 * 17 * MINUTE);
  expect(jobs.informed).toBe(0);
  jobs.down = true;
  jobs.reads = 0;
  await jobs.pass(10 * MINUTE);
  expect(jobs.reads).toBeGreaterThan(500);
  expect(jobs.reads).toBeLessThanOrEqual(10 * PER_MINUTE);
  const { informed } = jobs;
  expect(informed).toBeGreaterThan(400);
  jobs.down = false;
  jobs.reads = 0;
  await jobs.pass(2 * 17 * MINUTE);
  expect(jobs.informed).toBe(informed);
  expect(jobs.recovered).toBe(informed);
  expect(jobs.reads).toBeLessThanOrEqual(34 * PER_MINUTE);
});
