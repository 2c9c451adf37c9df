/**
 * The tables of docs/how-it-works.md on real parts. Each row of "What happens, case by case" has a scenario here, and its cells are
 * compared with the result. Each switch of "What is assumed of Zuora" is tried both ways.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { defaultSettings, settingsSchema, type Settings, type SettingsChange } from '../../simulator/settings.js';
import { failureOf, openReplayer, openRig, until, type Rig } from '../support/rig.js';
import type { EmailBillRunInput } from '../../workflows/contract/contract.js';
import {
  atMostOneEmailForAnIntent,
  Case,
  Gate,
  HOUR,
  MINUTE,
  rowsUnder,
  SECOND,
  type Fault,
  type Outcome,
} from '../support/sending-case.js';

const document = readFileSync(join(projectRoot, 'docs', 'how-it-works.md'), 'utf8');
const rows = rowsUnder('## What happens, case by case', document);
const assumptions = rowsUnder('## What is assumed of Zuora', document);

// Answers of Zuora and of the gateways before it.

const failed = (status: number, ...codes: readonly (number | string)[]): Fault => ({
  status,
  body: { success: false, reasons: codes.map((code) => ({ code, message: 'as the test wants it' })) },
});
const html = (status: number): Fault => ({ status, body: '<html><body>Bad gateway</body></html>' });
const after = (fault: Fault): Fault => ({ ...fault, when: 'after' });
const stored = (fault: Fault): Fault => ({ ...fault, stored: true });
const always = (fault: Fault): Fault => ({ ...fault, times: 10_000 });
const retryAfter = (fault: Fault, value: string): Fault => ({
  ...fault,
  headers: { ...fault.headers, 'Retry-After': value },
});

const REFUSAL = failed(400, 58730030);
const LOCK = failed(409, 58730050);
const CRASH: Fault = { status: 500, body: { reasons: [{ code: 'SystemError', message: 'internal server error' }] } };
const UNAUTHORIZED: Fault = { status: 401, body: { message: 'Authentication error' } };
const RESET: Fault = { fault: 'reset' };
/** Seconds: so long that a test is over before the next attempt. */
const FAR = '3600';

type Play = (play: Case) => Promise<void>;

/** Nobody does anything until the job closes. */
const alone =
  (...faults: readonly Fault[]): Play =>
  async (it) => {
    await it.faults(...faults);
    await it.runsToItsEnd();
  };

/** The same fault until the automatic attempts are over. */
const inVain =
  (fault: Fault): Play =>
  async (it) => {
    await it.faults({ ...fault, times: 10_000 });
    await it.runsToItsEnd({ sendBudget: '3 hours' });
  };

/** Nobody does anything until a person is asked. */
const asking =
  (...faults: readonly Fault[]): Play =>
  async (it) => {
    await it.faults(...faults);
    await it.start();
    await it.asks();
  };

/** A first send has made its first attempt, and the next one is far away. */
const waiting =
  (fault: Fault, next: Play): Play =>
  async (it) => {
    await it.faults(retryAfter(fault, FAR));
    await it.start();
    await it.attempted(1);
    await next(it);
  };

/** A first send was accepted. Then a resend meets the faults. */
const resent =
  (faults: readonly Fault[], next: Play): Play =>
  async (it) => {
    await it.start();
    await it.emailed();
    it.happens('emailed');
    await it.faults(...faults);
    await it.signal('resend', { requestId: 'T-1' });
    // It begins after the look-up of earlier jobs.
    await it.sends((sends) => sends.length > 1);
    await next(it);
  };

const autoEmailed =
  (next: Play): Play =>
  async (it) => {
    await it.billRun({ autoEmail: true });
    await it.start();
    await it.isKeptBack('autoEmail');
    await next(it);
  };

const emailedElsewhere =
  (next: Play): Play =>
  async (it) => {
    await it.billRun();
    await it.rig.billRun.change(it.number, { invoicesEmailed: true, lastEmailSentTime: new Date().toISOString() });
    it.happens('somebody emails all in Zuora');
    await it.start();
    await it.isKeptBack('emailedElsewhere');
    await next(it);
  };

