/** The start table: what a start and a resend do, by what Temporal shows of the last job. The rows are those of docs/how-it-works.md. */
import { describe, expect, test } from 'vitest';
import { decide, type Decision, type LastJob } from '../../client/last-job.js';

const closed = {
  ...{ isOpen: false, isChanging: false, paused: [], historyLength: 1 },
  ...{ reason: null, sends: 0, resends: [], documentsNotSent: null },
} as const;

function last(known: Partial<LastJob>): LastJob {
  return {
    ...{ workflowId: 'email-bill-run/BR-1', runId: 'run-1', type: 'emailBillRun', taskQueue: 'queue' },
    ...{ billRunNumber: 'BR-1', state: null, reason: null, since: null, closedAt: null, status: 'COMPLETED' },
    ...closed,
    ...known,
  };
}

/** Rows: the last job, then what a start, a start with `again`, and the resend X do. */
const rows: readonly (readonly [string, Partial<LastJob>, Decision, Decision, Decision])[] = [
  ['2 open', { isOpen: true, status: 'RUNNING', state: 'Waiting' }, 'join', 'join', 'join'],
  ['2 paused', { isOpen: true, status: 'PAUSED', state: 'NeedsAttention' }, 'join', 'join', 'join'],
  ['2 not listed yet', { isOpen: true, status: 'RUNNING', state: null }, 'join', 'join', 'join'],
  [
    '3 open, accepted',
    { isOpen: true, status: 'RUNNING', state: 'Delivering', sends: 1 },
    ...(['alreadyEmailed', 'alreadyEmailed', 'join'] as const),
  ],
  [
    '3 open, X accepted',
    { isOpen: true, status: 'RUNNING', state: 'Delivering', sends: 1, resends: ['W', 'X'] },
    ...(['alreadyEmailed', 'alreadyEmailed', 'alreadyEmailed'] as const),
  ],
  ['5 completed', { state: 'Delivering', sends: 2 }, 'alreadyEmailed', 'alreadyEmailed', 'start'],
  [
    '5 completed, X accepted',
    { state: 'Emailed', sends: 2, resends: ['X'] },
    ...(['alreadyEmailed', 'alreadyEmailed', 'alreadyEmailed'] as const),
  ],
  ['5b by Zuora itself', { state: 'Delivering' }, 'alreadyEmailed', 'alreadyEmailed', 'start'],
  ['5b by Zuora itself, all', { state: 'Emailed' }, 'alreadyEmailed', 'alreadyEmailed', 'start'],
  ['6 skipped', { state: 'Skipped' }, 'start', 'start', 'start'],
  ['7 handed over', { state: 'HandedOver' }, 'handedOver', 'handedOver', 'handedOver'],
  ['8 finished', { state: 'Stopped' }, 'stopped', 'start', 'start'],
  ['9 finished, accepted', { state: 'Stopped', sends: 1 }, 'alreadyEmailed', 'alreadyEmailed', 'start'],
  ['10 not posted', { status: 'FAILED', state: 'NotPosted' }, 'start', 'start', 'start'],
  ['10 invalid', { status: 'FAILED', state: null, billRunNumber: null }, 'start', 'start', 'start'],
  ['11 and 12 unsettled', { status: 'FAILED', state: 'Unsettled' }, 'start', 'start', 'start'],
  [
    '13 unsettled, accepted',
    { status: 'FAILED', state: 'Unsettled', sends: 1 },
    ...(['alreadyEmailed', 'alreadyEmailed', 'start'] as const),
  ],
  ['14 canceled', { status: 'CANCELLED', state: 'Stopped' }, 'stopped', 'start', 'start'],
  ['14 canceled before a worker took it', { status: 'CANCELLED', state: 'Waiting' }, 'stopped', 'start', 'start'],
  [
    '15 canceled, accepted',
    { status: 'CANCELLED', state: 'Delivering', sends: 1 },
    ...(['alreadyEmailed', 'alreadyEmailed', 'start'] as const),
  ],
  ['16 and 17 terminated', { status: 'TERMINATED', state: 'Sending' }, 'stopped', 'start', 'start'],
  ['16 terminated while it asked', { status: 'TERMINATED', state: 'NeedsAttention' }, 'stopped', 'start', 'start'],
  [
    '15 terminated, accepted',
    { status: 'TERMINATED', state: 'Delivering', sends: 1, resends: ['X'] },
    ...(['alreadyEmailed', 'alreadyEmailed', 'alreadyEmailed'] as const),
  ],
  ['18 timed out', { status: 'TIMED_OUT', state: 'Sending' }, 'start', 'start', 'start'],
  [
    '18 timed out, accepted',
    { status: 'TIMED_OUT', state: 'Delivering', sends: 1 },
    ...(['alreadyEmailed', 'alreadyEmailed', 'start'] as const),
  ],
  [
    '19 a resend was refused after an earlier job had emailed',
    { status: 'FAILED', state: 'Unsettled', sends: 1 },
    ...(['alreadyEmailed', 'alreadyEmailed', 'start'] as const),
  ],
  // A namespace without our search attributes. The new job looks up the one before.
  ['completed, without a state', { state: null, billRunNumber: null }, 'start', 'start', 'start'],
];

