/** Which send's documents a job follows, since when, and what its checks are asked for. */
import { describe, expect, test } from 'vitest';
import type { DeliveryCheck, EarlierCheck } from '../../../workflows/contract/activities.js';
import {
  checkInput,
  memoryOfSend,
  noteDelivery,
  plannedChecks,
  wantedCheck,
} from '../../../workflows/rules/following.js';
import type { Delivery, EmailJob } from '../../../workflows/rules/job.js';
import type { Send } from '../../../workflows/rules/send.js';
import {
  begin,
  breaks,
  busy,
  DAY,
  HOUR,
  iso,
  MINUTE,
  NOON,
  NOTHING_REMEMBERED,
  refuses,
  SECOND,
  type Circumstances,
  type Life,
} from '../../support/life.js';

const row = (at: string) => ({ at, result: 'OK', message: null });
const [OLD, NEW] = [row('2026-03-01T09:00:00'), row('2026-03-02T12:00:30')];

/** All that a check can remember. */
const MEMORY: DeliveryCheck['memory'] = {
  lastLooked: 'invoice INV-2',
  inactiveSince: { 'posted default': NOON },
  emailed: ['creditMemo CM-1'],
  latest: '2026-03-02T12:00:30',
  rows: { 'invoice INV-1': NEW },
  rowsBefore: { 'invoice INV-1': OLD, 'invoice INV-2': OLD },
  pdfErrors: ['invoice INV-1'],
  dropped: { 'invoice INV-1': 'a cause' },
  noAddressSince: { 'invoice INV-1': NOON },
  lookedBackTo: { 'creditMemo CM-2': NOON },
};

const DELIVERY: Delivery = {
  ordinal: 1,
  resend: false,
  isOurs: true,
  lastEmails: null,
  since: NOON,
  from: NOON,
  check: null,
  changedAt: null,
  unreadable: null,
};

const oneMinuteOn = (circumstances?: Circumstances): Life => begin(circumstances).pass(MINUTE);

/** The check that life shows, with all that it can remember. */
function checkOf(life: Life): DeliveryCheck {
  const check = life.job.delivery?.check;
  if (check == null) throw new Error('nothing was checked');
  return { ...check, memory: MEMORY };
}

function sendOf({ job }: Pick<Life, 'job'>, ordinal = 1): Send {
  const send = job.sends[ordinal - 1];
  if (send === undefined) throw new Error(`there is no send ${ordinal}`);
  return send;
}

/** What the job follows, noted anew. */
function followed({ job, now }: Life): Delivery | null {
  noteDelivery(job, now);
  return job.delivery;
}

/** It remembers all that a check can. */
function remembering(life: Life, counts: Parameters<Life['check']>[0] = {}): Life {
  life.check(counts);
  life.job.delivery = { ...DELIVERY, ...life.job.delivery, check: checkOf(life) };
  return life;
}

describe('A job follows', () => {
  test.each<readonly [string, Circumstances]>([
    ['before its bill run is posted', { billRun: { status: 'Completed' } }],
    ['during a cool-down', { billRun: { lastEmailSentTime: iso(NOON) } }],
    ['while Zuora refuses its first attempt', { answers: [refuses()] }],
    ['while Zuora is busy', { answers: [busy(HOUR)] }],
    ['while an unknown outcome is not yet a question', { answers: [breaks()] }],
    [
      'for a held resend, although Zuora emails by itself',
      { input: { hold: true, resend: true, requestId: 'T-1' }, billRun: { autoEmail: true } },
    ],
  ])('nothing %s', (_, circumstances) => {
    expect(begin(circumstances).job.delivery).toBeNull();
  });

  test('an accepted send, since its first attempt and from its acceptance', () => {
    const life = begin({ answers: [busy(HOUR)] }).pass(HOUR);
    expect(life.job.delivery).toStrictEqual({ ...DELIVERY, from: NOON + HOUR });
  });

  test('a send whose outcome is in question, until it is settled', () => {
    const life = begin({ answers: [breaks()], input: { sendBudget: '1s' } });
    expect(life.job.delivery).toStrictEqual(DELIVERY);
    // A person's answer ends the question, and what is followed stays.
    sendOf(life).retry = { sendAnyway: false, begun: false, at: NOON };
    expect(followed(life)).toStrictEqual(DELIVERY);
    sendOf(life).settledAt = iso(NOON);
    expect(followed(life)).toBeNull();
  });

  test('the send that was settled last, even if it began first', () => {
    const life = oneMinuteOn().resend({ requestId: 'T-1' });
    expect(life.job.delivery).toMatchObject({ ordinal: 2, resend: true });
    sendOf(life).settledAt = iso(NOON + 2 * MINUTE);
    expect(followed(life)).toMatchObject({ ordinal: 1, resend: false, from: NOON + 2 * MINUTE });
  });

  test('a send since the first attempt under its last key: the keys before it emailed nothing', () => {
    const life = begin({ answers: [refuses(), busy(HOUR)] }).pass(MINUTE);
    life.retry().pass(HOUR);
    expect(life.keys).toEqual(['first/1', 'first/2', 'first/2']);
    expect(life.job.delivery).toStrictEqual({ ...DELIVERY, since: NOON + MINUTE, from: NOON + MINUTE + HOUR });
  });

  test.each([
    [{ autoEmail: true }, { since: NOON, from: NOON, lastEmails: null }],
    [
      { autoEmail: true, postedDate: iso(NOON - DAY) },
      { since: NOON - DAY, from: NOON - DAY, lastEmails: null },
    ],
    [
      { invoicesEmailed: true, postedDate: iso(NOON - DAY), lastEmailSentTime: iso(NOON - HOUR) },
      { since: NOON - DAY, from: NOON - HOUR, lastEmails: iso(NOON - HOUR) },
    ],
    [
      { invoicesEmailed: true, postedDate: iso(NOON - HOUR), lastEmailSentTime: iso(NOON - DAY) },
      { since: NOON - HOUR, from: NOON - HOUR, lastEmails: iso(NOON - DAY) },
    ],
  ])('the emails of others since the post, and from their last emails: %j', (billRun, times) => {
    expect(begin({ billRun }).job.delivery).toStrictEqual({ ...DELIVERY, isOurs: false, ...times });
  });
});

