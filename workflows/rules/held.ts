/** What people read about a job that is kept back. */
import { HOLD_ALL_WORKFLOW_ID } from '../contract/contract.js';
import type { EmailJob } from './job.js';
import type { Shown } from './step.js';
import { quoted, time } from './text.js';

export function held(job: EmailJob): Shown {
  return job.held ? { state: 'Held', reason: 'job', text: heldBy(job) } : { state: 'Held', reason: 'all', text: ALL };
}

const ALL =
  `All jobs are on hold by one order, and nothing is sent until a person ends it. Who gave it, and why, stands in the workflow ` +
  `\`${HOLD_ALL_WORKFLOW_ID}\``;

export function heldBy({ heldBy: note }: EmailJob): string {
  const since = note === null ? '' : ` since ${time(note.at)}`;
  const by = note?.requestedBy === undefined ? '' : `, by ${quoted(note.requestedBy)}`;
  const why = note?.reason === undefined ? '' : ` (${quoted(note.reason)})`;
  return `On hold${since}${by}${why}: nothing is sent until a person releases the job`;
}
