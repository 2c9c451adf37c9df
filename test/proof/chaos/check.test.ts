/** The checker of a chaos run, with changed evidence: it finds each fault and names its rule. */
/* eslint-disable @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-assignment,
   @typescript-eslint/restrict-plus-operands -- doctoring evidence is writing what its types forbid */
import { expect, test } from 'vitest';
import type { AttemptReceipt } from '../../../workflows/contract/activities.js';
import { traced } from '../../../proof/chaos/traces.js';
import { judge } from '../../../proof/chaos/check.js';
import { forbiddenCalls } from '../../../proof/chaos/stops.js';
import type { BillRunEvidence, Evidence } from '../../../proof/chaos/evidence.js';
import type { Forbidden } from '../../../proof/history.js';
import type {
  Attempt,
  DocumentOutcome,
  FollowedDocument,
  JobDocuments,
  SendRecord,
} from '../../../workflows/contract/contract.js';

const NUMBER = 'BR-00000001';
const ID = '8ad0000000000000000000000000000a';
const FIRST = `bill-run-email/${ID}/first`;
const RESEND = `bill-run-email/${ID}/resend/TICKET-1`;
const DOCUMENTS = ['INV00000001', 'CM00000001'];
const HOUR = 3_600_000;

test('evidence of a clean life gives no violation, and counts what there was', () => {
  expect(judge(evidence())).toEqual({
    sendsIntended: 2,
    sendsAccepted: 2,
    duplicates: 0,
    lost: 0,
    unsettled: 0,
    superseded: 0,
    documentsCompared: { total: 2, sent: 2, waiting: 0, notSent: 0, leftOut: 0, unknown: 0 },
    violations: [],
  });
});

/** A change of the evidence, the rule that must be named, and part of the text. */
type Doctored = readonly [what: string, doctor: (evidence: Mutable) => unknown, rule: unknown, words: string];

