/**
 * Checks the rules of sending against evidence. Pure: the same evidence gives the same judgement, so tests can change single
 * facts. It compares independent sources wherever possible: Zuora's mailbox and request log with event history, and history with
 * the answers to queries and the audit.
 */
import { checkInput, type Settings } from '../../workflows/contract/validation.js';
import type { Attempt, Decision, EmailRequest, SendRecord } from '../../workflows/contract/contract.js';
import { intentKey, keyParts } from '../../workflows/rules/keys.js';
import { documentFaults, NONE_COMPARED, type Compared } from './documents.js';
import type { BillRunEvidence, Evidence, RunEvidence, SentEmail } from './evidence.js';
import type { ScheduledAttempt } from '../history.js';
import { attemptsBeyond, KEY_LIFETIME_MS, lookFaults, numberFaults, SLACK_MS } from '../send-rules.js';
import { forbiddenCalls, openedAfterStop } from './stops.js';

/** `evidence`: something is missing, so nothing can be judged. `trace`: the explorer calls a step impossible. */
type Rule = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 'hold' | 'determinism' | 'evidence' | 'logins' | 'trace';

export interface Violation {
  readonly rule: Rule;
  readonly billRun: string;
  readonly what: string;
  readonly evidence: unknown;
}

export interface Judgement {
  /** Opened sends, plus requests without the send that they should have. */
  readonly sendsIntended: number;
  readonly sendsAccepted: number;
  /** Emails of a document after the first one for the same intent. */
  readonly duplicates: number;
  /** Accepted requests whose emails are missing although no person is asked. */
  readonly lost: number;
  /** Sends that wait for a person, or closed without a known outcome. */
  readonly unsettled: number;
  /** Sends replaced by a resend before anything was emailed. */
  readonly superseded: number;
  /** Documents of which a job said what became of them, by what it said. */
  readonly documentsCompared: Compared;
  readonly violations: readonly Violation[];
}

/** While Zuora refuses for some seconds: each worker remembers it for 30 s, and some workers are replaced. */
const MOST_LOGINS = 12;

type Find = (rule: Rule, what: string, evidence: unknown) => void;

export function judge(evidence: Evidence): Judgement {
  const violations: Violation[] = [];
  const documentsCompared = { ...NONE_COMPARED };
  const counts = { sendsIntended: 0, sendsAccepted: 0, duplicates: 0, lost: 0, unsettled: 0, superseded: 0 };
  for (const billRun of evidence.billRuns) {
    const find: Find = (rule, what, proof) => violations.push({ rule, billRun: billRun.number, what, evidence: proof });
    const sends = wholeSends(billRun);
    checkEvidence(billRun, find);
    checkPosted(billRun, find);
    checkOneCallEach(billRun, find);
    counts.duplicates += checkKeys(billRun, sends, find);
    checkAges(billRun, sends, find);
    checkOutcomes(billRun, sends, find);
    checkLooks(billRun, find);
    checkAudit(billRun, find);
    checkStops(billRun, evidence, find);
    checkDocuments(billRun, documentsCompared, find);
    const lost = checkRequests(billRun, sends, find);
    const of = (outcome: WholeSend['end']): number => sends.filter(({ end }) => end === outcome).length;
    counts.lost += lost.requests;
    counts.sendsIntended += sends.length + lost.unserved;
    counts.sendsAccepted += of('accepted');
    counts.superseded += of('superseded');
    counts.unsettled += of('unsettled');
  }
  for (const { kind, from, until } of evidence.troubles) {
    const logins = evidence.logins.filter((at) => at >= from && at < until);
    if (kind !== 'refuseLogins' || logins.length <= MOST_LOGINS) continue;
    const what = `${logins.length} logins although Zuora refused them`;
    violations.push({ rule: 'logins', billRun: '', what, evidence: { from, until } });
  }
  const total = (count: (billRun: BillRunEvidence) => number): number =>
    evidence.billRuns.reduce((sum, billRun) => sum + count(billRun), 0);
  const inAll = { emails: total(({ emails }) => emails.length), calls: total(({ calls }) => calls.length) };
  if (inAll.emails !== evidence.emails || inAll.calls !== evidence.calls || inAll.calls === 0) {
    const all = { emails: evidence.emails, calls: evidence.calls };
    violations.push({
      rule: 'evidence',
      billRun: '',
      what: 'emails or calls that belong to no bill run',
      evidence: { all, inAll },
    });
  }
  return { ...counts, documentsCompared, violations };
}

