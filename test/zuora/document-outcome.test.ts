/** Each row of the table from evidence to outcome, and which row counts where several match. */
import { describe, expect, test } from 'vitest';
import { documentOutcome, type DocumentEvidence, type HistoryRow } from '../../zuora/document-outcome.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SINCE = Date.parse('2026-11-28T12:00:00Z');

const bare: DocumentEvidence = {
  kind: 'invoice',
  status: 'Posted',
  amount: 10,
  resend: false,
  since: SINCE,
  from: SINCE,
  now: SINCE + 2 * HOUR,
  lastEmailed: null,
  lastEmailedBefore: undefined,
  missing: false,
  rowBefore: undefined,
  rows: [],
  history: 'read',
  pdf: null,
  notificationActive: true,
  notificationInactiveSince: null,
  notificationWaitMs: 15 * MINUTE,
  profileMuted: false,
  emailPreference: true,
  leavesOutZero: false,
  noAddressSince: null,
  droppedBefore: null,
  failedReads: [],
};

const iso = (at: number) => new Date(at).toISOString();
const local = (at: number) => iso(at).slice(0, 19);
const row = (result: string, at: string | null, message: string | null = null): HistoryRow => ({ result, at, message });
const ok = row('OK', iso(SINCE + HOUR));
const failed = row('Failed', iso(SINCE + HOUR), 'unknown SMTP host');
const oldOk = row('OK', iso(SINCE - HOUR));
const inactive = { notificationActive: false, notificationInactiveSince: SINCE + 5 * MINUTE };
const pdf = (status: string, message: string | null = null, errorBefore = true) => ({ status, message, errorBefore });
const day = { now: SINCE + 24 * HOUR };

type Row = readonly [
  what: string,
  evidence: Partial<DocumentEvidence>,
  outcome: string,
  reason?: string | null | RegExp,
];

function rows(name: string, table: readonly Row[]): void {
  test.each(table.map((each) => ({ what: each[0], each })))(`${name}: $what`, ({ each }) => {
    const [, evidence, outcome, reason] = each;
    const found = documentOutcome({ ...bare, ...evidence });
    expect(found.outcome, found.reason ?? '').toBe(outcome);
    if (reason instanceof RegExp) expect(found.reason).toMatch(reason);
    else if (reason !== undefined) expect(found.reason).toBe(reason);
  });
}

