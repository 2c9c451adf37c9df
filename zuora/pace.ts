import { setTimeout as delay } from 'node:timers/promises';
import { outcomeOf } from './outcome.js';
import { NeverLeft, type Call, type Transport } from './transport.js';

/** The pause between calls after a 429 is the one that Zuora asks for, within these bounds. */
const MIN_PAUSE_MS = 1_000;
/** For all calls but the refused one, which waits as long as Zuora asks. One of them finds out that the limit is gone. */
const MAX_PAUSE_MS = 5_000;

interface Slowdown {
  readonly pauseMs: number;
  /** The number of the last call that began before. The answers up to it do not end the slowdown. */
  readonly since: number;
  /** When the next call may leave, by `performance.now()`. */
  nextAt: number;
  readonly over: Promise<void>;
  readonly end: () => void;
}

/**
 * Slows down at Zuora's limits: after a 429, one call leaves per pause, until one has another answer. A call that would wait for
 * half of its deadline never leaves.
 */
export function paced(transport: Transport): Transport {
  let begun = 0;
  let slow: Slowdown | undefined;

  /** @returns the time left for the call, in milliseconds */
  async function waitForTurn({ deadlineMs, leaveWithinMs = deadlineMs / 2, url }: Call): Promise<number> {
    const endsAt = performance.now() + deadlineMs;
    // We would cut off a call that leaves with little time, and its outcome would be unknown.
    const leavesBy = performance.now() + leaveWithinMs;
    while (slow !== undefined) {
      const now = performance.now();
      if (Math.max(now, slow.nextAt) >= leavesBy) {
        const message = `the call to ${url.hostname} did not leave: Zuora answers that a limit is reached`;
        throw new NeverLeft(message, 'RATE_LIMITED');
      }
      if (now >= slow.nextAt) {
        slow.nextAt = now + slow.pauseMs;
        break;
      }
      await Promise.race([delay(slow.nextAt - now), slow.over]);
    }
    return Math.max(1, Math.ceil(endsAt - performance.now()));
  }

  function slowDown(pauseMs: number): void {
    slow?.end();
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    slow = { pauseMs, since: begun, nextAt: performance.now() + pauseMs, over, end };
  }

  function speedUp(): void {
    slow?.end();
    slow = undefined;
  }

  return {
    async call(call) {
      const deadlineMs = await waitForTurn(call);
      const number = ++begun;
      const answer = await transport.call({ ...call, deadlineMs });
      if (answer.kind === 'silence') return answer;
      if (answer.status === 429) {
        const { retryAfterMs = 0 } = outcomeOf(answer, Date.now());
        slowDown(Math.min(Math.max(retryAfterMs, MIN_PAUSE_MS), MAX_PAUSE_MS));
      } else if (slow !== undefined && number > slow.since) {
        speedUp();
      }
      return answer;
    },

    async close() {
      speedUp();
      await transport.close();
    },
  };
}
