import { setTimeout as delay } from 'node:timers/promises';
import { outcomeOf } from './outcome.js';
import { NeverLeft, type Call, type Transport } from './transport.js';

/** How long Zuora is left alone after a 429, in milliseconds; between them, as long as Zuora asks for. */
const SHORTEST_PAUSE_MS = 1_000;
/** Whoever was refused waits as long as Zuora asks; this is for all the others, of which one has to find out. */
const LONGEST_PAUSE_MS = 5_000;

interface Slow {
  readonly pauseMs: number;
  /** Calls up to this number began before, so their answers say nothing about now. */
  readonly since: number;
  /** When the next call may leave, by `performance.now()`. */
  nextAt: number;
  readonly over: Promise<void>;
  readonly end: () => void;
}

/**
 * Slows down over Zuora's limits: after an answer of 429, one call leaves in each pause, until one is answered otherwise. Calls
 * that would wait for half of their time never leave.
 */
export function paced(transport: Transport): Transport {
  let begun = 0;
  let slow: Slow | undefined;

  /** @returns the time left for the call, in milliseconds */
  async function turn({ deadlineMs, url }: Call): Promise<number> {
    const endsAt = performance.now() + deadlineMs;
    // A call that left with little time would be cut off by us, and its outcome unknown.
    const leavesBy = endsAt - deadlineMs / 2;
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

  function goOn(): void {
    slow?.end();
    slow = undefined;
  }

  return {
    async call(call) {
      const deadlineMs = await turn(call);
      const number = ++begun;
      const answer = await transport.call({ ...call, deadlineMs });
      if (answer.kind === 'silence') return answer;
      if (answer.status === 429) {
        const { retryAfterMs = 0 } = outcomeOf(answer, Date.now());
        slowDown(Math.min(Math.max(retryAfterMs, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS));
      } else if (slow !== undefined && number > slow.since) {
        goOn();
      }
      return answer;
    },

    async close() {
      goOn();
      await transport.close();
    },
  };
}