const doctored: readonly Doctored[] = [
  ['an email before the post', ({ billRun }) => (billRun.emails[0].sentAt = time(-1)), 1, 'an email before the post'],
  ['a call before the post', ({ billRun }) => (billRun.calls[0].at = time(-1)), 1, 'a call before the post'],
  [
    'documents that were never posted',
    ({ billRun }) => (billRun.documents[0].postedAt = null),
    1,
    'an email before the post',
  ],
  [
    'an attempt by a run that had not seen the post',
    ({ run }) => (run.attempts[0].look.billRun.status = 'Completed'),
    1,
    'had not seen the post',
  ],
  ['an attempt that called twice', ({ billRun }) => billRun.calls.push(billRun.calls[0]), 2, 'more than one call'],
  [
    'a call that no history holds',
    ({ billRun }) => billRun.calls.push({ ...billRun.calls[0], trackId: 'of-nobody' }),
    2,
    'no history holds',
  ],
  [
    "an answer that Zuora's log does not hold",
    ({ billRun }) => billRun.calls.splice(1, 1),
    2,
    "Zuora's log does not hold",
  ],
  [
    'an answer of another status than Zuora gave',
    ({ run }) => (run.attempts[1].end.httpStatus = 202),
    2,
    "Zuora's log does not hold",
  ],
  ['a call that history says was not made', ({ run }) => (run.attempts[0].end = 'notTaken'), 2, 'was not made'],
  [
    'an email that no call asked for',
    ({ billRun }) => (billRun.emails[0].idempotencyKey = `${FIRST}/7`),
    2,
    'no call asked for',
  ],
  [
    'a document mailed twice for one intent',
    ({ billRun }) => billRun.emails.push(billRun.emails[0]),
    3,
    'mailed 2 times for one intent',
  ],
  [
    'a document mailed twice under two keys of one intent',
    ({ billRun }) => billRun.emails.push({ ...billRun.emails[0], idempotencyKey: `${FIRST}/2` }),
    3,
    'mailed 2 times for one intent',
  ],
  [
    'a document mailed under a key of no intent at all',
    ({ billRun }) => {
      for (const key of ['x/1', 'y/1']) billRun.emails.push({ ...billRun.emails[0], idempotencyKey: key });
    },
    3,
    'more often than requested',
  ],
  [
    'a new key after an unknown attempt, with no person',
    (all) => {
      underKey(all, 1, `${FIRST}/2`);
    },
    3,
    'after an unknown attempt, and nobody took the risk',
  ],
  [
    'a new key that no person asked for',
    (all) => {
      underKey(all, 1, `${FIRST}/2`);
    },
    3,
    'no person asked for',
  ],
  [
    'numbers that do not begin with 1',
    (all) => {
      underKey(all, 2, `${RESEND}/2`);
    },
    3,
    'do not begin with 1',
  ],
  [
    'a key that is not built from business ids',
    (all) => {
      underKey(all, 2, `bill-run-email/${ID}/resend/8e1f/1`);
    },
    3,
    'not built from business ids',
  ],
  [
    'a call under another key than history says',
    ({ billRun }) => (billRun.calls[2].idempotencyKey = `${RESEND}/2`),
    3,
    'under another key',
  ],
  [
    'a call of another kind than history says',
    ({ billRun }) => (billRun.calls[2].body = { resend: false }),
    3,
    'of another kind',
  ],
  [
    'a key used later than 23 h after its first use',
    ({ billRun, run }) => {
      billRun.calls[1].at = time(23.1 * HOUR);
      run.attempts[1].at = Date.parse(time(23.1 * HOUR));
    },
    4,
    'more than 23 h before',
  ],
  [
    'an attempt that may start later than that',
    ({ run }) => (run.attempts[1].input.notAfter += 24 * HOUR),
    4,
    'may start more than 23 h after',
  ],
  [
    'an attempt after the budget',
    ({ run }) => (run.attempts[1].at += 13 * HOUR),
    4,
    'an attempt after the budget ended',
  ],
  [
    'an accepted send whose documents were not mailed',
    ({ billRun }) => billRun.emails.splice(2, 2),
    5,
    'documents were not mailed',
  ],
  [
    'a send that is accepted by no attempt',
    ({ run }) => (run.sends[1].attempts[0].verdict = 'unknown'),
    5,
    'contradicts its attempts',
  ],
  [
    'a refused send that was mailed',
    ({ run }) => {
      run.sends[1].outcome = 'refused';
      run.sends[1].attempts[0].verdict = 'refused';
      run.open = false;
    },
    5,
    'refused, and documents were mailed',
  ],
  [
    'a send closed as unknown without a note',
    ({ run }) => {
      run.sends[1].outcome = 'unknown';
      run.sends[1].attempts[0].verdict = 'unknown';
    },
    5,
    'without a note',
  ],
  ['an attempt without a look', ({ run }) => (run.attempts[0].look = undefined), 6, 'no look before it'],
  ['a look that was old', ({ run }) => (run.attempts[0].look.at -= 10 * 60_000), 6, 'was not fresh'],
  [
    'a bill run that Zuora emails by itself',
    ({ run }) => (run.attempts[0].look.billRun.autoEmail = true),
    6,
    'Zuora emails by itself',
  ],
  [
    'a bill run that somebody else emailed',
    ({ run }) => (run.attempts[0].look.billRun.invoicesEmailed = true),
    6,
    'somebody else emailed the bill run',
  ],
  [
    'a bill run without documents',
    ({ run }) => Object.assign(run.attempts[0].look.billRun, { numberOfInvoices: 0, numberOfCreditMemos: 0 }),
    6,
    'nothing to email',
  ],
  [
    'a cool-down that was not over',
    ({ run }) => (run.attempts[0].look.billRun.lastEmailSentTime = time(-HOUR)),
    6,
    'the cool-down is not over',
  ],
  [
    'a cool-down after the post that was not over',
    ({ run }) => {
      const posted = { postedNotifications: ['Invoice Posted'], postedDate: time(-HOUR) };
      Object.assign(run.attempts[0].look.billRun, posted);
    },
    6,
    'the cool-down after the post is not over',
  ],
  [
    'an audit that misses a send',
    ({ audit }) => audit.sends.pop(),
    7,
    'the audit differs from history about an attempt',
  ],
  [
    'an audit with another answer',
    ({ audit }) => (audit.sends[0].attempts[1].zuoraRequestId = 'other'),
    7,
    'the audit differs from history about an attempt',
  ],
  [
    'an audit of more than happened',
    ({ audit }) => audit.sends[0].attempts.push({ ...audit.sends[0].attempts[0], trackId: 'made-up' }),
    7,
    'the audit has an attempt that history does not hold',
  ],
  ['an audit that misses a run', ({ audit }) => audit.entries.shift(), 7, 'the audit misses a run'],
  ['an audit without who asked', ({ audit }) => audit.entries.pop(), 7, 'does not say who asked'],
  ['a record that misses an attempt', ({ run }) => run.sends[0].attempts.shift(), 7, 'the record differs from history'],
  [
    'an accepted request that no send serves',
    ({ billRun }) => billRun.accepted.push({ ...billRun.accepted[1], requestId: 'TICKET-2' }),
    7,
    'is lost: no send serves it',
  ],
  [
    'a signal in history that no send serves',
    ({ run }) => run.resends.ids.push('TICKET-3'),
    7,
    'is lost: no send serves it',
  ],
  ['a signal without an id that no send serves', ({ run }) => (run.resends.unnamed = 1), 7, 'is lost: no send'],
  [
    'a send that stopped without an outcome',
    ({ run, billRun }) => {
      Object.assign(run.sends[1], { outcome: 'pending', settledAt: null });
      run.sends[1].attempts[0].verdict = 'notExecuted';
      billRun.emails.splice(2, 2);
    },
    7,
    'is lost: its send stopped without an outcome',
  ],
  [
    'a request that two sends serve',
    ({ run }) => run.sends[0].requests.push(run.sends[1].requests[0]),
    7,
    'served by two sends',
  ],
  [
    'a start whose documents were not mailed',
    ({ billRun, run, audit }) => {
      billRun.emails.splice(0);
      billRun.calls.splice(0);
      run.attempts.splice(0);
      run.sends.splice(0);
      audit.sends.splice(0);
      billRun.accepted.pop();
      run.resends.ids.splice(0);
    },
    7,
    'is lost: documents without an email',
  ],
  [
    'logins that go on although Zuora refuses them',
    (all) => {
      all.troubles.push({ kind: 'refuseLogins', from: 0, until: 12_000 });
      all.logins.push(...Array.from({ length: 13 }, (_, index) => index * 900));
    },
    'logins',
    '13 logins although Zuora refused them',
  ],
  [
    'an audit that does not name a history that cannot be decoded',
    ({ billRun }) => billRun.unreadable.push('run-9'),
    'evidence',
    'does not say that an earlier history cannot be decoded',
  ],
  ['an attempt of a held run', ({ run }) => (run.attempts[2].held = true), 'hold', 'held or closing'],
  [
    'a call long after a hold',
    ({ run }) => run.forbidden.push(order('hold', -1_500)),
    8,
    'left 2500 ms after an order that forbids it (hold)',
  ],
  [
    'a call while all jobs were on hold',
    (all) => all.holdsOnAll.push(order('hold on all', 30_000, 90_000)),
    8,
    'hold on all',
  ],
  ['a call of a terminated job', ({ run }) => run.forbidden.push(order('terminate', 20_000)), 8, 'terminate'],
  [
    'a start that opens what a person had closed',
    ({ billRun, run }) => {
      const closed = { ...run, runId: 'run-0', closedByPerson: true, sends: [], attempts: [] };
      billRun.runs.unshift(closed);
    },
    8,
    'although a person had closed',
  ],
  ['a workflow task that broke', ({ run }) => run.brokenTasks.push('event 7'), 'determinism', 'could not continue'],
  [
    'a document called sent without an email',
    ({ billRun }) => billRun.emails.pop(),
    9,
    'called sent, and the mailbox has no email',
  ],
  [
    'a document called sent that only an earlier send emailed',
    ({ billRun }) => (billRun.emails[3].idempotencyKey = `${FIRST}/1`),
    9,
    'called sent, and the mailbox has no email',
  ],
  ...(
    [
      ['notSent', 'called notSent, and the mailbox has an email'],
      ['waiting', 'called waiting, and the mailbox has an email'],
      ['leftOut', 'no setting leaves it out'],
    ] as const
  ).map(([outcome, words]): Doctored => [
    `a document called ${outcome} that was emailed`,
    ({ run }) => (run.status.documents = documents({ sent: 1, [outcome]: 1, list: [listed('CM00000001', outcome)] })),
    9,
    words,
  ]),
  ...(
    [
      ['notSent', 'never', 'no email of it failed'],
      ['waiting', 'failed', 'no email of it is to come'],
    ] as const
  ).map(([outcome, unsent, words]): Doctored => [
    `a document called ${outcome} whose email ${unsent === 'failed' ? 'failed' : 'never left'}`,
    ({ billRun, run }) => {
      billRun.emails.pop();
      billRun.documents[1].unsent = unsent;
      run.status.documents = documents({ sent: 1, [outcome]: 1, list: [listed('CM00000001', outcome)] });
    },
    9,
    words,
  ]),
  [
    'a document of a first send called unknown',
    ({ run }) => {
      run.sends.splice(1);
      run.status.documents = documents({ sent: 1, unknown: 1, list: [listed('CM00000001', 'unknown')] });
    },
    9,
    'and Zuora shows what became of it',
  ],
  ['a wrong total', ({ run }) => (run.status.documents = documents({ total: 3 })), 9, 'counts of documents'],
  ['too many sent', ({ run }) => (run.status.documents = documents({ sent: 3 })), 9, 'counts of documents'],
  ['a list that is not complete', ({ run }) => (run.status.documents = documents({ complete: false })), 9, 'counts of'],
  ['documents that nobody checked', ({ run }) => (run.status.documents = null), 9, 'no check of the documents'],
  ['no run at all', ({ billRun }) => billRun.runs.splice(0), 'evidence', 'no run'],
  ['no history', ({ run }) => (run.events = 0), 'evidence', 'no history'],
  ['a run that is still at work', ({ run }) => (run.atRest = false), 'evidence', 'did not come to rest'],
  ['emails of an unknown bill run', (all) => (all.emails += 1), 'evidence', 'that belong to no bill run'],
  [
    'no calls at all',
    (all) => {
      all.billRuns.splice(0);
      Object.assign(all, { emails: 0, calls: 0 });
    },
    'evidence',
    'that belong to no bill run',
  ],
];