const coolingDown =
  (next: Play): Play =>
  async (it) => {
    await it.billRun();
    await it.change({ lastEmailSentTime: new Date().toISOString() }, 'Zuora sent emails just now');
    await it.start();
    await it.isKeptBack('coolDown');
    await next(it);
  };

/** A person closes the job before the bill run posts. */
const closedBeforeThePost =
  (how: 'finish' | 'cancel' | 'terminate', next: Play): Play =>
  async (it) => {
    await it.billRun({ status: 'Completed' });
    await it.start();
    await it.status(({ billRunStatus }) => billRunStatus === 'Completed');
    if (how === 'finish') await it.signal('finish');
    else await it[how]();
    await it.over();
    await it.change({ status: 'Posted' });
    await next(it);
  };

const startedAnew: Play = async (it) => {
  await it.startsAgain();
  await it.startsAgain({ again: true });
  await it.emailed();
};

const RISK = { sendAnyway: true, requestedBy: 'carol', reason: 'checked' };

const sendAnyway: Play = async (it) => {
  await it.signal('retry', RISK);
  await it.emailed();
};
const retry: Play = async (it) => {
  await it.signal('retry');
  await it.emailed();
};
const leftOpen: Play = () => Promise.resolve();

/** Nobody answers, so all waits are skipped. */
const byThemselves: Readonly<Record<string, Play>> = {
  'accepted at once': alone(),
  'lock, as HTTP 200': alone(failed(200, 58730050)),
  'lock, as HTTP 409': alone(LOCK),
  'limit, as HTTP 200': alone(failed(200, 70)),
  'temporary error, as HTTP 200': alone(failed(200, 58730061)),
  'integration error after the effect, as HTTP 200': alone(after(failed(200, 58730099))),
  'rate limit, Retry-After in seconds': alone(retryAfter(failed(429, 70), '1800')),
  'rate limit, Retry-After as a date': async (it) => {
    const date = new Date(Date.now() + 30 * MINUTE).toUTCString();
    await alone(retryAfter(failed(429, 50000070), date))(it);
  },
  'rate limit, ratelimit-reset': alone({ ...failed(429, 70), headers: { 'ratelimit-reset': '600' } }),
  'rate limit without a time': alone({ status: 429 }),
  'rate limit, Retry-After of a day': alone(retryAfter({ status: 429 }, '86400')),
  'rate limit until the budget ends': inVain(failed(429, 70)),
  'key in progress': alone({ status: 409, body: { message: 'still in progress' } }),
  'key in progress while the first request is carried out': alone(
    after(RESET),
    after({ status: 409, body: { message: 'still in progress' } }),
  ),
  'token not accepted once': alone(UNAUTHORIZED),
  'token not accepted until the budget ends': inVain(UNAUTHORIZED),
  'gateway before the effect': alone(html(502), html(503), html(504)),
  'gateway after the effect': alone(after(html(504))),
  'overload before the effect, Retry-After': alone(retryAfter(html(503), '120')),
  'crash before the effect': alone(CRASH),
  'crash after the effect': alone(after(CRASH)),
  'crash with a numeric code, before': alone(failed(500, 58730060)),
  'crash with a numeric code, after': alone(after(failed(500, 58730060))),
  'crash without a body': alone({ status: 500 }, after({ status: 500 })),
  'crash as HTML': alone(html(500), after(html(500))),
  'reset before the effect': alone(RESET),
  'reset after the effect': alone(after(RESET)),
  'half a body after the effect': alone(
    after({ status: 200, headers: { 'Content-Length': '1000' }, body: '{"success":' }),
  ),
  'success that cannot be read': alone(after(html(200))),
  'success that does not say so': alone(after({ status: 200, body: {} })),
  'success as plain text': alone(
    after({ status: 200, headers: { 'Content-Type': 'text/plain' }, body: '{"success": true}' }),
  ),
  'success in a broken encoding': alone(
    after({ status: 200, headers: { 'Content-Encoding': 'gzip' }, body: 'not gzip' }),
  ),
  'success in a huge body': alone(after({ status: 200, body: ' '.repeat(2 ** 20 + 1) })),
  redirect: alone({ status: 307, headers: { Location: '/v1/elsewhere' } }),
  'stored lock': alone(stored(LOCK)),
  'stored lock behind a reset': alone(stored(LOCK), after(RESET)),
  'stored rate limit': alone(stored({ status: 429 })),
  'stored refusal behind a reset': alone(stored(REFUSAL), after(RESET)),
  'stored token failure': alone(stored(UNAUTHORIZED)),
  'unknown until the budget ends': alone(always(html(503))),
  'unknown until the budget ends, and it was sent': inVain(after(html(504))),
  'cool-down': async (it) => {
    await it.billRun();
    const sentAt = Date.now() - HOUR;
    await it.change({ lastEmailSentTime: new Date(sentAt).toISOString() }, 'Zuora sent emails an hour ago');
    await it.runsToItsEnd();
  },
  'never posted': async (it) => {
    await it.billRun({ status: 'Completed' });
    await it.runsToItsEnd({ postDeadline: '1 hour' });
  },
};