/** A send with its records in all runs. */
interface WholeSend {
  /** Its records, oldest run first. */
  readonly records: readonly { readonly run: RunEvidence; readonly record: SendRecord }[];
  /** The start of its keys; null without an attempt. */
  readonly intent: string | null;
  readonly resend: boolean;
  readonly requests: readonly EmailRequest[];
  readonly attempts: readonly Attempt[];
  readonly decisions: readonly Decision[];
  readonly keys: ReadonlySet<string>;
  /** `lost`: not settled, and no person is asked. */
  readonly end: 'accepted' | 'superseded' | 'unsettled' | 'lost';
}

/**
 * A later run continues a send of an earlier one under the same keys, so both records belong to one send. One for what was missed has
 * the keys of the first send from a later number on.
 */
function wholeSends({ runs }: BillRunEvidence): readonly WholeSend[] {
  const groups = new Map<string, { run: RunEvidence; record: SendRecord }[]>();
  for (const run of runs) {
    for (const record of run.sends) {
      const [first] = record.attempts;
      const key = first?.idempotencyKey ?? `${run.runId} ${record.ordinal}/`;
      const name = isForMissing(record) ? key : keyParts(key).intent;
      groups.set(name, [...(groups.get(name) ?? []), { run, record }]);
    }
  }
  return [...groups.values()].map((records) => {
    const all = records.map(({ record }) => record);
    const attempts = new Map(all.flatMap((record) => record.attempts.map((attempt) => [attempt.trackId, attempt])));
    const [first] = attempts.values();
    return {
      records,
      intent: first === undefined ? null : keyParts(first.idempotencyKey).intent,
      resend: all.some(({ resend }) => resend),
      requests: all.flatMap(({ requests }) => requests),
      attempts: [...attempts.values()].sort(byStart),
      decisions: all.flatMap(({ decisions }) => decisions),
      keys: new Set([...attempts.values()].map(({ idempotencyKey }) => idempotencyKey)),
      end: endOf(records),
    };
  });
}

function isForMissing({ requests }: Pick<SendRecord, 'requests'>): boolean {
  return requests.some(({ missing }) => missing === true);
}

function byStart(one: Attempt, other: Attempt): number {
  return Date.parse(one.startedAt) - Date.parse(other.startedAt);
}

function endOf(records: WholeSend['records']): WholeSend['end'] {
  if (records.some(({ record }) => record.outcome === 'accepted')) return 'accepted';
  const last = records.at(-1);
  if (last === undefined) return 'lost';
  const { run, record } = last;
  if (record.outcome === 'superseded') return 'superseded';
  // Closed, not needed, or it waits for a person or for the end of the cool-down.
  const { status } = run;
  const isAsked = run.open && (status?.question?.ordinal === record.ordinal || status?.reason === 'coolDown');
  // It waits until no earlier email can be on its way, or a check shows that nothing is missing.
  const waitsForDocuments = run.open && isForMissing(record) && record.attempts.length === 0;
  return waitsForDocuments ||
    record.settledAt !== null ||
    record.outcome === 'stopped' ||
    isAsked ||
    (!run.open && (record.outcome !== 'pending' || run.closedByPerson))
    ? 'unsettled'
    : 'lost';
}

function madeNoCall({ end }: Pick<ScheduledAttempt, 'end'>): boolean {
  return end === 'notTaken' || (typeof end === 'object' && !end.called);
}

/** Its run was ended from outside while it may have been under way: only a later run can know more. */
function isCutOff({ runs }: BillRunEvidence, { input, end }: ScheduledAttempt): boolean {
  const run = runs.find(({ attempts }) => attempts.some((each) => each.input.trackId === input.trackId));
  return end === 'open' && run?.closedByPerson === true;
}