test.each(doctored)('%s is found, and named by its rule', (_what, doctor, rule, words) => {
  const mutable = structuredClone(evidence()) as unknown as Mutable;
  const billRun = mutable.billRuns[0];
  doctor(Object.assign(mutable, { billRun, run: billRun.runs[0], audit: billRun.audit }));
  expect(judge(mutable as unknown as Evidence).violations).toContainEqual(
    expect.objectContaining({ rule, what: expect.stringContaining(words) as string }),
  );
});

function order(by: string, from: number, until: number | null = null) {
  return { by, from: Date.parse(time(from)), until: until === null ? null : Date.parse(time(until)) };
}

test.each<[string, { forbidden: Forbidden[]; delayedMs?: number }]>([
  ['came two seconds before the call', { forbidden: [order('hold', -500)] }],
  ['was lifted before the call', { forbidden: [order('hold', -9_000, 500)] }],
  ['came before a call that a slow connection brought later', { forbidden: [order('hold', -3_000)], delayedMs: 5_000 }],
])('an order that %s breaks no rule', (_what, { forbidden, delayedMs = 0 }) => {
  const all = evidence();
  const [billRun] = all.billRuns;
  const [run] = billRun?.runs ?? [];
  if (billRun === undefined || run === undefined) throw new Error('there is no run');
  // Only the first call is in question.
  const calls = billRun.calls.slice(0, 1);
  const delays = [{ from: Date.parse(time(-4_000)), until: Date.parse(time(-4_000 + delayedMs)) }];
  expect(forbiddenCalls({ calls, runs: [{ ...run, forbidden }] }, { holdsOnAll: [], delays })).toEqual([]);
});

