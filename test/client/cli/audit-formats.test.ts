/** An audit as people get it: whole, and harmless whatever stands in it. */
import { describe, expect, test } from 'vitest';
import type { Audit, AuditedSend } from '../../../client/history/audit.js';
import { entryOf, type AuditEntry } from '../../../client/history/entries.js';
import { linesOf } from '../../../client/cli/bill-run-file.js';
import { formatted } from '../../../client/cli/audit-formats.js';

const at = '2026-03-02T12:00:00.000Z';

function entry(entry: Partial<AuditEntry>): AuditEntry {
  const where = { at, workflowId: 'email-bill-run/BR-1', runId: 'run-1', eventId: 1 };
  return { ...entryOf(where, { event: 'signal', text: 'signal hold' }), ...entry };
}

const attempt = {
  idempotencyKey: 'bill-run-email/8ad0/first/1',
  trackId: 'bre-1',
  startedAt: at,
  durationMs: 20,
  httpStatus: 200,
  zuoraRequestId: 'z-1',
  verdict: 'accepted',
  stored: true,
  reasons: [],
} as const;
const silent = { ...attempt, httpStatus: null, zuoraRequestId: null, verdict: 'unknown', stored: false } as const;
const send: AuditedSend = {
  ...{ resend: false, name: 'first send', requestedBy: ['nightly-billing'], requestIds: [] },
  ...{ outcome: 'accepted', attempts: [attempt] },
};

const head = {
  ...{ generatedAt: at, generatedBy: 'bill-run-emails:ann@ci', version: '1.0.0', namespace: 'billing' },
  ...{ retentionDays: 90, status: 'RUNNING', state: 'Delivering (notSent)', since: at },
};

function audit(parts: Partial<Audit> = {}): Audit {
  const nothing = { answer: 'Emailed once: first send.', head, aliases: [], incomplete: [], sends: [], entries: [] };
  return { workflowId: 'email-bill-run/BR-1', runIds: ['run-1'], ...nothing, ...parts };
}

const FULL = audit({
  runIds: ['run-1', 'run-2'],
  aliases: ['by-id', 'by-id-again'],
  incomplete: ['run run-1 continues run run-0', 'another gap'],
  entries: [
    entry({ event: 'started', identity: 'p@ci', requestedBy: 'ann', text: 'started' }),
    entry({ event: 'state', text: 'Sending', eventId: 2 }),
    entry({ requestedBy: 'bob', eventId: 3 }),
    entry({ event: 'paused', text: 'job paused in Temporal', eventId: 4 }),
  ],
  sends: [
    send,
    {
      ...{ resend: true, name: 'resend T-1, T-2', requestedBy: [] },
      requestIds: ['T-1', 'T-2'],
      outcome: 'unknown',
      attempts: [
        {
          ...silent,
          reasons: [
            { code: 'A', message: 'a' },
            { code: 'B', message: 'b' },
          ],
        },
        { ...silent, verdict: 'refused', httpStatus: 400 },
      ],
    },
  ],
});