/** People answer. */
const withPeople: Readonly<Record<string, Play>> = {
  'refusal, as HTTP 200': asking(failed(200, 58730030)),
  'refusal beside a lock, as HTTP 200': asking(failed(200, 58730050, 58730030)),
  refusal: asking(REFUSAL),
  'refusal, fixed and retried': async (it) => {
    await asking(REFUSAL)(it);
    await retry(it);
  },
  'refusal, finished': async (it) => {
    await asking(REFUSAL)(it);
    await it.signal('finish');
    await it.over();
  },
  'no permission': asking({ status: 403, body: { code: 58730010, message: 'no' } }),
  'bill run not found by the email call': asking(failed(404, 58730040)),
  'method not allowed': asking({ status: 405 }),
  'media type not supported': asking(failed(415, 58730045)),
  'key used for something else': asking({ status: 422, body: { message: 'another URL' } }),
  'refusal after an unknown attempt': asking(retryAfter(html(503), '1'), REFUSAL),
  'refusal after an unknown attempt, fixed and retried': async (it) => {
    await asking(retryAfter(html(503), '1'), REFUSAL)(it);
    await retry(it);
  },
  'stored refusal after an unknown attempt, fixed and retried twice': async (it) => {
    await asking(retryAfter(html(503), '1'), stored(REFUSAL))(it);
    await it.signal('retry');
    await it.status(({ question }) => question?.kind === 'refused');
    await it.asks();
    await retry(it);
  },
  'stored crash': asking(stored(CRASH)),
  'stored crash, sent anyway': async (it) => {
    await asking(stored(CRASH))(it);
    await it.plainRetryIsIgnored();
    await sendAnyway(it);
  },
  'stored crash after the effect, finished': async (it) => {
    await asking(after(stored(CRASH)))(it);
    await it.signal('finish');
    await it.over();
  },

  resend: resent([], (it) => it.emailed(2)),
  'resend refused': resent([REFUSAL], async (it) => {
    await it.asks();
  }),
  'resend refused, fixed and retried': resent([REFUSAL], async (it) => {
    await it.asks();
    await it.signal('retry');
    await it.emailed(2);
  }),
  'resend unknown': resent([retryAfter(html(503), '1')], (it) => it.emailed(2)),
  'resend cut off after the effect': resent([after(RESET)], (it) => it.emailed(2)),
  'resend in a stored crash after the effect, sent anyway': resent([after(stored(CRASH))], async (it) => {
    await it.asks();
    await it.signal('retry', RISK);
    await it.emailed(2);
  }),
  'resend during an unknown resend': resent([retryAfter(html(503), '2')], async (it) => {
    await it.attempted(1);
    await it.signal('resend', { requestId: 'T-2' });
    await it.emailed(3);
  }),
  'resend during a refused resend': resent([REFUSAL], async (it) => {
    await it.asks();
    await it.signal('resend', { requestId: 'T-2' });
    await it.emailed(2);
  }),
  'resend in place of a refused first send': async (it) => {
    await asking(REFUSAL)(it);
    await it.signal('resend', { requestId: 'T-1' });
    await it.emailed();
  },
  'resend between the attempts of a first send': waiting({ status: 429 }, async (it) => {
    await it.signal('resend', { requestId: 'T-1' });
    await it.emailed();
  }),
  'resend in place of an unknown first send': waiting(html(503), async (it) => {
    await it.signal('resend', { requestId: 'T-1' });
    await it.emailed();
  }),
  'resend in place of an unknown first send that was carried out': waiting(after(html(504)), async (it) => {
    await it.signal('resend', { requestId: 'T-1' });
    await it.emailed();
  }),
  'resend in place of automatic emails': autoEmailed(async (it) => {
    await it.signal('resend', { requestId: 'T-1' });
    await it.emailed();
  }),

  'hold between attempts, then release': async (it) => {
    await it.faults(retryAfter(html(503), '1'));
    await it.start();
    await it.attempted(1);
    await it.signal('hold');
    await it.status(({ state }) => state === 'Held');
    await it.signal('release');
    await it.emailed();
  },
  'hold before the post': async (it) => {
    await it.billRun({ status: 'Completed' });
    await it.start();
    await it.signal('hold');
    await it.change({ status: 'Posted' });
    await it.status(({ state }) => state === 'Held');
  },
  'hold during a question, retried, then release': async (it) => {
    await asking(REFUSAL)(it);
    await it.signal('hold');
    await it.status(({ state, question }) => state === 'Held' && question !== null);
    await it.signal('retry');
    await it.status(({ state, question }) => state === 'Held' && question === null);
    await it.signal('release');
    await it.emailed();
  },
  'finish after the acceptance': async (it) => {
    await it.start();
    await it.emailed();
    it.happens('emailed');
    await it.signal('finish');
    await it.over();
  },
  'finish while unknown': waiting(html(503), async (it) => {
    await it.signal('finish');
    await it.over();
  }),
  'finish before the post': async (it) => {
    await it.billRun({ status: 'Completed' });
    await it.start();
    await it.status(({ state }) => state === 'Waiting');
    await it.signal('finish');
    await it.over();
  },
  'cancel while unknown': waiting(html(503), (it) => it.cancel()),
  'cancel while unknown, and it was sent': waiting(after(html(504)), (it) => it.cancel()),
  'cancel during an attempt': async (it) => {
    await it.faults({ when: 'after', fault: 'stall', afterMs: 1_000 });
    await it.start();
    await until(
      () => it.rig.emailCalls(it.number),
      (calls) => calls.length === 1,
    );
    await it.cancel();
  },

  'finished before the post, started': closedBeforeThePost('finish', (it) => it.startsAgain()),
  'canceled before the post, started': closedBeforeThePost('cancel', (it) => it.startsAgain()),
  'finished before the post, started anew': closedBeforeThePost('finish', startedAnew),
  'terminated before the post, started anew': closedBeforeThePost('terminate', startedAnew),
  'finished before the post, resent': closedBeforeThePost('finish', async (it) => {
    await it.startsAgain({ resend: true, requestId: 'T-1' });
    await it.emailed();
  }),
  'refused, finished, started anew': async (it) => {
    await asking(REFUSAL)(it);
    await it.signal('finish');
    await it.over();
    await startedAnew(it);
  },
  'unknown, terminated, started anew': waiting(after(html(503)), async (it) => {
    await it.terminate();
    await startedAnew(it);
  }),
  'refused, unanswered, started': async (it) => {
    await it.faults(REFUSAL);
    await it.start({ openFor: '1 second' });
    await it.over();
    it.happens('nobody answers');
    await it.startsAgain();
    await it.asks();
  },
  'emailed, finished, started and resent': async (it) => {
    await it.start();
    await it.emailed();
    it.happens('emailed');
    await it.startsAgain();
    await it.signal('finish');
    await it.over();
    await it.startsAgain({ again: true });
    await it.startsAgain({ resend: true, requestId: 'T-1' });
    await it.emailed();
    await it.startsAgain({ resend: true, requestId: 'T-1' });
  },
  'emailed, a resend refused, finished, started': resent([REFUSAL], async (it) => {
    await it.asks();
    await it.signal('finish');
    await it.over();
    await it.startsAgain();
  }),
  'no documents, started': async (it) => {
    await it.billRun({ invoices: 0, creditMemos: 0 });
    await it.start();
    await it.over();
    await it.startsAgain();
    await it.over();
  },
  'started on hold': async (it) => {
    await it.start({ hold: true });
    await it.status(({ state, billRunStatus }) => state === 'Held' && billRunStatus === 'Posted');
    await it.signal('release');
    await it.emailed();
  },

  'automatic emails': autoEmailed(leftOpen),
  'automatic emails that left': async (it) => {
    await it.billRun({ status: 'Completed', autoPost: true, autoEmail: true });
    await it.start();
    await it.change({ status: 'Posted' });
    await it.isKeptBack('autoEmail');
  },
  'automatic emails, sent anyway': autoEmailed(sendAnyway),
  'automatic emails, finished': autoEmailed(async (it) => {
    await it.signal('finish');
    await it.over();
  }),
  'emailed elsewhere': emailedElsewhere(leftOpen),
  'emailed elsewhere, sent anyway': emailedElsewhere(sendAnyway),
  'emailed elsewhere, finished': emailedElsewhere(async (it) => {
    await it.signal('finish');
    await it.over();
  }),
  'no documents': async (it) => {
    await it.billRun({ invoices: 0, creditMemos: 0 });
    await it.start();
    await it.over();
  },
  'cool-down, looked again': coolingDown(async (it) => {
    await it.rig.billRun.change(it.number, { lastEmailSentTime: null });
    it.happens('Zuora shows no emails');
    await retry(it);
  }),
  'cool-down, sent anyway': coolingDown(sendAnyway),
  'canceled bill run': async (it) => {
    await it.billRun({ status: 'Completed' });
    await it.start();
    await it.change({ status: 'Canceled' });
    await it.over();
  },
  'bill run in error': async (it) => {
    await it.billRun({ status: 'Processing' });
    await it.start();
    await it.change({ status: 'Error' });
    await it.over();
  },
  'posting that fails and is repeated': async (it) => {
    await it.billRun({ status: 'PostInProgress' });
    await it.start();
    await it.status(({ billRunStatus }) => billRunStatus === 'PostInProgress');
    await it.change({ status: 'Completed' });
    const { text } = await it.status(({ billRunStatus }) => billRunStatus === 'Completed');
    expect(text).toContain('post the bill run again');
    await it.change({ status: 'Posted' });
    await it.emailed();
  },
};