test('duplicates and lost requests are counted, not only named', () => {
  const twice = structuredClone(evidence()) as unknown as Mutable;
  twice.billRuns[0].emails.push(twice.billRuns[0].emails[0], twice.billRuns[0].emails[0]);
  twice.billRuns[0].runs[0].resends.ids.push('TICKET-3');
  expect(judge({ ...twice, emails: 6 })).toMatchObject({
    duplicates: 2,
    lost: 1,
    sendsIntended: 3,
    sendsAccepted: 2,
  });
});

test('a send that waits for a person is unsettled, and neither lost nor a violation', () => {
  const waiting = structuredClone(evidence()) as unknown as Mutable;
  const [billRun] = waiting.billRuns;
  const [run] = billRun.runs;
  Object.assign(run.sends[1], { outcome: 'unknown', settledAt: null });
  Object.assign(run.sends[1].attempts[0], { verdict: 'unknown', httpStatus: null, zuoraRequestId: null });
  Object.assign(billRun.audit.sends[1].attempts[0], { verdict: 'unknown', httpStatus: null, zuoraRequestId: null });
  run.attempts[2].end = 'lost';
  Object.assign(run.status, { state: 'NeedsAttention', question: { ordinal: 2, kind: 'unknown' } });
  expect(judge(waiting as unknown as Evidence)).toMatchObject({ unsettled: 1, lost: 0, violations: [] });
});