describe('The last email before a send', () => {
  const before = '2026-03-01T12:00:00.000Z';

  test.each([
    ['at the first attempt', NOON, { before }],
    ['a minute before it', NOON - MINUTE, { before }],
    ['longer ago', NOON - MINUTE - 1, {}],
    ['only after it, when it may be of the send itself', NOON + 1, {}],
  ])('is known if the bill run was looked at %s', (_, lookedAt, known) => {
    const { job, now } = oneMinuteOn();
    const { billRun } = job;
    job.billRun = billRun === null ? null : { ...billRun, lastEmailSentTime: before };
    Object.assign(job, { lookedAt, delivery: null });
    noteDelivery(job, now);
    expect(job.delivery).toStrictEqual({ ...DELIVERY, ...known });
  });

  test('is not there if Zuora shows none', () => {
    expect(begin().job.delivery).toStrictEqual(DELIVERY);
  });

  test('of a resend is the latest that the checks showed, once nothing was on its way', () => {
    const resent = { ...DELIVERY, ordinal: 2, resend: true, since: NOON + MINUTE, from: NOON + MINUTE };
    const life = remembering(oneMinuteOn(), { notSent: 1 }).resend({ requestId: 'T-1' });
    expect(life.job.delivery).toStrictEqual({ ...resent, before: MEMORY.latest });
    const onTheirWay = remembering(oneMinuteOn(), { waiting: 1 }).resend({ requestId: 'T-1' });
    expect(onTheirWay.job.delivery).toStrictEqual(resent);
    const unseen = oneMinuteOn().check().resend({ requestId: 'T-1' });
    expect(unseen.job.delivery).toStrictEqual(resent);
  });
});