/** Time passes, or settings of the whole tenant change. */
const passingTime: Readonly<Record<string, Play>> = {
  'notification not active': async (it) => {
    await changeTenant(it, { inactiveNotification: 'refuse', notificationActive: false });
    await asking()(it);
    await changeTenant(it, { notificationActive: true });
    await retry(it);
  },
  'one notification not active': async (it) => {
    await changeTenant(it, { notificationActive: 'invoices' });
    await it.start();
    await it.emailed();
  },
  'emails at the post': async (it) => {
    const emailDelayMs = 10 * MINUTE;
    await it.rig.control('PATCH', '/settings', { postedNotificationActive: true, emailDelayMs });
    it.happens('Invoice Posted and Credit Memo Posted email 10 min later');
    await it.billRun();
    await it.rig.billRun.change(it.number, { postedDate: new Date().toISOString() });
    // A worker knows the notifications of a scope for some minutes.
    await it.start({ orgIds: ['emails-at-post'] });
    await it.isKeptBack('coolDown');
    await it.rig.control('POST', '/clock', { advanceMs: emailDelayMs });
    await it.passes(24 * 60);
    await it.emailed();
  },
  'automatic emails, retried': autoEmailed(async (it) => {
    await it.rig.billRun.change(it.number, { postedDate: new Date().toISOString() });
    await it.signal('retry');
    await it.isKeptBack('coolDown');
    await it.coolsDown();
    await it.emailed();
  }),
  'emailed elsewhere, retried': emailedElsewhere(async (it) => {
    await it.signal('retry');
    await it.isKeptBack('coolDown');
    await it.coolsDown();
    await it.emailed();
  }),
  'token withdrawn before a resend': async (it) => {
    await it.start();
    await it.emailed();
    it.happens('emailed; token withdrawn');
    await it.rig.control('DELETE', '/tokens');
    await it.signal('resend', { requestId: 'T-1' });
    await it.attempted(1);
    await it.rig.skip(it.job, 10 * SECOND);
    await it.emailed(2);
  },
  'token not accepted for 16 minutes': async (it) => {
    await it.faults(always(UNAUTHORIZED));
    await it.start();
    await it.attempted(1);
    await it.passes(16);
    await it.asks();
    await fixed(it);
    await retry(it);
  },
  'connection refused for a moment': resentBehindGate(async (it) => {
    await until(
      async () => (await it.job.describe()).raw.pendingActivities?.[0]?.attempt ?? 0,
      (attempt) => attempt >= 2,
    );
    await reopened(it);
    await it.rig.skip(it.job, MINUTE);
    await it.emailed(2);
  }),
  'connection refused for 16 minutes': resentBehindGate(async (it) => {
    await it.passes(16);
    await it.asks();
    await reopened(it);
    await it.signal('retry');
    await it.emailed(2);
  }),
  'gateway that gives up after 120 s': async (it) => {
    await it.faults({ ...html(504), when: 'after', afterMs: 120 * SECOND });
    await it.start();
    await until(
      () => it.rig.mailbox(it.number),
      (emails) => emails.length > 0,
    );
    await it.rig.control('POST', '/clock', { advanceMs: 120 * SECOND });
    await it.attempted(1);
    await it.rig.skip(it.job, 10 * SECOND);
    await it.emailed();
  },
  'no answer within 130 s': async (it) => {
    await it.faults({ when: 'after', fault: 'stall' });
    const deadline = new AbortController();
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    // The attempt's own deadline comes when the emails have left, instead of after two minutes.
    const spy = vi
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation((ms) => (ms > 2 * MINUTE ? deadline.signal : timeout(ms)));
    try {
      await it.start();
      await until(
        () => it.rig.mailbox(it.number),
        (emails) => emails.length > 0,
      );
      deadline.abort(new DOMException('the deadline', 'TimeoutError'));
      await it.attempted(1);
    } finally {
      spy.mockRestore();
    }
    await it.rig.skip(it.job, 10 * SECOND);
    await it.emailed();
  },
  'unknown for 16 minutes': async (it) => {
    await it.faults(always(html(503)));
    await it.start();
    await it.attempted(1);
    await it.passes(16);
    await it.asks();
    await fixed(it);
    await retry(it);
  },
  'unknown for 13 hours, then retried': async (it) => {
    await it.faults(always(html(503)));
    await it.start();
    await it.attempted(1);
    await it.passes(13 * 60);
    await it.asks();
    await fixed(it);
    await retry(it);
  },
  'unknown for 24 hours, then sent anyway': async (it) => {
    await it.faults(always(html(503)));
    await it.start();
    await it.attempted(1);
    await it.passes(24 * 60);
    await fixed(it);
    await it.plainRetryIsIgnored();
    await it.asks();
    await sendAnyway(it);
  },
  'resend unknown for 24 hours, though it was sent, then sent anyway': async (it) => {
    await it.start();
    await it.emailed();
    it.happens('emailed');
    await it.faults(always(after(html(504))));
    await it.signal('resend', { requestId: 'T-1' });
    await it.attempted(1, 2);
    await it.passes(24 * 60);
    await fixed(it);
    await it.plainRetryIsIgnored();
    await it.asks();
    await it.signal('retry', RISK);
    await it.emailed(2);
  },
};

