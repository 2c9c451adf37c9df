import type { EmailState } from '../../workflows/contract/contract.js';

/** What a state means to whoever looks at many bill runs: a new state does not compile until it is said. */
export const meaningOf: Readonly<Record<EmailState, 'underWay' | 'done' | 'asks' | 'ended'>> = {
  WaitingForPost: 'underWay',
  Delayed: 'underWay',
  Sending: 'underWay',
  Held: 'asks',
  NeedsAttention: 'asks',
  Emailed: 'done',
  HandedOver: 'done',
  Skipped: 'ended',
  NotPosted: 'ended',
  Finished: 'ended',
  Canceled: 'ended',
};