describe('What a check remembers', () => {
  const inQuestion = (): Life => begin({ answers: [breaks()], input: { sendBudget: '1s' } }).pass(MINUTE);

  test('stays when the send that was in question is accepted, while the check itself is made anew', () => {
    const life = remembering(inQuestion(), { waiting: 1 }).pass(MINUTE).retry();
    expect(life.send.outcome).toBe('accepted');
    const accepted = { ...DELIVERY, from: NOON + 2 * MINUTE, changedAt: NOON + MINUTE };
    expect(life.job.delivery).toStrictEqual({ ...accepted, memory: MEMORY });
  });

  test('of an earlier send stays as well, until there is a check; without either there is nothing', () => {
    const [life, blank] = [inQuestion(), inQuestion()];
    life.job.delivery = { ...DELIVERY, memory: MEMORY };
    const accepted = { ...DELIVERY, from: NOON + MINUTE };
    expect(life.retry().job.delivery).toStrictEqual({ ...accepted, memory: MEMORY });
    expect(blank.retry().job.delivery).toStrictEqual(accepted);
  });

  test('stays when others send further emails', () => {
    const billRun = { invoicesEmailed: true, lastEmailSentTime: iso(NOON - HOUR) };
    const life = remembering(begin({ billRun }), { waiting: 1 }).pass(MINUTE);
    life.change({ lastEmailSentTime: iso(NOON + SECOND) }).retry();
    const others = { isOurs: false, lastEmails: iso(NOON + SECOND), since: NOON + MINUTE, from: NOON + MINUTE };
    expect(life.job.delivery).toStrictEqual({ ...DELIVERY, ...others, changedAt: NOON, memory: MEMORY });
  });

  test('of emails by others says nothing about our own, except which documents were emailed', () => {
    const life = remembering(begin({ billRun: { autoEmail: true } }), { waiting: 1 }).pass(MINUTE);
    life.retry({ sendAnyway: true });
    const times = { since: NOON + MINUTE, from: NOON + MINUTE };
    const memory = { ...NOTHING_REMEMBERED, emailed: ['creditMemo CM-1'] };
    expect(life.job.delivery).toStrictEqual({ ...DELIVERY, ...times, memory });
  });

  test.each([
    ['accounts for every document', { notSent: 1 }, { 'invoice INV-1': NEW, 'invoice INV-2': OLD }],
    ['does not', { notSent: 1, waiting: 1 }, null],
  ])('helps a send for what was missed: what was emailed, and the last rows if the check %s', (...of) => {
    const [, counts, rowsBefore] = of;
    const life = remembering(oneMinuteOn(), counts).retry({ sendAnyway: true });
    const times = { since: NOON + MINUTE, from: NOON + MINUTE };
    const memory = { ...NOTHING_REMEMBERED, emailed: ['creditMemo CM-1'], rowsBefore };
    expect(life.job.delivery).toStrictEqual({ ...DELIVERY, ordinal: 2, missing: true, ...times, memory });
  });

  test.each([
    [undefined, NOON, null],
    [NOON, NOON, MEMORY],
    [NOON, NOON + 10 * SECOND, MEMORY],
    [NOON, NOON - 10 * SECOND, MEMORY],
    [NOON, NOON + 10 * SECOND + 1, null],
    [NOON, NOON - 10 * SECOND - 1, null],
  ])('by an earlier job counts for its send only, give or take ten seconds: %j and %j', (checked, since, memory) => {
    const check: EarlierCheck | undefined = checked === undefined ? undefined : { since: checked, memory: MEMORY };
    expect(memoryOfSend(check, since)).toBe(memory);
    const { job, now } = begin();
    job.earlier = { ...job.earlier, ...(check === undefined ? {} : { check }) };
    Object.assign(sendOf({ job }).attempts[0] ?? {}, { startedAt: iso(since) });
    Object.assign(job, { delivery: null });
    noteDelivery(job, now);
    expect(job.delivery).toStrictEqual({ ...DELIVERY, since, ...(memory === null ? {} : { memory }) });
  });
});

describe('A send is one for what was missed', () => {
  const missing = { requestId: 'R-1', resend: false, missing: true, requestedAt: iso(NOON) } as const;
  const plain = { requestId: 'P-1', resend: false, requestedAt: iso(NOON) };

  test.each([
    [[missing], false, true],
    [[plain, missing], false, true],
    [[plain], false, false],
    [[missing], true, false],
  ])('%j, resend %j: %j', (requests, resend, expected) => {
    const life = begin();
    Object.assign(sendOf(life), { requests, resend });
    life.job.delivery = null;
    expect(followed(life)).toStrictEqual({ ...DELIVERY, resend, ...(expected ? { missing: true } : {}) });
  });
});

describe('The plan of checks', () => {
  const planned = (delivery: Partial<Delivery>): string | null => {
    const { job } = begin();
    job.delivery = { ...DELIVERY, ...delivery };
    return plannedChecks(job);
  };
  const [waiting, sent] = [begin().check({ waiting: 1 }), begin().check()].map(checkOf);

  test('bears the number of the send and the time from which it counts, so that it ends when these change', () => {
    expect(planned({})).toBe(`1 ${NOON}`);
    expect(planned({ ordinal: 2, from: NOON + 1 })).toBe(`2 ${NOON + 1}`);
    expect(planned({ check: waiting ?? null })).toBe(`1 ${NOON}`);
  });

  test('is over once a check accounts for every document, or was the last one', () => {
    expect(planned({ check: sent ?? null })).toBeNull();
    expect(planned({ check: waiting === undefined ? null : { ...waiting, next: null } })).toBeNull();
  });

  test('needs a send to follow, and the bill run', () => {
    const { job } = begin({ billRun: { status: 'Completed' } });
    expect(plannedChecks(job)).toBeNull();
    job.billRun = null;
    expect(plannedChecks(job)).toBeNull();
    job.delivery = DELIVERY;
    expect(plannedChecks(job)).toBeNull();
  });
});