async function changeTenant(it: Case, settings: SettingsChange): Promise<void> {
  it.happens(Object.entries(settings).flat().map(String).join(' '));
  await it.rig.control('PATCH', '/settings', settings);
}

/** Removes all faults. */
async function fixed(it: Case): Promise<void> {
  it.happens('fixed');
  await it.rig.control('DELETE', '/faults');
}

async function reopened(it: Case): Promise<void> {
  it.happens('connection back');
  await it.gate?.open();
}

function resentBehindGate(next: Play): Play {
  return async (it) => {
    await it.start();
    await it.emailed();
    it.happens('emailed; connection refused');
    await it.gate?.close();
    await it.signal('resend', { requestId: 'T-1' });
    await next(it);
  };
}

const POLLING = { first: 45 * MINUTE, longest: 45 * MINUTE, afterAnHour: 45 * MINUTE };

async function replayAll(jobs: readonly WorkflowHandle[]): Promise<void> {
  const replayer = openReplayer();
  await Promise.all(jobs.map((job) => replayer.replay(job)));
  await replayer.close();
}

const scenarios = { ...byThemselves, ...withPeople, ...passingTime };

test('every row of the table has a scenario, and every scenario a row, once', () => {
  const names = rows.map(({ Case: name }) => name);
  expect([...names].sort()).toEqual(Object.keys(scenarios).sort());
});

