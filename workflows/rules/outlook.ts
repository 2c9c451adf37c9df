/** What happens by itself at `until`. It loads nothing, because every command of the command line loads it. */
import type { JobStatus, SendRecord } from '../contract/contract.js';
import { time } from './text.js';

/** One sentence about an open job; null if nothing happens by itself. */
export function outlookOf(
  { state, until, billRunStatus }: Pick<JobStatus, 'state' | 'until' | 'billRunStatus'>,
  sends: readonly Pick<SendRecord, 'outcome' | 'attempts'>[],
): string | null {
  if (until === null) return null;
  const at = time(Date.parse(until));
  switch (state) {
    case 'Waiting':
      return billRunStatus === 'Posted'
        ? `The first send starts at ${at}.`
        : `If it is not posted by ${at}, the job fails as NotPosted, and nothing is emailed. Once it is posted, its documents are emailed.`;
    case 'NeedsAttention': {
      // Attempts may continue while a person is asked.
      const last = sends.at(-1);
      const continues = last?.outcome === 'pending' && last.attempts.length > 0;
      return continues ? `The next attempt is at ${at}.` : `Without an answer by ${at}, the job fails as Unsettled.`;
    }
    case 'Delivering':
    case 'Emailed':
      return `The job closes at ${at}.`;
    default:
      return `The next attempt is at ${at}.`;
  }
}
