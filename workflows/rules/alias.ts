/** A job under an id of its own: it hands its requests to the canonical job of the bill run. */
import { canonicalIdOf, isAlias, pendingRequests, type EmailJob } from './job.js';
import { ask, askedStep } from './sending.js';
import type { AliasStep } from './step.js';
import { held } from './held.js';

/** The most requests that one activity hands over. Each one is a call to Temporal. */
const HANDED_OVER_AT_ONCE = 100;

export function aliasStep(job: EmailJob, now: number): AliasStep | null {
  if (!isAlias(job)) return null;
  if (job.held) return { kind: 'wait', until: Infinity, wake: Infinity, ...held(job) };
  const step = askedStep(job, now);
  if (step?.kind === 'ask') return ask(job, step, now);
  const to = canonicalIdOf(job) ?? '';
  return {
    kind: 'handOver',
    to,
    requests: pendingRequests(job).slice(0, HANDED_OVER_AT_ONCE),
    state: 'Sending',
    reason: null,
    text: `Handing the requests to ${to}, which emails this bill run`,
  };
}
