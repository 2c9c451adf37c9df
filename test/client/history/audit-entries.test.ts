/** What an audit answers, who asked for what, and what it cannot know. Without a server. */
import type { Client } from '@temporalio/client';
import { encodeUnifiedSearchAttributes } from '@temporalio/common/lib/converter/payload-search-attributes.js';
import { describe, expect, test } from 'vitest';
import { auditOf, type Audit } from '../../../client/history/audit.js';
import { clientDataConverter } from '../../../client/temporal/data-converter.js';
import { ConfigurationError } from '../../../environment/configuration-error.js';
import { HOLD_ALL_WORKFLOW_ID } from '../../../workflows/contract/contract.js';
import { searchAttributes } from '../../../workflows/contract/search-attributes.js';
import {
  CANONICAL,
  completed,
  CUT_OFF,
  email,
  FIRST,
  over,
  receipt,
  scheduled,
  signal,
  started,
  upsert,
} from '../../support/events.js';
import { made, payload, payloads, temporalWith, UNDECODABLE, type KnownRun } from '../../support/histories.js';

/** The audit of the canonical job. */
function audited(...runs: readonly KnownRun[]): Promise<Audit> {
  return auditOf(temporalWith(...runs), CANONICAL);
}

/** Attempts after the start of a job, each with its end. */
function attempts(...each: readonly (readonly [key: string, result: object, requestIds?: readonly string[]])[]) {
  return each.flatMap(([key, result, requestIds], index) => [
    email({
      ...{ resend: key.startsWith('resend/'), idempotencyKey: `bill-run-email/8ad0/${key}` },
      ...{ trackId: `bre-${key}`, requestIds },
    }),
    completed(2 * index + 2, result),
  ]);
}

const ACCEPTED = receipt();

describe('The answer', () => {
  test.each([
    ['Emailed once: first send.', []],
    ['Emailed twice: first send; resend T-1.', ['T-1']],
    ['Emailed 3 times: first send; resend T-1; resend T-2.', ['T-1', 'T-2']],
  ])(
    'says how often the documents were emailed, also if nobody is known to have asked: %s',
    async (answer, resends) => {
      const later = resends.map((requestId) => [`resend/${requestId}/1`, ACCEPTED, [requestId]] as const);
      const job = made([started(), ...attempts(['first/1', ACCEPTED], ...later)]);
      expect((await audited(job)).answer).toBe(answer);
    },
  );

  test('names each send of which nobody knows whether it emailed, beside as many that did', async () => {
    const job = made([
      started(),
      ...attempts(
        ['first/1', ACCEPTED],
        ['resend/T-1/1', ACCEPTED, ['T-1']],
        ['resend/T-2/1', CUT_OFF, ['T-2']],
        ['resend/T-3/1', CUT_OFF, ['T-3', 'T-4']],
      ),
      signal('resend', payloads({ requestId: 'T-4', requestedBy: 'bob' })),
    ]);
    expect((await audited(job)).answer).toBe(
      'Emailed twice: first send; resend T-1. Not known whether emailed: resend T-2; resend T-3, T-4 for bob.',
    );
  });

  test('counts the documents by the last check', async () => {
    const check = (sent: number) => ({
      ...{ kinds: {}, otherFailures: 0, at: 0, next: null, memory: {} },
      documents: { complete: true, total: 12, sent, waiting: 0, notSent: 12 - sent, leftOut: 0, unknown: 0, list: [] },
    });
    const checks = [scheduled('watchDelivery'), completed(2, check(3)), scheduled('watchDelivery')];
    const { answer } = await audited(made([started(), ...checks, completed(4, check(10))]));
    expect(answer).toBe('The jobs of this bill run have emailed nothing. 10 of 12 documents sent, 2 not sent.');
  });
});

test('A first send serves all starts until its last attempt, and no other message', async () => {
  const by = (requestedBy: string) => payloads({ requestedBy });
  const job = (runId: string, at: number, ...events: Parameters<typeof made>[0]): KnownRun =>
    made([started({ input: by(`start of ${runId}`) }), ...events], { runId, at });
  const startedAt = '1970-01-01T00:00:02.000Z';
  const { sends } = await audited(
    job('one', 0, signal('hold', by('alice')), over),
    job('two', 2000, ...attempts(['first/1', receipt({ startedAt })])),
    job('three', 2001),
  );
  expect(sends).toMatchObject([{ name: 'first send', requestedBy: ['start of one', 'start of two'] }]);
});

test('A decision is one entry, however many attempts it led to, and another one like it is one of its own', async () => {
  const decision = { decision: 'sendAnyway', at: '2026-03-02T12:00:00.000Z', requestedBy: 'ann', reason: 'seen' };
  const again = { ...decision, at: '2026-03-02T13:00:00.000Z' };
  const by = (each: object) => email({ ...FIRST, decision: each });
  const { entries } = await audited(made([started(), by(decision), by(decision), by(again), by(again)]));
  expect(entries.filter(({ event }) => event === 'decided').map(({ eventId }) => eventId)).toEqual([2, 4]);
});

