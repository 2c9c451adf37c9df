import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { linkTo } from '../client/temporal/ui-link.js';
import type { Activities, Notice } from '../workflows/contract/activities.js';

export interface Receiver {
  /** Read for each notice, because the file that holds it may have been replaced. It is a secret. */
  readonly url: () => string;
  /** The address of Temporal UI. Absent: notices have no link. */
  readonly uiUrl?: string;
}

/** For one try, in milliseconds. */
const DEADLINE_MS = 10_000;

/** Statuses that say that a later try may work. */
const LATER = Object.freeze([408, 425, 429]);

export function createNotify(receiver: Receiver | undefined): Activities['notify'] {
  return async (notice) => {
    if (receiver === undefined) return { notified: false };
    const status = await post(receiver.url(), messageOf(notice, receiver.uiUrl));
    if (status >= 200 && status <= 299) return { notified: true };
    const isFinal = status < 500 && !LATER.includes(status);
    const redirect = status >= 300 && status <= 399 ? '; redirects are not followed' : '';
    throw failed(`the receiver at NOTIFY_URL answered HTTP ${status}${redirect}`, isFinal);
  };
}

/** Slack shows `text`, and a flow in Teams can post it. */
function messageOf({ text, command, workflowId, facts }: Notice, uiUrl: string | undefined): object {
  const url = uiUrl === undefined ? null : linkTo(uiUrl, activityInfo().namespace, workflowId);
  const lines = [text, `\`${command}\``, ...(url === null ? [] : [url])];
  return { text: lines.join('\n'), ...facts, workflowId, command, url };
}

/** Returns the status of the answer. What fails may name the address, so only its code is passed on. */
async function post(url: string, message: object): Promise<number> {
  try {
    const { status, body } = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    await body?.cancel();
    return status;
  } catch (error) {
    throw failed(`the receiver at NOTIFY_URL cannot be reached: ${codeOf(error)}`, false);
  }
}

function codeOf(error: unknown): string {
  const { name, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${DEADLINE_MS / 1000} s`;
  const { code } = (cause ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : name;
}

function failed(message: string, isFinal: boolean): ApplicationFailure {
  return ApplicationFailure.create({ type: 'NotifyFailed', message, nonRetryable: isFinal });
}