/** The evidence must be complete. */
function checkEvidence({ runs, audit, accepted, documents, unreadable }: BillRunEvidence, find: Find): void {
  if (runs.length === 0) find('evidence', 'no run, though it was started', accepted);
  if (documents.length === 0) find('evidence', 'no billing documents', documents);
  for (const { workflowId } of accepted) {
    const known = runs.some((run) => run.workflowId === workflowId);
    if (!known) find('evidence', `no run of ${workflowId}, which Temporal had accepted`, accepted);
  }
  for (const { runId, workflowId, events, brokenTasks, atRest } of runs) {
    if (events === 0) find('evidence', `no history of run ${runId}`, workflowId);
    if (!atRest) find('evidence', `run ${runId} did not come to rest`, workflowId);
    if (brokenTasks.length > 0) find('determinism', `run ${runId} could not continue`, brokenTasks);
  }
  const unexpected = audit.incomplete.filter((line) => !unreadable.some((runId) => line.includes(runId)));
  if (unexpected.length > 0) find('evidence', 'the audit is incomplete', unexpected);
  if (unreadable.length > 0 && audit.incomplete.length === 0) {
    find('evidence', 'the audit does not say that an earlier history cannot be decoded', unreadable);
  }
}

/** Rule 1, by Zuora's clock and by the knowledge of the jobs. */
function checkPosted({ documents, calls, emails, runs }: BillRunEvidence, find: Find): void {
  for (const { documentNumber, sentAt } of emails) {
    const postedAt = documents.find(({ number }) => number === documentNumber)?.postedAt ?? null;
    if (postedAt === null || sentAt < postedAt)
      find(1, 'an email before the post', { documentNumber, sentAt, postedAt });
  }
  for (const { at, trackId } of calls) {
    const unposted = documents.find(({ postedAt }) => postedAt === null || at < postedAt);
    if (unposted !== undefined) find(1, 'a call before the post', { at, trackId, postedAt: unposted.postedAt });
  }
  for (const { input, look } of runs.flatMap(({ attempts }) => attempts)) {
    const { status } = look?.billRun ?? {};
    if (status !== 'Posted')
      find(1, 'an attempt by a run that had not seen the post', { trackId: input.trackId, status });
  }
}

/** Rule 2: Zuora's log and history agree. Rule 7 also requires that calls are in history. */
function checkOneCallEach({ number, calls, runs }: BillRunEvidence, find: Find): void {
  const scheduled = runs.flatMap(({ attempts }) => attempts);
  for (const [trackId, count] of counted(scheduled.map(({ input }) => input.trackId))) {
    if (count > 1) find(2, 'attempts share a track id', { trackId, count });
  }
  for (const [trackId, count] of counted(calls.map((call) => call.trackId ?? 'none'))) {
    if (count > 1) find(2, 'an attempt made more than one call', { trackId, count });
  }
  for (const call of calls) {
    const attempt = scheduled.find(({ input }) => input.trackId === call.trackId);
    if (attempt === undefined) {
      find(2, "a call in Zuora's log that no history holds", call);
      continue;
    }
    const { idempotencyKey, resend } = attempt.input;
    if (call.idempotencyKey !== idempotencyKey || call.body?.resend !== resend) {
      find(3, 'a call under another key, or of another kind, than history says', { call, input: attempt.input });
    }
    if (call.path !== `/v1/bill-runs/${number}/emails`) find(3, 'a call by another URL', call);
  }
  for (const { input, end } of scheduled) {
    const call = calls.find(({ trackId }) => trackId === input.trackId);
    if (madeNoCall({ end }) && call !== undefined) find(2, 'a call that history says was not made', { call, end });
    if (typeof end !== 'object' || !end.called || end.httpStatus === null) continue;
    const { httpStatus, zuoraRequestId } = end;
    // If the client seems to have disconnected, the log has no status although the call may have been answered.
    const answered =
      call !== undefined && [httpStatus, null].includes(call.status) && call.requestId === zuoraRequestId;
    if (!answered) find(2, "an answer in history that Zuora's log does not hold", { end, call });
  }
}