test('a second email is right where a person took the risk', () => {
  const risked = structuredClone(evidence()) as unknown as Mutable;
  const [billRun] = risked.billRuns;
  billRun.emails.push(billRun.emails[0]);
  billRun.runs[0].sends[0].decisions.push({ decision: 'sendAnyway', at: time(2_000) });
  expect(judge({ ...risked, emails: 5 })).toMatchObject({ duplicates: 0, violations: [] });
});

/** A document whose email failed, and a send for it alone. */
function missed(): Mutable {
  const all = structuredClone(evidence()) as unknown as Mutable;
  const [billRun] = all.billRuns;
  const [run] = billRun.runs;
  Object.assign(all, { billRun, run, audit: billRun.audit, emails: 2 });
  billRun.documents[1].unsent = 'failed';
  underKey(all, 2, `${FIRST}/2`);
  billRun.emails = [billRun.emails[0], { ...billRun.emails[3], resend: false }];
  billRun.accepted.splice(1);
  billRun.calls[2].body = { resend: false };
  run.resends.ids = [];
  run.attempts[2].input.resend = false;
  Object.assign(run.sends[1], { resend: false });
  Object.assign(run.sends[1].requests[0], { requestId: 'MISSED-1', resend: false, missing: true });
  return all;
}

test('a send for what was missed is one of its own, and no duplicate', () => {
  const all = missed();
  expect(judge(all as unknown as Evidence)).toMatchObject({
    ...{ sendsIntended: 2, sendsAccepted: 2, duplicates: 0, lost: 0, violations: [] },
    documentsCompared: { total: 2, sent: 2 },
  });

  all.billRun.emails.push({ ...all.billRun.emails[0], idempotencyKey: `${FIRST}/2` });
  const { duplicates, violations } = judge({ ...all, emails: 3 });
  expect(duplicates).toBe(1);
  expect(violations).toContainEqual(expect.objectContaining({ rule: 3 }));
});

test('a send for what was missed that waits for the documents is unsettled, and not lost', () => {
  const all = missed();
  const { billRun, run, audit } = all;
  for (const made of [billRun.calls, run.attempts]) made.splice(2);
  for (const sends of [run.sends, audit.sends]) sends[1].attempts = [];
  Object.assign(run.sends[1], { outcome: 'pending', settledAt: null });
  billRun.emails.splice(1);
  const list = [listed('CM00000001', 'notSent')];
  run.status.documents = documents({ sent: 1, notSent: 1, list });
  expect(judge({ ...all, emails: 1, calls: 2 })).toMatchObject({
    ...{ unsettled: 1, lost: 0, violations: [] },
    documentsCompared: { total: 2, sent: 1, notSent: 1 },
  });
});

test('a document that Zuora never emails may wait', () => {
  const all = missed();
  const { billRun, run } = all;
  billRun.documents[1].unsent = 'never';
  for (const made of [billRun.calls, run.attempts]) made.splice(2);
  for (const sends of [run.sends, all.audit.sends]) sends.splice(1);
  billRun.emails.splice(1);
  run.status.documents = documents({ sent: 1, waiting: 1, list: [listed('CM00000001', 'waiting')] });
  expect(judge({ ...all, emails: 1, calls: 2 })).toMatchObject({
    ...{ sendsAccepted: 1, violations: [] },
    documentsCompared: { total: 2, sent: 1, waiting: 1 },
  });
});

