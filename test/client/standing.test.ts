/** Whether somebody cares for a posted bill run, row by row: by what Zuora lists of it, and by the last job of its id. */
import { describe, expect, test } from 'vitest';
import type { LastJob } from '../../client/last-job.js';
import { standingOf, whyWaiting } from '../../client/standing.js';
import type { PostedBillRun } from '../../zuora/posted-bill-runs.js';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ago = (ms: number): Date => new Date(NOW - ms);

function posted(known: Partial<PostedBillRun> = {}): PostedBillRun {
  return {
    ...{ id: 'id-1', number: 'BR-1', postedDate: ago(HOUR).toISOString(), autoEmail: false, invoicesEmailed: false },
    ...{ numberOfInvoices: 2, numberOfCreditMemos: 0 },
    ...known,
  };
}

function last(known: Partial<LastJob>): LastJob {
  return {
    ...{ workflowId: 'email-bill-run/BR-1', runId: 'run-1', type: 'emailBillRun', taskQueue: 'queue' },
    ...{ billRunNumber: 'BR-1', state: null, reason: null, since: null, closedAt: null, status: 'COMPLETED' },
    ...{
      isOpen: false,
      isChanging: false,
      paused: [],
      historyLength: 9,
      sends: 0,
      resends: [],
      documentsNotSent: null,
    },
    ...known,
  };
}

const open = { isOpen: true, status: 'RUNNING' } as const;
const failed = { status: 'FAILED', closedAt: ago(2 * HOUR) } as const;

describe('A posted bill run', () => {
  test.each<readonly [string, Partial<PostedBillRun>, LastJob | undefined, string]>([
    ['without a job', {}, undefined, 'no job'],
    ['without a job, posted just now', { postedDate: ago(0).toISOString() }, undefined, 'no job'],
    ['without a date', { postedDate: null }, undefined, 'no job'],
    ['of which the counts are not known', { numberOfInvoices: null, numberOfCreditMemos: null }, undefined, 'no job'],
    ['that failed', {}, last({ ...failed, state: 'Sending' }), 'its job failed'],
    ['with invalid input', {}, last({ ...failed }), 'its job failed'],
    ['that timed out', {}, last({ status: 'TIMED_OUT', state: 'Waiting' }), 'its job timed out'],
    [
      'given up before the post',
      {},
      last({ ...failed, state: 'NotPosted' }),
      'its job closed as NotPosted before the post',
    ],
    ['not found', {}, last({ ...failed, closedAt: ago(MINUTE), state: 'NotPosted' }), 'its job closed as NotPosted'],
    [
      'not noticed',
      {},
      last({ ...open, state: 'Waiting', reason: 'notPosted' }),
      'its job still waits as notPosted, over 30 minutes after the post',
    ],
    [
      'that cannot be read',
      {},
      last({ ...open, state: 'Waiting', reason: 'cannotRead' }),
      'its job still waits as cannotRead, over 30 minutes after the post',
    ],
    ['that no worker took', {}, last({ ...open }), 'its job still waits as notPosted, over 30 minutes after the post'],
  ])('%s is forgotten', (_name, billRun, job, why) => {
    expect(standingOf(posted(billRun), job, NOW)).toEqual({ standing: 'forgotten', why });
  });

  test.each<readonly [string, Partial<PostedBillRun>, LastJob | undefined, string]>([
    ['that Zuora emails', { autoEmail: true }, undefined, 'autoEmail'],
    ['that Zuora emails, after a failure', { autoEmail: true }, last({ ...failed, state: 'NotPosted' }), 'autoEmail'],
    ['emailed in Zuora', { invoicesEmailed: true }, undefined, 'invoicesEmailed'],
    ['without documents', { numberOfInvoices: 0, numberOfCreditMemos: 0 }, undefined, 'empty'],
    ['skipped', {}, last({ state: 'Skipped', reason: 'noDocuments' }), 'empty'],
    ['emailed', {}, last({ state: 'Emailed', sends: 1 }), 'emailed'],
    ['emailed, open', {}, last({ ...open, state: 'Delivering', sends: 1 }), 'emailed'],
    ['emailed by a job that failed later', {}, last({ ...failed, state: 'Unsettled', sends: 1 }), 'emailed'],
    ['left to others', {}, last({ state: 'Delivering', reason: 'autoEmail' }), 'emailed'],
    ['finished', {}, last({ state: 'Stopped', reason: 'finish' }), 'stopped'],
    ['terminated', {}, last({ status: 'TERMINATED', state: 'Waiting' }), 'stopped'],
    ['canceled', {}, last({ status: 'CANCELLED', state: 'Stopped' }), 'stopped'],
    ['unsettled', {}, last({ ...failed, state: 'Unsettled' }), 'unsettled'],
    ['cooling down', {}, last({ ...open, state: 'Waiting', reason: 'coolDown' }), 'underWay'],
    ['held', {}, last({ ...open, state: 'Held', reason: 'job' }), 'underWay'],
    ['asked about', {}, last({ ...open, state: 'NeedsAttention', reason: 'refused' }), 'underWay'],
    [
      'posted less than 30 minutes ago',
      { postedDate: ago(29 * MINUTE).toISOString() },
      last({ ...open, state: 'Waiting', reason: 'notPosted' }),
      'underWay',
    ],
    [
      'whose date has no zone, and may be later',
      { postedDate: '2026-03-10 10:00:00' },
      last({ ...open, state: 'Waiting', reason: 'notPosted' }),
      'underWay',
    ],
  ])('%s is not', (_name, billRun, job, standing) => {
    expect(standingOf(posted(billRun), job, NOW)).toEqual({ standing });
  });
});

test.each<readonly [string, Partial<LastJob>, string | undefined]>([
  ['held for long', { ...open, state: 'Held', reason: 'all', since: ago(25 * HOUR) }, 'Held (all) for over 24 hours'],
  [
    'asking for long',
    { ...open, state: 'NeedsAttention', reason: 'unknown', since: ago(24 * HOUR) },
    'NeedsAttention (unknown) for over 24 hours',
  ],
  ['stuck', { ...open, state: 'Sending', since: ago(25 * HOUR) }, 'Sending for over 24 hours'],
  [
    'paused for long',
    { ...open, state: 'Waiting', paused: [{ what: 'look', by: null, at: ago(25 * HOUR).toISOString(), reason: null }] },
    'paused in Temporal for over 24 hours',
  ],
  ['held since today', { ...open, state: 'Held', reason: 'job', since: ago(23 * HOUR) }, undefined],
  [
    'open, not all sent',
    { ...open, state: 'Delivering', sends: 1, documentsNotSent: 2, since: ago(90 * HOUR) },
    undefined,
  ],
  ['closed, unsettled', { ...failed, state: 'Unsettled' }, 'its job closed as Unsettled'],
  ['closed, one not sent', { state: 'Delivering', sends: 1, documentsNotSent: 1 }, '1 document was not sent'],
  [
    'terminated, not all sent',
    { status: 'TERMINATED', state: 'Delivering', documentsNotSent: 3 },
    '3 documents were not sent',
  ],
  ['closed, all sent', { state: 'Emailed', sends: 1, documentsNotSent: 0 }, undefined],
  ['closed, not checked', { state: 'Delivering', sends: 1 }, undefined],
])('A job that is %s', (_name, known, why) => {
  expect(whyWaiting(last(known), NOW)).toBe(why);
});
