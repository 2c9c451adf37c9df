/** Copies of a moment, so that each thing that can happen next begins with the same one. */
import type { EmailJob } from '../../workflows/rules/job.js';
import type { World } from './state.js';

/** What the rules and the model change in place is copied; the rest is shared. A test freezes it. */
export function copyOf(world: World): World {
  const { job, zuora, attempt, history, used, facts } = world;
  return {
    ...world,
    job: copyOfJob(job),
    zuora: {
      ...zuora,
      documents: zuora.documents.map((document) => ({ ...document, emails: { ...document.emails } })),
      keys: Object.fromEntries(Object.entries(zuora.keys).map(([key, known]) => [key, { ...known }])),
    },
    attempt: attempt === null ? null : { ...attempt },
    history: history.map((each) => ({ ...each, copiedTo: [...each.copiedTo] })),
    used: { ...used },
    facts: { ...facts, scheduled: { ...facts.scheduled }, calls: [...facts.calls], requests: [...facts.requests] },
  };
}

export function copyOfJob(job: EmailJob): EmailJob {
  const { reading } = job;
  return {
    ...job,
    reading: reading === null ? null : { ...reading, failed: reading.failed === null ? null : { ...reading.failed } },
    incoming: [...job.incoming],
    queue: [...job.queue],
    repeated: [...job.repeated],
    requestNames: { ...job.requestNames },
    sends: job.sends.map((send) => ({
      ...send,
      requests: [...send.requests],
      attempts: [...send.attempts],
      decisions: [...send.decisions],
      firstUse: { ...send.firstUse },
    })),
    ignored: { ...job.ignored },
  };
}