/** Rule 3: one key per send, and one email per document for it. @returns the number of duplicates */
function checkKeys(billRun: BillRunEvidence, sends: readonly WholeSend[], find: Find): number {
  const { id, runs, calls, emails, accepted } = billRun;
  const scheduled = runs.flatMap(({ attempts }) => attempts);
  for (const attempt of scheduled) {
    const { idempotencyKey: key, resend } = attempt.input;
    const send = sends.find(({ keys }) => keys.has(key));
    // No record holds it.
    if (send === undefined && (madeNoCall(attempt) || isCutOff(billRun, attempt))) continue;
    const ids = send === undefined ? [] : send.requests.map(({ requestId }) => requestId);
    const legal = (resend ? ids : ['']).map((requestId) => intentKey({ billRunId: id, resend, requestId }));
    if (!legal.includes(keyParts(key).intent)) find(3, 'a key that is not built from business ids', { key, legal });
  }
  for (const { records } of sends) {
    for (const { run, record } of records) {
      const intents = new Set(record.attempts.map(({ idempotencyKey: key }) => keyParts(key).intent));
      if (intents.size > 1) find(3, 'a send under more than one key', { runId: run.runId, intents: [...intents] });
    }
  }
  for (const send of sends) {
    for (const what of numberFaults(send, startIn(scheduled))) find(3, what, attemptsOf(send));
  }

  const duplicates = duplicatesIn(sends, emails, find);
  // Independent of keys and records: no document is emailed more often than requested.
  const resends = new Set(runs.flatMap(({ sends: all }) => all).flatMap(({ requests }) => resendsIn(requests)));
  for (const run of runs) for (const requestId of run.resends.ids) resends.add(requestId);
  for (const { kind, requestId } of accepted) if (kind === 'resend' && requestId !== null) resends.add(requestId);
  for (const [documentNumber, count] of counted(emails.map((email) => email.documentNumber))) {
    const requested = 1 + resends.size + risksIn(sends.flatMap(({ decisions }) => decisions));
    if (count > requested)
      find(3, 'a document was mailed more often than requested', { documentNumber, count, requested });
  }
  for (const { idempotencyKey, documentNumber } of emails) {
    const known = calls.some((call) => call.idempotencyKey === idempotencyKey);
    if (!known) find(2, 'an email that no call asked for', { documentNumber, idempotencyKey });
  }
  return duplicates;
}

function resendsIn(requests: readonly EmailRequest[]): readonly string[] {
  return requests.filter(({ resend }) => resend).map(({ requestId }) => requestId);
}

function risksIn(decisions: readonly Decision[]): number {
  return decisions.filter(({ decision }) => decision === 'sendAnyway').length;
}

function duplicatesIn(sends: readonly WholeSend[], emails: readonly SentEmail[], find: Find): number {
  let duplicates = 0;
  const sendOf = ({ idempotencyKey }: SentEmail): WholeSend | undefined =>
    sends.find(({ keys }) => keys.has(idempotencyKey ?? ''));
  const intentOf = (email: SentEmail): string => sendOf(email)?.intent ?? keyParts(email.idempotencyKey ?? '/').intent;
  const groups = counted(emails.map((email) => JSON.stringify([email.documentNumber, intentOf(email)])));
  for (const [name, count] of groups) {
    const [documentNumber, intent] = JSON.parse(name) as [string, string];
    const own = emails.filter((email) => email.documentNumber === documentNumber && intentOf(email) === intent);
    const risks = risksIn(sends.filter((send) => send.intent === intent).flatMap(({ decisions }) => decisions));
    if (count <= 1 + risks) continue;
    duplicates += count - 1 - risks;
    find(3, `a document was mailed ${count} times for one intent`, { documentNumber, intent, mailbox: own });
  }
  return duplicates;
}