/** Compares the whole row. If it differs, the failure shows the line as it should be. */
function expectRow(name: string, outcome: Outcome): void {
  const row = rows.find((each) => each['Case'] === name);
  const line = ['', name, ...Object.values(outcome), ''].join(' | ').trim();
  expect(row, line).toEqual({ Case: name, ...outcome });
}

let real: Rig;
/** With long pauses between the reads of a bill run. */
let slow: Rig;
let behindGate: Rig;
const gate = new Gate();
const cases: Case[] = [];

beforeAll(async () => {
  await gate.open();
  real = await openRig();
  slow = await openRig({ polling: POLLING });
  behindGate = await openRig({ polling: POLLING, zuoraUrl: gate.url });
  gate.zuoraUrl = behindGate.simulatorUrl;
});
afterAll(async () => {
  await replayAll(cases.map(({ job }) => job));
  await real.close();
  await slow.close();
  await behindGate.close();
  await gate.close();
});

async function row(it: Case, name: string, play: Play): Promise<void> {
  cases.push(it);
  await play(it);
  expectRow(name, await it.outcome());
}

// Assumptions about Zuora.

interface Switch {
  /** Settings to try. `all defaults` tries the default if it is not among them. */
  readonly settings: readonly Partial<Settings>[];
  /** The bill runs that it affects. */
  readonly billRun?: object;
  readonly entityId?: string;
}