/** What a start with `missing` does. */
const rowsOfMissing: readonly (readonly [string, Partial<LastJob>, Decision])[] = [
  ['2 open', { isOpen: true, status: 'RUNNING', state: 'NeedsAttention' }, 'join'],
  ['3 open, accepted', { isOpen: true, status: 'RUNNING', state: 'Delivering', sends: 1, documentsNotSent: 2 }, 'join'],
  ['5 completed, not checked yet', { state: 'Delivering', sends: 1 }, 'nothingMissing'],
  ['5 completed, all sent', { state: 'Emailed', sends: 1, documentsNotSent: 0 }, 'nothingMissing'],
  ['5 completed, not all sent', { state: 'Delivering', sends: 1, documentsNotSent: 2 }, 'start'],
  ['5b by Zuora itself', { state: 'Delivering' }, 'start'],
  ['5b by Zuora itself, all', { state: 'Emailed', documentsNotSent: 0 }, 'start'],
  ['6 skipped', { state: 'Skipped' }, 'nothingMissing'],
  ['7 handed over', { state: 'HandedOver' }, 'handedOver'],
  ['8 finished', { state: 'Stopped' }, 'nothingMissing'],
  ['9 finished, not all sent', { state: 'Stopped', sends: 1, documentsNotSent: 1 }, 'start'],
  ['10 not posted', { status: 'FAILED', state: 'NotPosted' }, 'nothingMissing'],
  ['13 unsettled, not all sent', { status: 'FAILED', state: 'Unsettled', sends: 1, documentsNotSent: 1 }, 'start'],
  [
    '15 terminated, not all sent',
    { status: 'TERMINATED', state: 'Delivering', sends: 1, documentsNotSent: 1 },
    'start',
  ],
  ['15 terminated while Zuora emailed', { status: 'TERMINATED', state: 'Delivering' }, 'nothingMissing'],
  ['18 timed out, not checked yet', { status: 'TIMED_OUT', state: 'Delivering', sends: 1 }, 'nothingMissing'],
];

describe('The last job of the workflow id', () => {
  test.each(rowsOfMissing)('%s, for what is missing', (_name, known, missing) => {
    expect(decide(last(known), { missing: true, again: false })).toBe(missing);
  });

  test.each(rows)('%s', (_name, known, start, again, resend) => {
    expect(decide(last(known), { again: false })).toBe(start);
    expect(decide(last(known), { again: true })).toBe(again);
    expect(decide(last(known), { resend: 'X', again: false })).toBe(resend);
  });
});