/** Rule 4: no attempt under a key that Zuora may have forgotten, and no automatic attempt after the budget. */
function checkAges({ calls, runs }: BillRunEvidence, sends: readonly WholeSend[], find: Find): void {
  const firstUse = new Map<string, number>();
  for (const { idempotencyKey: key, at, trackId } of [...calls].sort((one, other) => (one.at < other.at ? -1 : 1))) {
    if (key === null) continue;
    const first = firstUse.get(key) ?? Date.parse(at);
    firstUse.set(key, first);
    if (Date.parse(at) - first > KEY_LIFETIME_MS + SLACK_MS) {
      find(4, 'a call under a key that was first used more than 23 h before', { key, trackId, at });
    }
  }
  const scheduled = runs.flatMap(({ attempts }) => attempts);
  const used = scheduled.filter((each) => !madeNoCall(each));
  for (const { input, at } of scheduled) {
    const under = used.filter((each) => each.input.idempotencyKey === input.idempotencyKey);
    const first = Math.min(at, ...under.map((each) => each.at));
    if (input.notAfter > first + KEY_LIFETIME_MS + SLACK_MS || at > input.notAfter) {
      find(4, 'an attempt that may start more than 23 h after the first use of its key', { input, at, first });
    }
  }
  for (const send of sends) {
    const budgetMs = Math.max(...send.records.map(({ run }) => settingsOf(run).sendBudgetMs));
    // A job that takes up an unknown outcome has a budget of its own.
    const takenUp = send.records.slice(1).map(({ run }) => ({ decision: 'retry', at: iso(run.startedAt) }) as const);
    const restarted = { ...send, decisions: [...send.decisions, ...takenUp] };
    for (const late of attemptsBeyond(budgetMs, restarted, startIn(scheduled))) {
      find(4, 'an attempt after the budget ended', { ...late, budgetMs });
    }
  }
}

/** Rule 5: the outcome of a send follows from its attempts and the mailbox. */
function checkOutcomes(billRun: BillRunEvidence, sends: readonly WholeSend[], find: Find): void {
  const { documents, emails, runs } = billRun;
  const cutOff = runs.flatMap(({ attempts }) => attempts).filter((attempt) => isCutOff(billRun, attempt));
  // One email of each of them did not leave.
  const unsent = new Set(documents.filter(isUnsent).map(({ number }) => number));
  for (const send of sends) {
    const { attempts, keys, resend, end } = send;
    const own = emails.filter(({ idempotencyKey }) => keys.has(idempotencyKey ?? ''));
    const success = attempts.some(({ verdict }) => verdict === 'accepted');
    if (success !== (end === 'accepted')) find(5, `a send is ${end}, which contradicts its attempts`, attemptsOf(send));
    if (success) {
      // A first send leaves out what was emailed before.
      const emailed = new Set((resend ? own : emails).map(({ documentNumber }) => documentNumber));
      const missing = documents.filter(({ number }) => !emailed.has(number) && !unsent.delete(number));
      if (missing.length > 0)
        find(5, 'a send is accepted, and documents were not mailed', { keys: [...keys], missing });
    }
    const { outcome, note, settledAt } = send.records.at(-1)?.record ?? {};
    if (outcome !== undefined && ['refused', 'stopped', 'superseded'].includes(outcome) && own.length > 0) {
      find(5, `a send is ${outcome}, and documents were mailed for it`, own);
    }
    if (outcome === 'unknown' && settledAt !== null && note === null) {
      find(5, 'a send was closed as unknown without a note', attemptsOf(send));
    }
    for (const key of keys) {
      const mailed = own.some(({ idempotencyKey }) => idempotencyKey === key);
      const maybe =
        cutOff.some(({ input }) => input.idempotencyKey === key) ||
        attempts.some(
          ({ idempotencyKey, verdict }) => idempotencyKey === key && ['accepted', 'unknown'].includes(verdict),
        );
      if (mailed && !maybe)
        find(5, 'documents were mailed under a key without an accepted or unknown attempt', attemptsOf(send));
    }
  }
  for (const { status, runId } of runs) {
    if (status?.question === null && status.state === 'NeedsAttention')
      find(5, 'a person is needed and not asked', runId);
  }
}