/** Every switch of the simulator that the table of assumptions names; both settings if it needs its own kind of bill run. */
const switches: Partial<Record<keyof Settings, Switch>> = {
  storeUnauthorized: { settings: [{ storeUnauthorized: true }] },
  storeTooManyRequests: { settings: [{ storeTooManyRequests: true }] },
  storeInjected: { settings: [{ storeInjected: true }] },
  keyScope: {
    settings: (['tenant', 'entity'] as const).map((keyScope) => ({ keyScope, entities: ['e1', 'e2'] })),
    billRun: { entityId: 'e1' },
    entityId: 'e1',
  },
  sameKeyOtherBody: { settings: [{ sameKeyOtherBody: 'refuse' }] },
  idempotencyKeyMaxLength: { settings: [{ idempotencyKeyMaxLength: 254 }] },
  stringResend: { settings: [{ stringResend: 'refuse' }] },
  unneededHeaders: { settings: [{ unneededHeaders: 'refuse' }] },
  autoEmailCounts: {
    settings: [{ autoEmailCounts: true }, { autoEmailCounts: false }],
    billRun: { status: 'PostInProgress', postsAfterMs: 0, autoPost: true, autoEmail: true },
  },
  zeroAmountRuleHoldsForEmailCall: {
    settings: [{ zeroAmountRuleHoldsForEmailCall: false }, { zeroAmountRuleHoldsForEmailCall: true }],
    billRun: { noEmailForZeroAmountInvoice: true, zeroAmountInvoices: 1 },
  },
  emptyBillRunsPost: {
    settings: [{ emptyBillRunsPost: true }, { emptyBillRunsPost: false }],
    billRun: { status: 'PostInProgress', postsAfterMs: 0, invoices: 0, creditMemos: 0 },
  },
  readByNumberOnV1: { settings: [{ readByNumberOnV1: true }] },
  tokensExpireEarlySeconds: { settings: [{ tokensExpireEarlySeconds: 3300 }] },
  emailDelayMs: { settings: [{ emailDelayMs: HOUR }] },
};

/** The faults of a life. Every life ends with a resend. */
const mishaps: readonly (readonly Fault[])[] = [[], [after(RESET)], [UNAUTHORIZED, { status: 429 }, CRASH]];

