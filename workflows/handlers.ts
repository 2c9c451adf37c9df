/** Takes messages from the first moment on. None is lost, and none fails or blocks the job, whatever its argument. */
import { ApplicationFailure, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import {
  billRunPostedSignal,
  finishSignal,
  finishUpdate,
  holdSignal,
  releaseSignal,
  resendSignal,
  resendUpdate,
  retrySignal,
  retryUpdate,
  sendsQuery,
  statusQuery,
  type MessageAnswer,
} from './contract/contract.js';
import { EXAMPLES } from './rules/details.js';
import type { EmailJob } from './rules/job.js';
import * as messages from './rules/messages.js';
import { sendsOf, statusOf } from './rules/status.js';
import { wellFormed } from './rules/text.js';
import { clock } from './waits.js';

const RESEND = `Email all documents, also those emailed before. Input: ${EXAMPLES.resend}`;
const RETRY =
  `Try again what did not go out. Input: ${EXAMPLES.retry}, or nothing; ` +
  `if it needs "sendAnyway":true, the question says so`;
const FINISH = `Close the job now; nothing more is sent. Input: ${EXAMPLES.note}, or nothing`;

/** What each signal does to the job, and what Temporal UI says about it. */
const SIGNALS = Object.freeze([
  [resendSignal, messages.receiveResend, RESEND],
  [retrySignal, messages.receiveRetry, RETRY],
  [finishSignal, messages.receiveFinish, FINISH],
  [holdSignal, messages.receiveHold, `Start no further attempt until released. Input: ${EXAMPLES.note}, or nothing`],
  [releaseSignal, messages.receiveRelease, `Let attempts continue after a hold. Input: ${EXAMPLES.note}, or nothing`],
  [billRunPostedSignal, messages.receiveHint, 'A hint that the bill run may have posted: look at it now. No input'],
] as const);

/** All handlers are synchronous, so none is unfinished when the job closes. */
export function listen(job: EmailJob): void {
  listenToSignals(job);
  listenToUpdates(job);
  setHandler(statusQuery, () => statusOf(job, clock(job)), {
    description: 'What the job does, what it waits for, and what it asks',
  });
  setHandler(sendsQuery, () => sendsOf(job), { description: 'Every send so far, with its attempts and decisions' });
}

function listenToSignals(job: EmailJob): void {
  const receive = (name: string, argument: unknown): void => {
    const [, known] = SIGNALS.find(([signal]) => signal.name === name) ?? [];
    if (known === undefined) messages.receiveUnknown(job, name, clock(job));
    else known(job, argument, clock(job));
  };
  // The default handler comes first: it drains buffered signals in the order of their arrival. A handler with a name would drain only
  // its own, so a hold and its release could change places.
  setDefaultSignalHandler((name, argument) => {
    receive(name, argument);
  });
  for (const [signal, , description] of SIGNALS) {
    setHandler(
      signal,
      (argument?: unknown) => {
        receive(signal.name, argument);
      },
      { description },
    );
  }
}

function listenToUpdates(job: EmailJob): void {
  setHandler(resendUpdate, (argument?: unknown): MessageAnswer => messages.resend(job, argument, clock(job)), {
    description: `${RESEND}. Answers with the send that serves the request`,
    validator: (argument?: unknown) => {
      reject(messages.resendFault(job, argument));
    },
  });
  setHandler(retryUpdate, (argument?: unknown): MessageAnswer => messages.retry(job, argument, clock(job)), {
    description: RETRY,
    validator: (argument?: unknown) => {
      reject(messages.retryFault(job, argument, clock(job)));
    },
  });
  setHandler(finishUpdate, (argument?: unknown): MessageAnswer => messages.finish(job, argument, clock(job)), {
    description: FINISH,
    validator: (argument?: unknown) => {
      reject(messages.finishFault(argument));
    },
  });
}

/** A rejected update leaves no trace in history. */
function reject(fault: string | undefined): void {
  if (fault !== undefined) throw ApplicationFailure.nonRetryable(wellFormed(fault), 'InvalidInput');
}