function checkLooks({ runs }: BillRunEvidence, find: Find): void {
  for (const run of runs) {
    for (const { held, closing, input } of run.attempts) {
      if (held || closing) find('hold', 'an attempt of a run that was held or closing', input);
    }
    for (const { resend, attempts, decisions } of run.sends) {
      // A send that an earlier job began continues without a look.
      const begun = run.attempts.find(({ input }) => input.trackId === attempts[0]?.trackId);
      if (resend || begun === undefined) continue;
      const overridden = decisions.some(({ decision, at }) => decision === 'sendAnyway' && Date.parse(at) <= begun.at);
      if (overridden) continue;
      for (const what of lookFaults(begun, settingsOf(run))) find(6, what, { look: begun.look, input: begun.input });
    }
  }
}

/** Rule 9: what each job says about its documents is what Zuora did. */
function checkDocuments(billRun: BillRunEvidence, documentsCompared: Record<keyof Compared, number>, find: Find): void {
  for (const run of billRun.runs) {
    const { compared, faults } = documentFaults(run, billRun);
    for (const outcome of Object.keys(compared) as (keyof Compared)[]) documentsCompared[outcome] += compared[outcome];
    for (const { what, evidence } of faults) find(9, what, { runId: run.runId, ...evidence });
  }
}

function isUnsent({ unsent }: BillRunEvidence['documents'][number]): boolean {
  return unsent !== undefined;
}

/** Rule 8. */
function checkStops({ number, calls, runs }: BillRunEvidence, surroundings: Evidence, find: Find): void {
  for (const { call, order } of forbiddenCalls({ calls, runs }, surroundings)) {
    const lateMs = Date.parse(call.at) - order.from;
    find(8, `a call left ${lateMs} ms after an order that forbids it (${order.by})`, { call, order });
  }
  for (const { runId, input } of openedAfterStop(runs)) {
    find(8, 'a start opened a job although a person had closed the one before', { number, runId, input });
  }
}

/** Rule 7: history, the records of sends and the audit agree and are complete. */
function checkAudit(billRun: BillRunEvidence, find: Find): void {
  const { runs, calls, audit, accepted } = billRun;
  const recorded = new Map(runs.flatMap(({ sends }) => sends.flatMap(({ attempts }) => attempts.map(named))));
  const audited = new Map(audit.sends.flatMap(({ attempts }) => attempts.map(named)));
  for (const scheduledAttempt of runs.flatMap(({ attempts }) => attempts)) {
    const { input, end } = scheduledAttempt;
    if (madeNoCall(scheduledAttempt) || isCutOff(billRun, scheduledAttempt)) continue;
    for (const [source, attempt] of [
      ['the record', recorded.get(input.trackId)],
      ['the audit', audited.get(input.trackId)],
    ] as const) {
      const receipt = typeof end === 'object' && end.called ? end : undefined;
      const right =
        attempt?.idempotencyKey === input.idempotencyKey &&
        (receipt === undefined ||
          (attempt.httpStatus === receipt.httpStatus && attempt.zuoraRequestId === receipt.zuoraRequestId));
      if (!right) find(7, `${source} differs from history about an attempt`, { input, end, attempt: attempt ?? null });
    }
  }
  const scheduled = new Set(runs.flatMap(({ attempts }) => attempts.map(({ input }) => input.trackId)));
  for (const [source, attempts] of [['the record', recorded] as const, ['the audit', audited] as const]) {
    for (const [trackId, attempt] of attempts) {
      if (!scheduled.has(trackId)) find(7, `${source} has an attempt that history does not hold`, attempt);
    }
  }
  for (const call of calls) {
    if (!audited.has(call.trackId ?? '')) find(7, "the audit misses a call of Zuora's log", call);
  }
  for (const { runId } of runs) {
    const isAudited = audit.entries.some((entry) => entry.runId === runId && entry.event === 'started');
    if (!isAudited) find(7, 'the audit misses a run', runId);
  }
  for (const { kind, requestId, requestedBy } of accepted) {
    if (kind !== 'resend' || requestId === null || requestedBy === null) continue;
    const isAudited = audit.entries.some(
      (entry) => entry.requestedBy === requestedBy && entry.text.includes(requestId),
    );
    if (!isAudited) find(7, 'the audit does not say who asked for a resend', { requestId, requestedBy });
  }
}