test('a job that has closed knew only what was sent until its last check; one closed by a person says nothing', () => {
  const closed = structuredClone(evidence()) as unknown as Mutable;
  const [run] = closed.billRuns[0].runs;
  Object.assign(run, { open: false });
  const list = DOCUMENTS.map((number) => listed(number, 'waiting'));
  run.status.documents = { ...documents({ sent: 0, waiting: 2, list }), checkedAt: time(60_500) };
  expect(judge(closed as unknown as Evidence)).toMatchObject({ violations: [], documentsCompared: { waiting: 2 } });

  run.status.documents.checkedAt = time(62_000);
  expect(judge(closed as unknown as Evidence).violations).toHaveLength(2);

  run.closedByPerson = true;
  expect(judge(closed as unknown as Evidence)).toMatchObject({ violations: [], documentsCompared: { total: 0 } });
});

/** What a job says. */
function documents(change: Partial<JobDocuments> = {}): JobDocuments {
  return {
    ...{ checkedAt: time(90_000), complete: true, total: 2, sent: 2 },
    ...{ waiting: 0, notSent: 0, leftOut: 0, unknown: 0, list: [], ...change },
  };
}

function listed(number: string, outcome: DocumentOutcome): FollowedDocument {
  return { number, kind: number.startsWith('CM') ? 'creditMemo' : 'invoice', outcome, reason: null };
}

/** Evidence that tests may change. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
type Mutable = Record<'billRun' | 'run' | 'audit' | keyof Evidence, any>;

/** Moves an attempt, with all evidence of it, to another key. */
function underKey({ billRun, run, audit }: Mutable, index: number, key: string): void {
  const all = billRun as BillRunEvidence;
  const { trackId } = all.calls[index] ?? {};
  const from = all.calls[index]?.idempotencyKey;
  const records = [...run.sends, ...audit.sends] as { attempts: { trackId: string; idempotencyKey: string }[] }[];
  const own = records.flatMap(({ attempts }) => attempts).filter((attempt) => attempt.trackId === trackId);
  Object.assign(run.attempts[index].input, { idempotencyKey: key });
  Object.assign(all.calls[index] ?? {}, { idempotencyKey: key });
  for (const attempt of own) attempt.idempotencyKey = key;
  if (index !== 2) return;
  for (const email of all.emails) if (email.idempotencyKey === from) Object.assign(email, { idempotencyKey: key });
}

/** Milliseconds after the post. */
function time(afterMs: number): string {
  return new Date(Date.parse('2026-11-01T12:00:00.000Z') + afterMs).toISOString();
}

/** A first send with a lost and then a stored reply, and a resend. */
function evidence(): Evidence {
  const attempts = [
    attempt({ key: `${FIRST}/1`, name: 'one', at: 1_000, resend: false, verdict: 'unknown' }),
    attempt({ key: `${FIRST}/1`, name: 'two', at: 7_000, resend: false, verdict: 'accepted', stored: 'one' }),
    attempt({ key: `${RESEND}/1`, name: 'three', at: 60_000, resend: true, verdict: 'accepted' }),
  ] as const;
  const request = { requestedAt: time(0), requestedBy: 'alice' };
  const sends: SendRecord[] = [
    {
      ...{ ordinal: 1, resend: false, outcome: 'accepted', decisions: [], settledAt: time(8_000), note: null },
      requests: [{ ...request, requestId: 'nightly', resend: false }],
      attempts: attempts.slice(0, 2).map(({ record }) => record),
    },
    {
      ...{ ordinal: 2, resend: true, outcome: 'accepted', decisions: [], settledAt: time(61_000), note: null },
      requests: [{ ...request, requestId: 'TICKET-1', resend: true }],
      attempts: attempts.slice(2).map(({ record }) => record),
    },
  ];
  const workflowId = `email-bill-run/${NUMBER}`;
  const mailed = (key: string, at: number) =>
    DOCUMENTS.map((documentNumber) => {
      return { documentNumber, idempotencyKey: key, resend: key !== `${FIRST}/1`, sentAt: time(at) };
    });
  const billRun: BillRunEvidence = {
    number: NUMBER,
    id: ID,
    status: 'Posted',
    documents: DOCUMENTS.map((number) => ({ number, postedAt: time(0) })),
    accepted: [
      { kind: 'start', requestId: 'nightly', requestedBy: 'pipeline', workflowId },
      { kind: 'resend', requestId: 'TICKET-1', requestedBy: 'alice', workflowId },
    ],
    calls: attempts.map(({ call }) => call),
    emails: [...mailed(`${FIRST}/1`, 3_000), ...mailed(`${RESEND}/1`, 61_000)],
    runs: [
      {
        workflowId,
        runId: 'run-1',
        open: true,
        startedAt: Date.parse(time(-1_000)),
        closedByPerson: false,
        forbidden: [],
        atRest: true,
        events: 60,
        input: { billRunKey: NUMBER, requestId: 'nightly' },
        status: {
          ...{ state: 'Emailed', reason: null, since: null, text: 'Zuora shows an email.', until: null },
          ...{ billRunNumber: NUMBER, billRunId: ID, billRunStatus: 'Posted', documents: documents(), sends: 2 },
          ...{ question: null, pendingRequests: [], ignored: { count: 0, last: [] } },
        },
        sends,
        attempts: attempts.map(({ scheduled }) => scheduled),
        resends: { ids: ['TICKET-1'], unnamed: 0 },
        brokenTasks: [],
      },
    ],
    unreadable: [],
    audit: {
      runIds: ['run-1'],
      incomplete: [],
      sends: sends.map(({ resend, requests, outcome, attempts: made }) => {
        return {
          ...{ resend, name: 'a send', requestedBy: [] },
          requestIds: resend ? requests.map(({ requestId }) => requestId) : [],
          outcome,
          attempts: made,
        };
      }),
      entries: [
        { runId: 'run-1', event: 'started', requestedBy: 'pipeline', text: 'started' },
        { runId: 'run-1', event: 'signal', requestedBy: 'alice', text: 'signal resend with {"requestId":"TICKET-1"}' },
      ],
    },
  };
  return { billRuns: [billRun], emails: 4, calls: 3, holdsOnAll: [], delays: [], troubles: [], logins: [], reads: 0 };
}

