/** What `status` shows of documents. */
import { expect, test } from 'vitest';
import { sends, status, statusLine, type StatusAndSends } from '../../../client/cli/tables.js';
import type { FollowedDocument, JobDocuments } from '../../../client/index.js';

const document = (number: string, outcome: FollowedDocument['outcome'], reason: string | null): FollowedDocument => ({
  ...{ number, kind: 'invoice', outcome, reason },
});

const documents: JobDocuments = {
  ...{ checkedAt: '2026-03-02T12:00:00.000Z', complete: true },
  ...{ total: 100, sent: 60, waiting: 1, notSent: 30, leftOut: 5, unknown: 4 },
  list: [
    document('INV00000001', 'notSent', 'no address'),
    document('INV00000002', 'leftOut', 'the profile is muted'),
    document('CM00000003', 'unknown', 'the permission is missing'),
    document('INV00000004', 'waiting', null),
  ],
};

const known: StatusAndSends = {
  ...{ workflowId: 'email-bill-run/BR-1', state: 'Delivering', reason: 'notSent', since: null, until: null },
  ...{ text: 'Some documents were not sent.', question: null, billRunNumber: 'BR-1', billRunId: null },
  ...{ billRunStatus: 'Posted', documents, documentsNotSent: 30, sends: 1, pendingRequests: [] },
  ...{ ignored: { count: 0, last: [] }, closedAt: null, sendRecords: [] },
};

const COUNTS = '60 of 100 sent, 30 not sent, 4 unknown, 1 waiting, 5 left out; as of 2026-03-02T12:00:00.000Z';

test('status counts documents by outcome, lists those that a person may look after, and offers retry first', () => {
  const lines = status(known).split('\n');
  expect(lines).toContain(`documents     ${COUNTS}`);
  const title = lines.indexOf('Documents that were not sent, or cannot be seen:');
  expect(lines.slice(title, title + 5)).toEqual([
    'Documents that were not sent, or cannot be seen:',
    '  INV00000001   not sent  no address',
    '  CM00000003    unknown   the permission is missing',
    '  and 32 more: bill-run-emails documents BR-1',
    '',
  ]);
  const offer = lines.findIndex((line) => line.startsWith('send the rest bill-run-emails retry BR-1 '));
  expect(lines[offer + 1]).toContain('Fix the cause first. It emails only what was not sent');
  expect(statusLine(known)).toContain(` Documents: ${COUNTS}.`);
});

test('status answers a question with the safest first, and nothing of a closed job', () => {
  const question = {
    ordinal: 2,
    kind: 'unknown',
    text: 'Was it sent?',
    needsSendAnyway: true,
    safeUntil: null,
  } as const;
  const asking: StatusAndSends = {
    ...known,
    state: 'NeedsAttention',
    reason: 'unknown',
    question,
    documentsNotSent: 0,
  };
  const answersIn = (job: StatusAndSends): readonly string[] =>
    status(job)
      .split('\n')
      .filter((line) => /^(answer with|look first|if )/.test(line))
      .map((line) => line.replace(/ +/g, ' ').replace(/ --requested-by.*/, ''));
  const risky = ['look first bill-run-emails documents BR-1', 'if emailed bill-run-emails finish BR-1'];
  expect(answersIn(asking)).toEqual([...risky, 'if not bill-run-emails retry BR-1 --ordinal 2 --send-anyway']);
  const protectedByKey = { ...question, needsSendAnyway: false };
  expect(answersIn({ ...asking, question: protectedByKey })).toEqual([
    ...['answer with bill-run-emails retry BR-1 --ordinal 2', 'if emailed bill-run-emails finish BR-1'],
  ]);
  expect(answersIn({ ...asking, question: { ...protectedByKey, kind: 'refused' } })).toHaveLength(1);
  expect(answersIn({ ...asking, closedAt: '2026-03-02T12:00:00.000Z' })).toEqual([]);
});

test('status shows no Markdown', () => {
  const text = 'Zuora refuses: HTTP 400, `50000030: no permission`. On hold, by `alice`.';
  const question = { ordinal: 1, kind: 'refused', text, needsSendAnyway: false, safeUntil: null } as const;
  const plain = 'Zuora refuses: HTTP 400, "50000030: no permission". On hold, by "alice".';
  const asking: StatusAndSends = { ...known, text, question: { ...question, text: `${text} Again.` } };
  // The question begins with the text of the state, so that is not said twice.
  expect(status(asking)).not.toMatch(/^now/m);
  expect(status(asking)).toContain(`\n              ${plain} Again.`);
  expect(status({ ...asking, question: null })).toMatch(/^now +Zuora refuses: HTTP 400, "50000030/m);
  expect(statusLine({ ...asking, question: null })).toContain(plain);
  for (const output of [status(asking), statusLine(asking)]) expect(output).not.toContain('`');
});

test('status lists no document if all were sent, and none before the first check', () => {
  const all = { total: 2, sent: 2, waiting: 0, notSent: 0, leftOut: 0, unknown: 0, list: [], complete: false };
  const emailed: StatusAndSends = { ...known, documents: { ...documents, ...all }, documentsNotSent: 0 };
  expect(status(emailed)).toMatch(/^documents +2 of 2 sent, and Zuora did not list all; as of/m);
  const unchecked: StatusAndSends = { ...known, documents: null, documentsNotSent: null };
  for (const text of [status(emailed), status(unchecked)]) expect(text).not.toMatch(/were not sent, or|send the rest/);
  expect(status(unchecked)).not.toMatch(/^documents/m);
});

test('a send for what was not sent is named so, and an id that nobody chose is not shown', () => {
  const request = (requestId: string, more: object = {}) => ({ requestId, resend: false, requestedAt: '', ...more });
  const send = (ordinal: number, resend: boolean, ...requests: readonly ReturnType<typeof request>[]) => ({
    ...{ ordinal, resend, requests, outcome: 'accepted', attempts: [], decisions: [], settledAt: null, note: null },
  });
  const uuid = '01a22637-ceeb-4c1f-9e0b-0b3e6ec95df4';
  const records = [
    send(1, false, request(`${uuid}-0`, { requestedBy: 'pipeline' })),
    send(2, false, request(uuid, { missing: true, requestedBy: 'alice' })),
    send(3, true, request('TICKET-1', { resend: true })),
    // A pipeline may choose a UUID.
    send(4, true, request(uuid, { resend: true })),
  ];
  expect(sends(records as unknown as Parameters<typeof sends>[0]).split('\n')).toEqual([
    ...['send 1  first send  accepted', '  request   first send by pipeline'],
    ...['send 2  retry of what was not sent  accepted', '  request   retry of what was not sent by alice'],
    ...['send 3  resend  accepted', '  request   TICKET-1'],
    ...['send 4  resend  accepted', `  request   ${uuid}`],
  ]);
});
