/** What the attempts of a send come to. It loads nothing, because every command of the command line loads it. */
import type { Attempt, Verdict } from '../contract/contract.js';

interface Attempts {
  readonly attempts: readonly Pick<Attempt, 'idempotencyKey' | 'verdict' | 'stored'>[];
}

export function attemptsUnder<S extends Attempts>({ attempts }: S, key: string): S['attempts'] {
  return attempts.filter(({ idempotencyKey: used }) => used === key);
}

/**
 * Rule 3: the verdict on a key, over all its attempts. Once unknown, it stays unknown until a success or a stored reply
 * settles it: a fresh refusal says nothing about an earlier attempt that may have arrived.
 */
export function verdictOfKey(attempts: readonly Pick<Attempt, 'verdict' | 'stored'>[]): Verdict | undefined {
  let verdict: Verdict | undefined;
  for (const attempt of attempts) {
    if (attempt.stored || attempt.verdict === 'accepted' || verdict !== 'unknown') verdict = attempt.verdict;
  }
  return verdict;
}

/** An attempt, under any key of the send, may have reached Zuora and is not settled. */
export function hasUnknown(send: Attempts): boolean {
  const keys = new Set(send.attempts.map(({ idempotencyKey: key }) => key));
  return [...keys].some((key) => verdictOfKey(attemptsUnder(send, key)) === 'unknown');
}