describe('A check that a person asks for', () => {
  const partly = (): Life => oneMinuteOn().check({ notSent: 1 }).pass(MINUTE);

  test('bears the number of the send that is followed and the time of the request, and is over once it is made', () => {
    const life = partly();
    expect(wantedCheck(life.job)).toBeNull();
    expect(wantedCheck(life.retry().job)).toBe(`1 ${NOON + 2 * MINUTE}`);
    const check = checkOf(life);
    life.job.delivery = { ...DELIVERY, check: { ...check, at: NOON + 2 * MINUTE - 1 } };
    expect(wantedCheck(life.job)).toBe(`1 ${NOON + 2 * MINUTE}`);
    life.job.delivery = { ...DELIVERY, check: { ...check, at: NOON + 2 * MINUTE } };
    expect(wantedCheck(life.job)).toBeNull();
  });

  test.each<readonly [string, Partial<EmailJob>]>([
    ['a send to follow', { delivery: null }],
    ['the bill run', { billRun: null }],
  ])('needs %s', (_, lacking) => {
    const { job } = partly().retry();
    Object.assign(job, lacking);
    expect(wantedCheck(job)).toBeNull();
  });
});

describe('A check is asked for', () => {
  const check = checkOf(begin().check({ waiting: 1 }));
  const input = { billRunNumber: 'BR-00000001', billRunId: '8ad09e208b1a', resend: false, since: NOON, from: NOON };
  const unreadable = { cannotRead: 'HTTP 503', since: NOON };

  test.each<readonly [string, Partial<Delivery>, object, object]>([
    ['from the beginning of a first send', {}, {}, {}],
    ['as one of a resend', { resend: true, from: NOON + 2 }, {}, { resend: true, from: NOON + 2 }],
    ['as one of a send for what was missed', { missing: true }, {}, { missing: true }],
    ['as one of our emails, although Zuora emails by itself', {}, { autoEmail: true }, {}],
    ['as one of emails at the post', { isOurs: false }, { autoEmail: true }, { atPost: true }],
    ['as one of emails of others', { isOurs: false }, { autoEmail: false, invoicesEmailed: true }, {}],
    ['with the last email before the send', { before: '2026-03-01' }, {}, { before: '2026-03-01' }],
    ['with the time of the post', {}, { postedDate: '2026-03-02' }, { postedDate: '2026-03-02' }],
    ['with the number of invoices, also if there are none', {}, { numberOfInvoices: 0 }, { numberOfInvoices: 0 }],
    ['with that of credit memos', {}, { numberOfCreditMemos: 0 }, { numberOfCreditMemos: 0 }],
    ['with the check before', { check }, {}, { previous: check }],
    ['with what a check of an earlier send remembered', { memory: MEMORY }, {}, { memory: MEMORY }],
    ['with the check before, which took that over', { check, memory: MEMORY }, {}, { previous: check }],
    ['with the words by which reads fail', { unreadable }, {}, { cannotRead: 'HTTP 503' }],
  ])('%s', (_, delivery, billRun, parts) => {
    const { job } = begin();
    job.delivery = { ...DELIVERY, ...delivery };
    job.billRun = { id: '8ad09e208b1a', number: 'BR-00000001', status: 'Posted', ...billRun };
    expect(checkInput(job, { isWanted: false })).toStrictEqual({ ...input, ...parts });
  });

  test.each([
    ['for now, if a person wants it', null, { now: true }],
    ['for the time when reads work again, even if a person wants it', unreadable, { cannotRead: 'HTTP 503' }],
  ])('%s', (_, failing, parts) => {
    const { job } = begin({ billRun: { numberOfInvoices: 0, numberOfCreditMemos: 1 } });
    job.delivery = { ...DELIVERY, unreadable: failing };
    const counts = { numberOfInvoices: 0, numberOfCreditMemos: 1 };
    expect(checkInput(job, { isWanted: true })).toStrictEqual({ ...input, ...counts, ...parts });
  });

  test.each([
    ['the bill run', { ...DELIVERY, isOurs: false }, { since: NOON, from: NOON }],
    ['a send to follow', null, { since: 0, from: 0 }],
  ])('without names before there is %s', (_, delivery, times) => {
    const { job } = begin();
    Object.assign(job, { billRun: null, delivery });
    const nothing = { billRunNumber: '', billRunId: '', resend: false, ...times };
    expect(checkInput(job, { isWanted: false })).toStrictEqual(nothing);
  });
});