interface Made {
  readonly key: string;
  readonly name: string;
  readonly at: number;
  readonly resend: boolean;
  readonly verdict: 'accepted' | 'unknown';
  /** The attempt whose reply was stored, if any. */
  readonly stored?: string;
}

/** One attempt in history, in Zuora's log and in the record. */
function attempt({ key, name, at, resend, verdict, stored }: Made) {
  const httpStatus = verdict === 'unknown' ? null : 200;
  const zuoraRequestId = verdict === 'unknown' ? null : `request-${stored ?? name}`;
  const billRun = { id: ID, number: NUMBER, status: 'Posted', numberOfInvoices: 1, numberOfCreditMemos: 1 };
  const receipt: AttemptReceipt = {
    ...{ called: true, startedAt: time(at), durationMs: 100, verdict, reasons: [], httpStatus, zuoraRequestId },
    ...{ echoedTrackId: stored ?? name, retryAfterMs: null },
  };
  const record: Attempt = {
    ...{ idempotencyKey: key, trackId: name, startedAt: time(at), durationMs: 100, httpStatus, zuoraRequestId },
    ...{ verdict, stored: stored !== undefined, reasons: [] },
  };
  const notAfter = Date.parse(time(name === 'two' ? 1_000 : at)) + 23 * HOUR;
  return {
    scheduled: {
      eventId: 10,
      input: { billRunKey: NUMBER, resend, idempotencyKey: key, trackId: name, notAfter },
      at: Date.parse(time(at)),
      look: { billRun, at: Date.parse(time(500)) },
      ...{ held: false, closing: false, end: receipt },
    },
    call: {
      ...{ at: time(at), path: `/v1/bill-runs/${NUMBER}/emails`, method: 'POST', idempotencyKey: key, trackId: name },
      ...{ requestId: `request-${stored ?? name}`, status: httpStatus, body: { resend } },
    },
    record,
  };
}

test('a history that the explorer cannot walk is a violation, with its event; one that others made undecodable is left out', () => {
  const { traced: counts, violations } = traced(evidence());
  expect(counts).toEqual({ histories: 1, steps: 6 });
  expect(violations).toContainEqual(
    expect.objectContaining({ rule: 'trace', evidence: { runId: 'run-1', eventId: 10 } }),
  );
  const billRuns = evidence().billRuns.map((billRun) => ({ ...billRun, unreadable: ['run-0'] }));
  expect(traced({ billRuns })).toEqual({ traced: { histories: 0, steps: 0 }, violations: [] });
});