test('the table of assumptions names every switch of the simulator, and each one is tried', () => {
  const names = Object.keys(settingsSchema.shape);
  const unknowns = names.slice(names.indexOf('storeUnauthorized'));
  const named = assumptions.flatMap(({ Switch: cell = '' }) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''),
  );
  expect(new Set(named).size).toBe(named.length);
  expect(named.sort()).toEqual(Object.keys(switches).sort());
  expect(named).toEqual(expect.arrayContaining(unknowns));
});

// At the same time, because most of it is waiting.

describe.concurrent('Row by row, with people', () => {
  test.for(Object.entries(withPeople))('%s', ([name, play]) => row(new Case(real), name, play));
});

describe.concurrent('Row by row, alone', () => {
  test.for(Object.entries(byThemselves))('%s', ([name, play]) => row(new Case(slow), name, play));
});

describe.concurrent(
  'Under every assumption, a document is emailed once for an intent, and every job ends with a success or a question',
  () => {
    let plain: Rig;
    let multiEntity: Rig;
    const jobs: WorkflowHandle[] = [];

    beforeAll(async () => {
      plain = await openRig({ polling: POLLING });
      multiEntity = await openRig({ polling: POLLING, multiEntity: true });
    });
    afterAll(async () => {
      await replayAll(jobs);
      await plain.close();
      await multiEntity.close();
    });

    /** One job until it closes. Nobody answers a question, so the job fails and says what to do. */
    const toItsEnd = async (rig: Rig, input: EmailBillRunInput) => {
      const windows = { openFor: '0s', postDeadline: '1 hour' };
      const { workflowId } = await rig.start({ ...windows, ...input });
      const job = rig.client.workflow.getHandle(
        workflowId,
        (await rig.client.workflow.getHandle(workflowId).describe()).runId,
      );
      jobs.push(job);
      await rig.skipToEnd(job);
      const end = await rig.result(job).then(
        ({ state }) => state,
        async () => {
          const { type, message } = await failureOf(job);
          expect(message).toMatch(/start again|To continue:/);
          return String(type);
        },
      );
      return { end, sends: await rig.sends(job) };
    };

    const tried: readonly (readonly [string, Switch])[] = [
      ['all defaults', { settings: [{}] }],
      ...Object.entries(switches),
    ];
    const each = tried.flatMap(([name, { settings, ...about }]) =>
      settings.map((setting) => {
        const value = Object.entries(setting).find(([key]) => key === name)?.[1];
        return [value === undefined ? name : `${name}: ${String(value)}`, { setting, ...about }] as const;
      }),
    );
    test.for(each)('%s', { concurrent: false }, async ([, { setting, billRun = {}, entityId }]) => {
      const rig = entityId === undefined ? plain : multiEntity;
      await rig.control('PATCH', '/settings', { ...defaultSettings, ...setting });
      const ends = setting.emptyBillRunsPost === false ? ['NotPosted'] : ['Delivering', 'Skipped', 'Unsettled'];
      for (const faults of mishaps) {
        const { number } = await rig.billRun.create(billRun);
        for (const fault of faults) {
          await rig.fault({ fault: 'respond', ...fault, path: `/v1/bill-runs/${number}/emails` });
        }
        const input = { billRunKey: number, ...(entityId === undefined ? {} : { entityId }) };
        const first = await toItsEnd(rig, input);
        // Tokens that expire early have expired.
        await rig.control('POST', '/clock', { advanceMs: 10 * MINUTE });
        // The key holds the request id, so use the longest one.
        const second = await toItsEnd(rig, { ...input, resend: true, requestId: 'R'.repeat(100) });
        expect(ends).toContain(first.end);
        expect(ends).toContain(second.end);
        // Late emails have left.
        await rig.control('POST', '/clock', { advanceMs: HOUR });
        atMostOneEmailForAnIntent(await rig.mailbox(number), [...first.sends, ...second.sends]);
        await rig.control('DELETE', '/faults');
      }
    });
  },
);

// Not beside others: one of them changes the deadline of all attempts of this process.
describe('Row by row, while time passes', () => {
  afterEach(async () => {
    await behindGate.control('DELETE', '/faults');
    await behindGate.control('PATCH', '/settings', defaultSettings);
  });

  test.for(Object.entries(passingTime))('%s', ([name, play]) => row(new Case(behindGate, gate), name, play));
});