describe('The head', () => {
  const job = made([started()]);

  test('has the last state with its reason, and since when', async () => {
    const since = '2026-03-02T12:00:00.000Z';
    const indexedFields = encodeUnifiedSearchAttributes(undefined, [
      { key: searchAttributes.emailState, value: 'NeedsAttention' },
      { key: searchAttributes.emailReason, value: 'unknown' },
      { key: searchAttributes.emailStateSince, value: new Date(since) },
    ]);
    const { workflowId, runId, events } = job;
    const startTime = events[0]?.eventTime;
    const info = { execution: { workflowId, runId }, startTime, status: 1, searchAttributes: { indexedFields } };
    const { head } = await audited({ ...job, raw: { workflowExecutionInfo: info } });
    expect(head).toMatchObject({ status: 'RUNNING', state: 'NeedsAttention (unknown)', since });
  });

  /** The audit where Temporal describes the namespace so. */
  const auditedWhere = (describeNamespace: () => Promise<object>): Promise<Audit> => {
    const temporal = temporalWith(job);
    Object.assign(temporal.workflowService, { describeNamespace });
    return auditOf(temporal, CANONICAL);
  };

  test('does not take an unknown retention for none', async () => {
    const { head } = await auditedWhere(() => Promise.resolve({ config: {} }));
    expect(head.retentionDays).toBeNull();
  });

  test('fails with any error of Temporal but a refusal', async () => {
    await expect(auditedWhere(() => Promise.reject(new Error('a defect')))).rejects.toThrow('a defect');
  });
});

describe('The hold on all jobs', () => {
  const held = (reason: string) => upsert({ EmailState: payload('Held'), EmailReason: payload(reason) });
  /** A job that begins ten seconds after the epoch and is held a second later. */
  const job = (reason: string): KnownRun => made([started(), held(reason)], { at: 10_000 });
  const hold = (at: number, ...end: Parameters<typeof made>[0]): KnownRun =>
    made([started(), signal('hold', payloads({ requestedBy: 'carol' })), ...end], {
      ...{ workflowId: HOLD_ALL_WORKFLOW_ID, runId: 'hold', at },
    });
  const ofHold = ({ entries }: Audit): unknown[] =>
    entries.filter(({ workflowId }) => workflowId !== CANONICAL).map(({ text }) => text);
  const request = [
    'hold on all jobs: started with nothing',
    'hold on all jobs: signal hold with {"requestedBy":"carol"}',
  ];

  test.each([
    ['is open since long before', hold(0), request],
    ['began later', hold(20_000), request],
    ['ended after the job began', hold(8_500, over), [...request, 'hold on all jobs: completed']],
    ['ended when the job began', hold(8_000, over), [...request, 'hold on all jobs: completed']],
    ['ended before the job began', hold(7_999, over), []],
  ])('that kept a job back is part of its audit if it %s', async (_, holdAll, entries) => {
    expect(ofHold(await audited(job('all'), holdAll))).toEqual(entries);
  });

  test('is left out where it kept nothing back', async () => {
    expect(ofHold(await audited(job('job'), hold(0)))).toEqual([]);
  });

  test('is named as a gap if its history cannot be read', async () => {
    const audit = await audited(job('all'), { ...hold(0), unreadable: true });
    expect(ofHold(audit)).toEqual([]);
    expect(audit.incomplete).toEqual([
      'the history of a hold on all jobs, run hold, cannot be read, so it is not known who asked for it',
    ]);
  });
});

describe('A run that cannot be read', () => {
  const ENCRYPTED = { payloads: [{ metadata: { encoding: btoa('binary/encrypted') }, data: '' }] };
  const run = (runId: string, at: number, input: object): KnownRun => {
    const attempt = { activityType: { name: 'emailBillRunDocuments' }, input };
    return made([started(), { activityTaskScheduledEventAttributes: attempt }], { runId, at });
  };
  /** A client without the codec of the installation. */
  const withoutCodec = async (...runs: readonly KnownRun[]): Promise<Client> => {
    const temporal = temporalWith(...runs);
    Object.assign(temporal.options, { loadedDataConverter: await clientDataConverter({}) });
    return temporal;
  };
  const [earlier, newest] = [run('earlier', 0, payloads(FIRST)), run('newest', 9000, payloads(FIRST))];

  test.each([
    ['an earlier one that Temporal cannot read', 'earlier', { ...earlier, unreadable: true }, newest],
    ['the newest one that Temporal cannot read', 'newest', earlier, { ...newest, unreadable: true }],
    ['an earlier one with broken content', 'earlier', run('earlier', 0, UNDECODABLE), newest],
    ['the newest one with broken content', 'newest', earlier, run('newest', 9000, UNDECODABLE)],
    ['an earlier one that needs a codec', 'earlier', run('earlier', 0, ENCRYPTED), newest],
  ])('is named as a gap, and the other is audited: %s', async (_, unread, ...runs) => {
    const { incomplete, sends } = await auditOf(await withoutCodec(...runs), CANONICAL);
    expect(incomplete).toEqual([`the history of run ${unread} cannot be read, so it is not known what it sent`]);
    const other = unread === 'earlier' ? 'newest' : 'earlier';
    expect(sends).toMatchObject([{ attempts: [{ runId: other }] }]);
  });

  test('fails the audit if even the newest one needs a codec: this process lacks it', async () => {
    const temporal = await withoutCodec(earlier, run('newest', 9000, ENCRYPTED));
    await expect(auditOf(temporal, CANONICAL)).rejects.toThrow(ConfigurationError);
  });
});