describe('A table', () => {
  test('shows who did what, and then each send with its attempts', () => {
    const [before = ''] = formatted(FULL, 'table').split('\n\nWords:\n');
    expect(before.split('\n')).toEqual([
      'email-bill-run/BR-1',
      'Emailed once: first send.',
      '',
      `Job        Delivering (notSent) since ${at}, RUNNING in Temporal, 2 runs`,
      `Made       ${at} by bill-run-emails:ann@ci, bill-run-emails 1.0.0`,
      'Namespace  billing; closed jobs are kept for 90 days',
      'Times      UTC',
      'Incomplete: run run-1 continues run run-0.',
      'Incomplete: another gap.',
      '',
      `${at}  started  started  [p@ci, requestedBy says ann]`,
      `${at}  state    Sending`,
      `${at}  signal   signal hold  [no identity recorded, requestedBy says bob]`,
      `${at}  paused   job paused in Temporal  [no identity recorded]`,
      '',
      'Sends:',
      'first send                  accepted                 for nightly-billing',
      `  ${at}  accepted (stored reply)  HTTP 200, key bill-run-email/8ad0/first/1, Zuora request z-1`,
      'resend T-1, T-2             unknown',
      `  ${at}  unknown                  no answer, key bill-run-email/8ad0/first/1`,
      `  ${at}  refused                  HTTP 400, key bill-run-email/8ad0/first/1`,
    ]);
  });

  test('names all for whom a send was made', () => {
    const sends = [{ ...send, requestedBy: ['ann', 'bob'] }];
    expect(formatted(audit({ sends }), 'table')).toMatch(/\nfirst send +accepted +for ann, bob\n/);
  });

  test('shows no Markdown of a job, and an order as it was written', () => {
    const text = 'On hold, by `alice`.';
    const entries = [entry({ event: 'closed', text }), entry({ text: 'signal hold with {"reason":"`x`"}' })];
    const table = formatted(audit({ entries }), 'table');
    expect(table).toContain('On hold, by "alice".\n');
    expect(table).toContain('with {"reason":"`x`"}  [');
    expect(formatted(audit({ entries }), 'csv')).toContain(text);
  });

  test('says when no attempt was made', () => {
    const unknown = { retentionDays: null, state: null, since: null };
    const text = formatted(audit({ head: { ...head, ...unknown } }), 'table');
    expect(text).toContain('\n\nNo attempt to email was made.\n');
    expect(text).toContain('\nJob        no state, RUNNING in Temporal, 1 run\n');
    expect(text).toContain('it is not known how long closed jobs are kept');
  });

  test.each(['started', 'signal', 'update', 'cancelRequested', 'paused', 'resumed'] as const)(
    'names a missing identity where a person acts: %s',
    (event) => {
      expect(formatted(audit({ entries: [entry({ event })] }), 'table')).toContain(
        'signal hold  [no identity recorded]',
      );
    },
  );

  test.each(['continued', 'reset', 'closed', 'status', 'state', 'attempt', 'attemptEnded', 'handover'] as const)(
    'names no missing identity where the job itself acts, but a recorded one: %s',
    (event) => {
      expect(formatted(audit({ entries: [entry({ event })] }), 'table')).not.toContain('[');
      const entries = [entry({ event, identity: 'w@host' })];
      expect(formatted(audit({ entries }), 'table')).toContain('signal hold  [w@host]');
    },
  );
});

describe('A spreadsheet', () => {
  const cells = (text: string): string | undefined =>
    formatted(audit({ entries: [entry({ text })] }), 'csv')
      .split('\r\n')
      .slice(1)
      .join('\r\n')
      .split(`${at},signal,`)[1];
  const rest = `${','.repeat(10)}email-bill-run/BR-1,run-1,1`;

  test('has a line for each entry', () => {
    expect(formatted(FULL, 'csv').split('\r\n')).toEqual([
      // With the mark by which spreadsheets know the encoding.
      '\uFEFFat,event,text,identity,requestedBy,requestId,reason,resend,verdict,httpStatus,zuoraRequestId,idempotencyKey,workflowId,runId,eventId',
      `${at},started,started,p@ci,ann,,,,,,,,email-bill-run/BR-1,run-1,1`,
      `${at},state,Sending,,,,,,,,,,email-bill-run/BR-1,run-1,2`,
      `${at},signal,signal hold,,bob,,,,,,,,email-bill-run/BR-1,run-1,3`,
      `${at},paused,job paused in Temporal,,,,,,,,,,email-bill-run/BR-1,run-1,4`,
    ]);
  });

  test.each([
    ...['=1+1', '+1', '-1', '@now', '\tx', '＝1+1', '＋1', '－1', '＠now', '﹦1', '﹢1', '﹣1', '﹫now'],
    ...[' =1+1', '\u3000=1', '\u00a0＝1', '\t=1', '\x1b=1', '\0+1', '\u200b-1', '\ufeff@now', '\u2028=1', '\u202e＠x'],
  ])('does not let a spreadsheet run text as a formula: %j', (text) => {
    expect(cells(text)).toBe(`'${text}${rest}`);
  });

  test.each(['1=1', 'a-b', 'x@y', 'a =1', '€ -1', 'Gebühr', '─', ''])('leaves text as it is: %s', (text) => {
    expect(cells(text)).toBe(`${text}${rest}`);
  });

  test.each([
    ['a,b', '"a,b"'],
    ['a "b" "c"', '"a ""b"" ""c"""'],
    ['a\nb', '"a\nb"'],
    ['a\rb', '"a\rb"'],
    ['\rb', '"\'\rb"'],
    ['\n=1+1', '"\'\n=1+1"'],
    [' =HYPERLINK("x")', '"\' =HYPERLINK(""x"")"'],
  ])('keeps in one cell a text that would end it: %j', (text, cell) => {
    expect(cells(text)).toBe(`${cell}${rest}`);
  });

  test('is read back by `start --file` past the mark, which names the columns that it lacks', () => {
    expect(() => linesOf(formatted(FULL, 'csv'))).toThrow('the columns are: "at","event","text"');
  });
});