describe('from evidence to outcome', () => {
  rows('1 not posted', [
    ['a draft', { status: 'Draft' }, 'notSent', 'not posted: its status is Draft'],
    ['canceled', { status: 'Canceled' }, 'notSent', /^not posted: /],
    ['a credit memo in error', { status: 'Error', kind: 'creditMemo', history: 'denied' }, 'notSent', /^not posted: /],
    ['for a resend, emailed only before', { status: 'Draft', resend: true, lastEmailed: iso(SINCE - HOUR) }, 'notSent'],
    ['for a resend, emailed by it', { status: 'Draft', resend: true, lastEmailed: iso(SINCE + 1) }, 'sent'],
    ['for a first send, emailed before', { status: 'Draft', lastEmailed: iso(SINCE - HOUR) }, 'sent'],
    ['for a resend, by the history only before', { status: 'Draft', resend: true, rows: [oldOk] }, 'notSent'],
    ['for a resend, by the history', { status: 'Draft', resend: true, rows: [oldOk, ok] }, 'sent'],
    ['for a first send, by the history before', { status: 'Draft', rows: [oldOk] }, 'sent'],
    ['emailed, and unposted since', { status: 'Draft', lastEmailed: iso(SINCE + 1) }, 'sent'],
    ['emailed by the history, and unposted since', { status: 'Draft', rows: [ok] }, 'sent'],
    ['a time that cannot be read is not absent', { status: 'Draft', lastEmailed: 'today' }, 'unknown'],
    ['the status is not known', { status: null }, 'waiting'],
  ]);

  rows('2 a time that cannot be read', [
    ['words', { lastEmailed: 'yesterday' }, 'unknown', "Zuora's time of its last email cannot be read: yesterday"],
    ['another locale', { lastEmailed: '11/28/2026 12:00 PM' }, 'unknown'],
    ['a month that does not exist', { lastEmailed: '2026-13-01T00:00:00Z' }, 'unknown'],
    ['an object', { lastEmailed: '{}' }, 'unknown'],
    ['even with an email in the history', { lastEmailed: 'x', rows: [ok] }, 'unknown'],
    ['even after a day', { lastEmailed: 'x', ...day }, 'unknown'],
    ['even with a failure in the history', { lastEmailed: 'x', rows: [failed] }, 'unknown', /cannot be read: x$/],
  ]);

  rows('3 an email in the history', [
    ['a credit memo', { kind: 'creditMemo', rows: [ok] }, 'sent', null],
    ['in small letters', { rows: [row('ok', iso(SINCE))] }, 'sent', null],
    ['between blanks', { rows: [row(' OK ', iso(SINCE))] }, 'sent', null],
    ['beside one that failed later', { rows: [ok, { ...failed, at: iso(SINCE + 2 * HOUR) }] }, 'sent', null],
    ['a first send: any', { rows: [row('OK', iso(SINCE - 100 * HOUR))] }, 'sent', null],
    ['a resend: since the send', { resend: true, rows: [row('OK', iso(SINCE))] }, 'sent', null],
    ['a resend: not one from before', { resend: true, rows: [row('OK', iso(SINCE - 1))] }, 'waiting', null],
    [
      'a resend: without a zone, later than the last one before',
      { resend: true, lastEmailedBefore: local(SINCE - HOUR), rows: [row('OK', local(SINCE - HOUR + 1000))] },
      'sent',
    ],
    [
      'a resend: without a zone, the last one before',
      { resend: true, lastEmailedBefore: local(SINCE - HOUR), rows: [row('OK', local(SINCE - HOUR))] },
      'waiting',
    ],
  ]);

  rows('4 a failed email', [
    ["Zuora's words", { rows: [failed] }, 'notSent', 'failed: unknown SMTP host'],
    ['no words', { rows: [row('failed', iso(SINCE))] }, 'notSent', 'failed: Zuora does not say why'],
    ['although the date looks sent', { rows: [failed], lastEmailed: iso(SINCE + HOUR) }, 'notSent', /^failed: /],
    ['although a setting leaves it out', { rows: [failed], profileMuted: true }, 'notSent'],
    ['after a warning', { rows: [row('Warning', iso(SINCE)), failed] }, 'notSent', /^failed: /],
    ['after a warning, the newest first', { rows: [failed, row('Warning', iso(SINCE))] }, 'notSent', /^failed: /],
    ['of two at one time, the first counts', { rows: [failed, { ...failed, result: 'Warning' }] }, 'notSent'],
    ['a first send: near its beginning, without a zone', { rows: [row('Failed', local(SINCE - HOUR))] }, 'notSent'],
    ['not one from before', { rows: [row('Failed', iso(SINCE - 1))] }, 'waiting'],
    [
      'not one from before, of a document never emailed',
      { rows: [row('Failed', iso(SINCE - 1))], lastEmailedBefore: null },
      'waiting',
    ],
    [
      'a resend: perhaps from before',
      { resend: true, rows: [row('Failed', local(SINCE), 'no')] },
      'unknown',
      /may be of an earlier send: Failed: no$/,
    ],
  ]);

  rows('5 another result', [
    [
      'a warning',
      { rows: [row('Warning', iso(SINCE + 1), 'slow')] },
      'unknown',
      "Zuora's email history says Warning: slow",
    ],
    ['an unknown word', { rows: [row('Queued', iso(SINCE + 1))] }, 'unknown', /says Queued$/],
    ['nothing', { rows: [row('', iso(SINCE + 1))] }, 'unknown', /says no result$/],
    ['after a failure', { rows: [failed, row('Warning', iso(SINCE + 2 * HOUR))] }, 'unknown', /says Warning$/],
    ['at no time', { rows: [row('Failed', null, 'no')] }, 'unknown', /may be of an earlier send: Failed: no$/],
    ['at no time, after others', { rows: [failed, row('Failed', '?', 'no')] }, 'unknown', /earlier send: Failed: no$/],
  ]);

  rows('6 a date', [
    ['a first send: any', { lastEmailed: '2020-01-01T00:00:00+02:00' }, 'sent', null],
    ['a first send: without a zone', { lastEmailed: '2020-01-01 00:00:00' }, 'sent', null],
    ['a resend: since the send', { resend: true, lastEmailed: iso(SINCE) }, 'sent', null],
    ['a resend: in another zone', { resend: true, lastEmailed: '2026-11-28T21:00:00+09:00' }, 'sent', null],
    ['a resend: not one from before', { resend: true, lastEmailed: '2026-11-28T20:59:59+0900' }, 'waiting'],
    [
      'a resend: later than before',
      { resend: true, lastEmailed: iso(SINCE - 1), lastEmailedBefore: iso(SINCE - 2) },
      'sent',
    ],
    [
      'a resend: the one before',
      { resend: true, lastEmailed: iso(SINCE - 1), lastEmailedBefore: iso(SINCE - 1) },
      'waiting',
    ],
    ['a resend: none before', { resend: true, lastEmailed: local(SINCE), lastEmailedBefore: null }, 'sent'],
    [
      'a resend: none before, and its time is earlier',
      { resend: true, lastEmailed: iso(SINCE - 1), lastEmailedBefore: null },
      'sent',
    ],
    [
      'a resend: none before, and a failure later than it',
      {
        resend: true,
        lastEmailed: local(SINCE),
        lastEmailedBefore: null,
        rowBefore: row('Failed', local(SINCE + HOUR)),
      },
      'sent',
    ],
    [
      'a resend: none before, by the history',
      { resend: true, rows: [row('OK', local(SINCE))], lastEmailedBefore: null },
      'sent',
    ],
    [
      'a resend: none before, by the history 14 h before',
      { resend: true, rows: [row('OK', local(SINCE - 14 * HOUR))], lastEmailedBefore: null },
      'sent',
    ],
    [
      'an inactive notification',
      { lastEmailed: iso(SINCE), notificationActive: false },
      'unknown',
      /its notification is inactive/,
    ],
    [
      'a muted profile',
      { lastEmailed: iso(SINCE), profileMuted: true },
      'unknown',
      /its communication profile is muted/,
    ],
    [
      'an inactive notification, and an email in the history',
      { lastEmailed: iso(SINCE), ...inactive, rows: [ok] },
      'sent',
      null,
    ],
  ]);

  rows('7 a date without a zone, for a resend', [
    ['at the send', { resend: true, lastEmailed: local(SINCE) }, 'unknown', /has no zone/],
    ['14 h before', { resend: true, lastEmailed: local(SINCE - 14 * HOUR) }, 'unknown'],
    ['more than 14 h before', { resend: true, lastEmailed: local(SINCE - 14 * HOUR - 1000) }, 'waiting'],
    ['14 h after', { resend: true, lastEmailed: local(SINCE + 14 * HOUR) }, 'sent'],
    ['a day, which may reach into the send', { resend: true, lastEmailed: '2026-11-28' }, 'unknown'],
    ['only in the history', { resend: true, rows: [row('OK', local(SINCE))] }, 'unknown', /has no zone/],
    ['only in the history, at no time', { resend: true, rows: [row('OK', '?')] }, 'unknown', /cannot be read/],
  ]);

  rows('8 left out on purpose', [
    ['a total of zero', { amount: 0, leavesOutZero: true }, 'leftOut', /noEmailForZeroAmountInvoice$/],
    ['a total of zero, as a text', { amount: '0.00', leavesOutZero: true, ...day }, 'leftOut'],
    ['a total of zero, emailed all the same', { amount: 0, leavesOutZero: true, lastEmailed: iso(SINCE) }, 'sent'],
    ['a total of zero, without the flag', { amount: 0 }, 'waiting'],
    ['a total that is not zero', { leavesOutZero: true }, 'waiting'],
    ['a total of zero, and the flag is not known', { amount: 0, leavesOutZero: null }, 'waiting'],
    ['a credit memo of zero', { kind: 'creditMemo', amount: 0, leavesOutZero: true }, 'waiting'],
    ['no total', { amount: null, leavesOutZero: true }, 'waiting'],
    ['a blank total', { amount: ' ', leavesOutZero: true }, 'waiting'],
    ['a muted profile', { profileMuted: true, ...day }, 'leftOut', 'its communication profile is muted'],
    ['no Email preference', { emailPreference: false, ...day }, 'leftOut', /delivery preference Email$/],
    ['a credit memo without Email preference', { kind: 'creditMemo', emailPreference: false }, 'leftOut'],
    ['settings that are not known', { profileMuted: null, emailPreference: null }, 'waiting'],
  ]);

  rows('9 no active notification', [
    [
      'for three intervals',
      { ...inactive, now: SINCE + 20 * MINUTE },
      'notSent',
      /^notification inactive: Manual Email For Invoice/,
    ],
    ['of a credit memo', { ...inactive, kind: 'creditMemo' }, 'notSent', /^notification inactive: Email Credit Memo/],
    ['for less', { ...inactive, now: SINCE + 20 * MINUTE - 1 }, 'waiting'],
    ['one was active', { notificationActive: false }, 'waiting'],
    ['active now', { ...inactive, notificationActive: true }, 'waiting'],
    ['not known now', { ...inactive, notificationActive: null }, 'waiting'],
  ]);

  rows('10 a PDF in error', [
    ['twice', { pdf: pdf('Error', 'Unknown merge field') }, 'notSent', 'PDF error: Unknown merge field'],
    [
      'twice, without words',
      { pdf: pdf('ERROR'), kind: 'creditMemo', history: 'denied' },
      'notSent',
      /does not say why$/,
    ],
    ['once', { pdf: pdf('Error', 'x', false) }, 'waiting'],
    ['not now', { pdf: pdf('Generated') }, 'waiting', null],
  ]);

  rows('11 no address', [
    ['for an hour', { noAddressSince: SINCE + HOUR }, 'notSent', /^no address: /],
    ['for less', { noAddressSince: SINCE + HOUR + 1 }, 'waiting'],
    ['of a credit memo not reached', { kind: 'creditMemo', history: 'notReached', noAddressSince: SINCE }, 'notSent'],
  ]);

  rows('a date that an email which failed may have set', [
    ...(['no later', 'with a second more'] as const).map((what): Row => {
      const failure = iso(SINCE - HOUR);
      const date = what === 'no later' ? failure : iso(SINCE - HOUR + 1000);
      const evidence = { lastEmailed: date, rows: [row('Failed', failure)] };
      return [what, evidence, what === 'no later' ? 'waiting' : 'sent'];
    }),
    ['after a day', { ...day, lastEmailed: iso(SINCE - HOUR), rows: [row('Failed', iso(SINCE - HOUR))] }, 'notSent'],
    ['known from before', { lastEmailed: oldOk.at, rowBefore: row('Failed', oldOk.at) }, 'waiting'],
    ['at no time', { lastEmailed: oldOk.at, rows: [row('Failed', null)] }, 'unknown'],
  ]);

  const before = row('Failed', local(SINCE - MINUTE), 'unknown SMTP host');
  const missing = { missing: true, rows: [before] };
  const older = row('Failed', local(SINCE - 20 * HOUR));
  /** Without a zone, it may mean the beginning of the send. */
  const limit = local(SINCE - 14 * HOUR);
  rows('a failure a moment before a send for what was missed', [
    ['is known from the check before', { ...missing, rowBefore: before }, 'waiting'],
    ['is not known', missing, 'unknown'],
    ['would be of a first send, which waited', { rows: [before] }, 'notSent'],
    ['with one after it', { ...missing, rowBefore: row('Failed', local(SINCE - 2 * MINUTE)) }, 'notSent'],
    ['after one whose time cannot be read', { ...missing, rowBefore: row('Failed', 'today') }, 'waiting'],
    ['of a document without any before', { ...missing, rowBefore: null }, 'notSent'],
    ['surely before the send', { ...missing, rows: [{ ...before, at: oldOk.at }], rowBefore: older }, 'waiting'],
    ['just not surely before', { ...missing, rows: [{ ...before, at: limit }], rowBefore: older }, 'notSent'],
    ['and an email after it', { ...missing, rowBefore: before, rows: [before, row('OK', local(SINCE))] }, 'sent'],
  ]);

  rows('the cause of an earlier check', [
    ['is gone', { droppedBefore: 'notification inactive' }, 'notSent', 'notification inactive'],
    ['is gone, and an email was sent', { droppedBefore: 'notification inactive', rows: [ok] }, 'sent'],
    [
      'is gone, and the history cannot be read',
      { droppedBefore: 'notification inactive', kind: 'creditMemo', history: 'denied' },
      'notSent',
    ],
  ]);

  rows('12 a credit memo without its history', [
    ['too many documents', { kind: 'creditMemo', history: 'notReached' }, 'unknown', /not looked at in this check/],
    [
      'no permission',
      { kind: 'creditMemo', history: 'denied', ...day },
      'unknown',
      /Events & Notifications View Access/,
    ],
    ['a read that failed', { kind: 'creditMemo', history: 'failed' }, 'waiting'],
    ['an invoice', { history: 'notReached' }, 'waiting'],
    ['no permission, on the first day', { kind: 'creditMemo', history: 'denied' }, 'unknown', /Events & Notif/],
    ['an invoice, without permission', { history: 'denied' }, 'waiting'],
  ]);

  rows('13 less than a day', [
    ['nothing known', { now: SINCE }, 'waiting', null],
    ['a PDF in work', { pdf: pdf('Processing') }, 'waiting', 'its PDF is not ready: Processing'],
    ['a PDF that waits', { pdf: pdf('Pending') }, 'waiting', 'its PDF is not ready: Pending'],
    ['a day after the send began, and less after the last emails of others', { ...day, from: SINCE + HOUR }, 'waiting'],
    ['almost a day, and reads that failed', { now: SINCE + 24 * HOUR - 1, failedReads: ['PDF status'] }, 'waiting'],
    ['a clock before the send', { now: SINCE - HOUR }, 'waiting'],
  ]);

  rows('14 a day', [
    ['an invoice', day, 'notSent', 'no email within 24 h'],
    ['a credit memo', { ...day, kind: 'creditMemo' }, 'notSent', 'no email within 24 h'],
    ['a PDF still in work', { ...day, pdf: pdf('Pending') }, 'notSent'],
  ]);

  rows('15 a day, and not all was read', [
    ['the PDF', { ...day, failedReads: ['PDF status'] }, 'unknown', /not all could be read: PDF status$/],
    ['the history', { ...day, history: 'failed' }, 'unknown', /its email history$/],
    ['no permission', { ...day, history: 'denied' }, 'unknown', /Events & Notifications View Access/],
    ['too many documents', { ...day, history: 'notReached' }, 'unknown', /too many documents$/],
    ['both', { ...day, history: 'failed', failedReads: ['PDF status'] }, 'unknown', /: its email history; PDF status$/],
  ]);

  test.each<readonly [Partial<DocumentEvidence>, string, string]>([
    [{ status: 'Draft' }, 'notSent', 'document'],
    [{ lastEmailed: 'x' }, 'unknown', 'document'],
    [{ rows: [ok] }, 'sent', 'emailHistory'],
    [{ rows: [failed] }, 'notSent', 'emailHistory'],
    [{ rows: [row('Failed', null)] }, 'unknown', 'emailHistory'],
    [{ rows: [row('Warning', iso(SINCE))] }, 'unknown', 'emailHistory'],
    [{ lastEmailed: iso(SINCE) }, 'sent', 'document'],
    [{ lastEmailed: iso(SINCE), profileMuted: true }, 'unknown', 'settings'],
    [{ resend: true, lastEmailed: local(SINCE) }, 'unknown', 'document'],
    [{ resend: true, rows: [row('OK', local(SINCE))] }, 'unknown', 'emailHistory'],
    [{ amount: 0, leavesOutZero: true }, 'leftOut', 'settings'],
    [{ profileMuted: true }, 'leftOut', 'settings'],
    [{ emailPreference: false }, 'leftOut', 'settings'],
    [inactive, 'notSent', 'settings'],
    [{ pdf: pdf('Error') }, 'notSent', 'pdfStatus'],
    [{ noAddressSince: SINCE }, 'notSent', 'contact'],
    [{ droppedBefore: 'muted' }, 'notSent', 'settings'],
    [{ kind: 'creditMemo', history: 'denied' }, 'unknown', 'emailHistory'],
    [{ kind: 'creditMemo', history: 'notReached' }, 'unknown', 'emailHistory'],
    [{ pdf: pdf('Pending') }, 'waiting', 'pdfStatus'],
    [{}, 'waiting', 'time'],
    [day, 'notSent', 'time'],
    [{ ...day, failedReads: ['PDF status'] }, 'unknown', 'time'],
  ])('the result names what decided: %j', (evidence, outcome, source) => {
    expect(documentOutcome({ ...bare, ...evidence })).toMatchObject({ outcome, source });
  });

  test.each([
    ['no mailbox jane@example.com', 'failed: no mailbox [address]'],
    ['cannot send to "Jane Doe" <jane@example.com>', 'failed: cannot send to [address]'],
    ['cannot send to Jane van-Doe <jane@example.com>, give up', 'failed: cannot send to [address]'],
    ['cannot send to Jos\u00e9 O\u2019Neil <j%40example.com>', undefined],
    ['a\nb\u0000c', 'failed: a b c'],
  ])('a reason has no address and no name beside one: %j', (message, reason) => {
    const found = documentOutcome({ ...bare, rows: [{ ...failed, message }] });
    expect(found.reason).not.toMatch(/@|example\.com|%40/);
    if (reason !== undefined) expect(found.reason).toContain(reason);
  });

  test('a reason is one line of bounded length', () => {
    const found = documentOutcome({ ...bare, rows: [{ ...failed, message: 'x\n'.repeat(5000) }] });
    expect(found.reason?.length).toBeLessThanOrEqual(161);
    expect(found.reason).not.toContain('\n');
  });
});
