/** Which lives are explored: each space is complete within its bounds, and says nothing about lives beyond them. */
import type { Beginning, Bounds } from './state.js';

export interface Space {
  readonly name: string;
  readonly beginning: Beginning;
  readonly bounds: Bounds;
}

const LEAST: Bounds = {
  ...{ sends: 1, attempts: 1, messages: 1, jumps: 1, checks: 0, failedReads: 0, resets: 0, jobs: 1, isRich: false },
};

type Wanted = Partial<Bounds> & Partial<Omit<Beginning, 'name'>>;

function space(name: string, { echoes = true, input = {}, others = 'nothing', ...bounds }: Wanted): Space {
  return { name, beginning: { echoes, input, others }, bounds: { ...LEAST, ...bounds } };
}

/** What others did by the time of the post. */
const OTHERS = ['autoEmail', 'emailed', 'emailedAnHourAgo', 'emailsAtPost', 'noDocuments'] as const;

/** For `npm test`. */
export const SMALL: readonly Space[] = [
  space('one send', { attempts: 3, messages: 2, jumps: 2 }),
  space('one send, without an echo', { attempts: 2, messages: 1, jumps: 2, echoes: false }),
  space('documents', { attempts: 2, messages: 1, checks: 1, jumps: 0, isRich: true }),
  space('what was not sent', { sends: 2, attempts: 2, messages: 1, checks: 2, jumps: 0, isRich: true }),
  space('reads that fail', { failedReads: 1, isRich: true }),
  space('two sends', { sends: 2, attempts: 2, jumps: 0, checks: 1 }),
  space('a reset', { sends: 2, resets: 1, jumps: 0 }),
  space('a second job', { sends: 2, jobs: 2, jumps: 0, checks: 1 }),
  ...OTHERS.map((others) => space(`Zuora shows ${others}`, { others, messages: 1, jumps: 1, checks: 1, isRich: true })),
];

/** By command. */
export const LARGE: readonly Space[] = [
  space('one send', { attempts: 4, messages: 3, jumps: 2 }),
  space('one send, without an echo', { attempts: 3, messages: 2, jumps: 2, echoes: false }),
  space('all answers and messages', { attempts: 2, messages: 2, jumps: 1, isRich: true }),
  space('documents', { attempts: 2, messages: 1, checks: 2, isRich: true }),
  space('what was not sent', { sends: 2, attempts: 2, messages: 2, checks: 2, jumps: 0, isRich: true }),
  space('reads that fail', { sends: 2, attempts: 2, failedReads: 1 }),
  space('two sends', { sends: 2, attempts: 3, messages: 2, jumps: 0 }),
  space('two sends and their documents', { sends: 2, attempts: 2, messages: 2, checks: 1 }),
  space('a reset', { sends: 2, attempts: 2, resets: 1 }),
  space('a second job', { sends: 2, attempts: 2, jobs: 2, checks: 1 }),
  space('a reset and a second job', { sends: 2, attempts: 2, resets: 1, jobs: 2, jumps: 0 }),
  ...OTHERS.map((others) => space(`Zuora shows ${others}`, { others, sends: 2, messages: 2, checks: 1, isRich: true })),
];