/**
 * Rule 7: no request is lost, and no request has two sends.
 *
 * @returns the accepted requests that are lost, and how many of them no send was opened for
 */
function checkRequests(
  { runs, accepted, status, documents, emails }: BillRunEvidence,
  sends: readonly WholeSend[],
  find: Find,
): { requests: number; unserved: number } {
  const posted = status === 'Posted';
  const resends = new Set<string>();
  for (const { kind, requestId } of accepted) if (kind === 'resend' && requestId !== null) resends.add(requestId);
  for (const run of runs) {
    const { input } = run;
    for (const requestId of run.resends.ids) resends.add(requestId);
    if (input.resend === true && input.requestId !== undefined) resends.add(input.requestId);
  }
  // What a person closed, nobody promises any more.
  const isStopped = runs.some(({ closedByPerson }) => closedByPerson);
  const lost: { requestId: string; why: string; opened: boolean }[] = [];
  for (const requestId of resends) {
    const serving = sends.filter(
      ({ requests, attempts, records }) =>
        resendsIn(requests).includes(requestId) &&
        !(attempts.length === 0 && records.every(({ run }) => run.closedByPerson)),
    );
    if (serving.length > 1) find(7, 'a request is served by two sends', { requestId, sends: serving.map(attemptsOf) });
    if (serving.length === 0 && posted && !isStopped) lost.push({ requestId, why: 'no send serves it', opened: false });
    if (serving.some(({ end }) => end === 'lost'))
      lost.push({ requestId, why: 'its send stopped without an outcome', opened: true });
  }
  for (const run of runs) {
    const generated = new Set(run.sends.flatMap(({ requests }) => resendsIn(requests)).filter(isGenerated));
    const missing = run.resends.unnamed - generated.size;
    if (posted && missing > 0 && !isStopped)
      lost.push({ requestId: `${missing} without an id`, why: 'no send', opened: false });
  }
  const starts = accepted.filter(({ kind }) => kind === 'start');
  const emailed = new Set(emails.map(({ documentNumber }) => documentNumber));
  const complete = documents.every((document) => emailed.has(document.number) || isUnsent(document));
  const waits = isStopped || sends.some(({ end }) => end === 'unsettled');
  if (posted && starts.length > 0 && !complete && !waits) {
    const opened = sends.some(({ end }) => end === 'lost');
    lost.push({ requestId: starts[0]?.requestId ?? 'start', why: 'documents without an email', opened });
  }
  for (const { requestId, why } of lost) {
    const states = runs.map(({ runId, status }) => ({ runId, state: status?.state, text: status?.text }));
    find(7, `an accepted request is lost: ${why}`, { requestId, states, sends: sends.map(attemptsOf) });
  }
  return { requests: lost.length, unserved: lost.filter(({ opened }) => !opened).length };
}

/** The id that a job gives a request without one: the id of its first run, and a number. */
function isGenerated(requestId: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[1-9]\d*$/.test(requestId);
}

function named(attempt: Attempt): readonly [string, Attempt] {
  return [attempt.trackId, attempt];
}

/** A summary for people. */
function attemptsOf({ attempts, requests, end, intent }: WholeSend): object {
  const summaries = attempts.map(({ idempotencyKey, trackId, verdict, stored, httpStatus, startedAt }) => {
    return { idempotencyKey, trackId, verdict, stored, httpStatus, startedAt };
  });
  return { intent, end, requestIds: requests.map(({ requestId }) => requestId), attempts: summaries };
}

/** When an attempt began by the server's clock, if its history is known. */
function startIn(scheduled: readonly ScheduledAttempt[]): (attempt: Attempt) => number {
  return ({ trackId, startedAt }) =>
    scheduled.find(({ input }) => input.trackId === trackId)?.at ?? Date.parse(startedAt);
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function settingsOf({ input }: RunEvidence): Settings {
  const { value, faults } = checkInput(input);
  if (faults !== undefined) throw new Error(`a run was started with ${faults.join('; ')}`);
  return value;
}

function counted(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
