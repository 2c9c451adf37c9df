/** The audit of lives that were recorded, and of histories that hardly any life leaves. Without a server. */
import { msToTs } from '@temporalio/common/lib/time.js';
import { describe, expect, test, vi } from 'vitest';
import { auditOf, type Audit } from '../../../client/history/audit.js';
import {
  asking,
  CANONICAL,
  completed,
  copiedUpToHere,
  CUT_OFF,
  email,
  failed,
  FIRST,
  over,
  receipt,
  REFUSED,
  RESEND,
  scheduled,
  signal,
  started,
  terminated,
  timedOut,
  timer,
  upsert,
} from '../../support/events.js';
import {
  made,
  payload,
  payloads,
  recorded,
  temporalWith,
  UNDECODABLE,
  type KnownRun,
} from '../../support/histories.js';

/** The audit of the first run's workflow id. */
function audited(...runs: readonly [KnownRun, ...KnownRun[]]): Promise<Audit> {
  return auditOf(temporalWith(...runs), runs[0].workflowId);
}

function described({ entries }: Audit): unknown[] {
  return entries.map(({ event, identity, requestedBy, text }) => [event, identity, requestedBy, text]);
}

/** Ids differ with each recording. */
function anyId(text: string): string {
  return text
    .replace(/BR-[0-9A-F]{8}/g, 'BR-1')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replace(/8ad0[0-9a-f]{28}/g, '8ad0');
}

async function describedOf(...events: Parameters<typeof made>[0]): Promise<unknown[]> {
  return described(await audited(made(events)));
}

describe('The first page', () => {
  test.each([
    [
      'emailed-three-times-and-completed',
      'Emailed 3 times: first send for nightly-billing; resend T-1 for alice; resend T-2 for bob.',
    ],
    ['NotSent', 'Emailed once: first send for nightly-billing. 2 of 3 documents sent, 1 not sent.'],
    ['Unsettled', 'Not known whether emailed: first send for nightly-billing.'],
    ['UnsettledRefused', 'The jobs of this bill run have emailed nothing.'],
    ['Waiting', 'The jobs of this bill run have emailed nothing.'],
  ])('answers in a sentence how often customers were emailed, and for whom: %s', async (name, answer) => {
    expect((await audited(recorded(name))).answer).toBe(answer);
  });

  test('names all who asked, once each, and counts what was sent for what an earlier send missed', async () => {
    const attempt = (key: string, more: object) =>
      scheduled('emailBillRunDocuments', { idempotencyKey: `bill-run-email/8ad0/${key}`, trackId: key, ...more });
    const accepted = receipt({ verdict: 'accepted' });
    const { answer, sends } = await audited(
      made([
        started({ input: payloads({ billRunKey: 'BR-1', requestedBy: 'pipeline' }) }),
        ...[attempt('first/1', { resend: false }), completed(2, accepted)],
        signal('retry', payloads({ requestId: 'R-1', requestedBy: 'ann' })),
        signal('retry', payloads({ requestId: 'R-1', requestedBy: 'bob' })),
        ...[attempt('first/2', { resend: false, requestIds: ['R-1'] }), completed(6, accepted)],
      ]),
    );
    expect(sends.map(({ name, requestedBy }) => [name, requestedBy])).toEqual([
      ['first send', ['pipeline']],
      ['retry of what was not sent', ['ann', 'bob']],
    ]);
    expect(answer).toBe('Emailed once: first send for pipeline; retry of what was not sent for ann, bob.');
  });

  test('dates and places the audit', async () => {
    expect((await audited(made([started()]))).head).toMatchObject({
      ...{ generatedAt: expect.stringMatching(/^20\d\d-.*Z$/) as string, generatedBy: 'auditor@host' },
      ...{ version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string, namespace: 'default', retentionDays: 90 },
      ...{ state: null, since: null },
    });
  });

  test('has no retention if Temporal refuses to describe the namespace', async () => {
    const run = made([started()]);
    const temporal = temporalWith(run);
    const refusal = Object.assign(new Error('refused'), { code: 7, details: 'refused', metadata: {} });
    vi.spyOn(temporal.workflowService, 'describeNamespace').mockRejectedValue(refusal);
    expect((await auditOf(temporal, run.workflowId)).head.retentionDays).toBeNull();
  });
});

describe('The life of a bill run, as it was recorded', () => {
  test('emailed three times: each attempt with its outcome, and who asked', async () => {
    const audit = await audited(recorded('emailed-three-times-and-completed'));
    const key = 'bill-run-email/8ad0';
    const accepted = 'accepted, HTTP 200, Zuora request ID';
    expect(JSON.parse(anyId(JSON.stringify(described(audit))))).toEqual([
      [
        'started',
        'somebody',
        'nightly-billing',
        'started with {"billRunKey":"BR-1","requestedBy":"nightly-billing","reason":"month end"}',
      ],
      ['state', null, null, 'Waiting (notPosted)'],
      ['status', null, null, 'bill run BR-1 is Posted'],
      ['state', null, null, 'Sending'],
      ['attempt', null, null, `attempt to email (first send), key ${key}/first/1`],
      ['attemptEnded', 'somebody', null, 'unknown, no answer, ECONNRESET: read ECONNRESET'],
      ['attempt', null, null, `attempt to email (first send), key ${key}/first/1`],
      ['attemptEnded', 'somebody', null, 'accepted (stored reply), HTTP 200, Zuora request ID'],
      ['state', null, null, 'Delivering'],
      ['signal', 'somebody', 'alice', 'signal resend with {"requestId":"T-1","requestedBy":"alice"}'],
      ['state', null, null, 'Sending'],
      ['attempt', null, null, `attempt to email (resend), key ${key}/resend/T-1/1`],
      ['attemptEnded', 'somebody', null, accepted],
      ['state', null, null, 'Delivering'],
      ['update', 'somebody', 'bob', 'update resend with {"requestId":"T-2","requestedBy":"bob"}'],
      ['state', null, null, 'Sending'],
      ['attempt', null, null, `attempt to email (resend), key ${key}/resend/T-2/1`],
      ['attemptEnded', 'somebody', null, accepted],
      ['state', null, null, 'Delivering'],
      ['signal', 'somebody', null, 'signal finish'],
      ['closed', null, null, 'completed: Zuora accepted the request and is sending the emails.'],
    ]);
    expect(audit.sends).toMatchObject([
      {
        resend: false,
        requestIds: [],
        outcome: 'accepted',
        attempts: [
          { verdict: 'unknown', stored: false },
          { verdict: 'accepted', stored: true },
        ],
      },
      { resend: true, requestIds: ['T-1'], outcome: 'accepted' },
      { resend: true, requestIds: ['T-2'], outcome: 'accepted' },
    ]);
    expect(audit.entries[0]).toMatchObject({
      at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      workflowId: audit.workflowId,
      runId: 'emailed-three-times-and-completed',
      eventId: 1,
    });
    expect(audit).toMatchObject({ aliases: [], incomplete: [] });
  });

  test('a question and the decision that answered it are entries of their own', async () => {
    const decision = { decision: 'sendAnyway', at: 'T', requestedBy: 'alice', reason: 'nothing arrived' };
    const finish = { ...decision, decision: 'finish', requestId: 'R-1' };
    const entries = await describedOf(
      // While nobody is asked, a timer waits for something else.
      timer('Waits for the next attempt'),
      asking,
      ...[timer('answer awaited: It is not known'), signal('retry'), timer('answer awaited: It is not known')],
      ...[timer('hint'), { timerStartedEventAttributes: {} }, timer('answer awaited: It is still not known')],
      email({ ...FIRST, decision }),
      ...[asking, timer('answer awaited: It is still not known')],
      {
        workflowExecutionCompletedEventAttributes: { result: payloads({ sends: [{ decisions: [decision, finish] }] }) },
      },
    );
    expect(entries.filter((entry) => /asked|decided/.test(String((entry as string[])[0])))).toEqual([
      ['asked', null, null, 'question (unknown): It is not known'],
      ['asked', null, null, 'question (unknown): It is still not known'],
      ['decided', null, 'alice', 'decision: sendAnyway: nothing arrived'],
      ['asked', null, null, 'question (unknown): It is still not known'],
      ['decided', null, 'alice', 'decision: finish: nothing arrived'],
    ]);
  });

  test.each([
    ['Canceled', 'canceled'],
    ['NotPosted', 'failed: bill run BR-1 ended as Canceled; it will not post, and nothing was emailed'],
    ['Stopped', 'completed: `alice` finished the job (`not to be emailed`); nothing is sent.'],
    ['Skipped', 'completed: The bill run has no invoices and no credit memos, so nothing was sent.'],
  ])('%s: how it ended', async (name, text) => {
    const audit = await audited(recorded(name));
    const last = audit.entries.at(-1);
    expect([last?.event, anyId(last?.text ?? '')]).toEqual(['closed', text]);
    expect(audit.sends).toEqual([]);
  });

  test.each([
    ['NeedsAttention', 'unknown'],
    ['Sending', 'pending'],
    ['refused-retried-and-nobody-answered', 'refused'],
    ['Delivering', 'accepted'],
  ])('%s: the outcome of its send, by the attempts alone', async (name, outcome) => {
    expect((await audited(recorded(name))).sends).toMatchObject([{ resend: false, outcome }]);
  });

  test('a cancellation names who asked for it', async () => {
    const { entries } = await audited(recorded('Canceled'));
    expect(entries.filter(({ event }) => event === 'cancelRequested')).toMatchObject([
      { identity: 'somebody', text: 'cancellation requested' },
    ]);
  });
});

describe('Messages of people and pipelines', () => {
  const messageWith = (argument: unknown) => describedOf(signal('resend', payloads(argument)));

  test('show the claim beside the identity that Temporal recorded', async () => {
    expect(await messageWith({ requestedBy: 'ann' })).toEqual([
      ['signal', 'cli@desk', 'ann', 'signal resend with {"requestedBy":"ann"}'],
    ]);
  });

  test.each([[{ requestedBy: 7 }], [{ requestedBy: '' }], [{}], [null], ['ann'], [undefined]])(
    'claim nothing about their sender by %j',
    async (argument) => {
      expect(await messageWith(argument)).toMatchObject([['signal', 'cli@desk', null, expect.anything()]]);
    },
  );

  test('have no identity if Temporal recorded none', async () => {
    const nobody = { workflowExecutionSignaledEventAttributes: { signalName: 'resend' } };
    const start = { workflowExecutionStartedEventAttributes: { workflowId: CANONICAL } };
    const cancel = { workflowExecutionCancelRequestedEventAttributes: {} };
    const update = (acceptedRequest: object) => ({
      workflowExecutionUpdateAcceptedEventAttributes: { acceptedRequest },
    });
    expect(await describedOf(start, nobody, update({}), update({ input: { name: 'resend' } }), cancel)).toEqual([
      ['started', null, null, 'started with nothing'],
      ['signal', null, null, 'signal resend'],
      ['update', null, null, 'update '],
      ['update', null, null, 'update resend'],
      ['cancelRequested', null, null, 'cancellation requested'],
    ]);
  });

  test('are cut after 500 characters', async () => {
    const [[, , , whole], [, , , cut]] = (await describedOf(
      signal('s', payloads('x'.repeat(498))),
      signal('s', payloads('x'.repeat(499))),
    )) as [unknown[], unknown[]];
    expect(whole).toBe(`signal s with "${'x'.repeat(498)}"`);
    expect(cut).toBe(`signal s with "${'x'.repeat(499)}…`);
  });

  test('say so if they cannot be decoded', async () => {
    expect(await describedOf(signal('resend', UNDECODABLE))).toEqual([
      ['signal', 'cli@desk', null, 'signal resend with "(cannot be decoded)"'],
    ]);
  });

  test('are in the order of time, over all runs', async () => {
    const one = made([started(), signal('hold'), signal('release')], { runId: 'one', at: 0 });
    const two = made([signal('resend'), terminated], { runId: 'two', at: 500 });
    const { entries } = await audited(two, one);
    expect(entries.map(({ runId, eventId }) => `${runId} ${eventId}`)).toEqual([
      ...['one 1', 'two 1', 'one 2', 'two 2', 'one 3'],
    ]);
  });

  test('keep their order within the same millisecond', async () => {
    const eventTime = '2026-01-01T00:00:00.000Z';
    const names = ['hold', 'release', 'finish'];
    const { entries } = await audited(made(names.map((name) => ({ ...signal(name), eventTime }))));
    expect(entries.map(({ text }) => text)).toEqual(names.map((name) => `signal ${name}`));
  });
});

describe("Temporal's own buttons", () => {
  test('leave who paused and unpaused a job, when and why', async () => {
    expect(
      await describedOf(
        { workflowExecutionPausedEventAttributes: { identity: 'op', reason: 'wrong template' } },
        { workflowExecutionUnpausedEventAttributes: { identity: 'chief', reason: 'it is right' } },
        { workflowExecutionPausedEventAttributes: {} },
        { workflowExecutionUnpausedEventAttributes: {} },
      ),
    ).toEqual([
      ['paused', 'op', null, 'job paused in Temporal: wrong template'],
      ['resumed', 'chief', null, 'job unpaused in Temporal: it is right'],
      ['paused', null, null, 'job paused in Temporal'],
      ['resumed', null, null, 'job unpaused in Temporal'],
    ]);
  });

  test('leave no event for an activity: the audit shows what is paused now', async () => {
    const pauseTime = msToTs(5_000);
    const activity = (name: string, pauseInfo: object | null) => ({
      ...{ activityType: { name }, paused: pauseInfo !== null, pauseInfo },
    });
    const raw = {
      workflowExtendedInfo: { pauseInfo: { identity: 'op', pausedTime: pauseTime, reason: 'in history' } },
      pendingActivities: [
        activity('watchHoldAll', null),
        activity('emailBillRunDocuments', { pauseTime, manual: { identity: 'op', reason: 'wrong template' } }),
        activity('watchBillRun', { pauseTime, rule: { ruleId: 'r', identity: 'chief', reason: '' } }),
        activity('ofAnotherVersion', { pauseTime, manual: { identity: '' } }),
        activity('handOver', {}),
      ],
    };
    const audit = await audited({ ...made([started()]), raw });
    const [, ...paused] = audit.entries;
    expect(described({ ...audit, entries: paused })).toEqual([
      ['paused', 'op', null, 'attempt paused in Temporal, and not unpaused since: wrong template'],
      ['paused', 'chief', null, 'look paused in Temporal, and not unpaused since'],
      ['paused', null, null, 'activity paused in Temporal, and not unpaused since'],
    ]);
    expect(paused[0]).toMatchObject({ at: '1970-01-01T00:00:05.000Z', runId: 'run-1', eventId: 0 });
  });
});

describe('The status of the bill run', () => {
  test('is shown when it has changed, and not while the job waits', async () => {
    const watch = scheduled('watchBillRun');
    expect(
      await describedOf(
        watch,
        failed(1),
        watch,
        completed(3, { number: 'BR-1', status: 'Completed' }),
        watch,
        completed(5, {}),
        scheduled('earlierSends'),
        completed(7, []),
      ),
    ).toEqual([
      ['status', null, null, 'bill run BR-1 is Completed'],
      ['status', null, null, 'bill run ? is ?'],
    ]);
  });

  test('shows what became of the documents, with the reason of each that was not sent', async () => {
    const counts = { total: 12, sent: 8, waiting: 0, notSent: 2, leftOut: 1, unknown: 1 };
    const list = [
      { number: 'INV-1', kind: 'invoice', outcome: 'notSent', reason: 'no address' },
      { number: 'CM-1', kind: 'creditMemo', outcome: 'unknown', reason: 'too many documents' },
      { number: 'INV-2', kind: 'invoice', outcome: 'notSent', reason: null },
      { number: 'INV-3', kind: 'invoice', outcome: 'leftOut', reason: 'zero amount' },
    ];
    const documents = { complete: true, ...counts, list };
    const none = { complete: false, total: 0, sent: 0, waiting: 0, notSent: 0, leftOut: 0, unknown: 0, list: [] };
    const checked = { documents, kinds: {}, at: 1000, next: 5000, memory: {} };
    expect(
      await describedOf(
        ...[scheduled('watchDelivery'), completed(1, checked)],
        ...[scheduled('watchDelivery'), completed(3, { ...checked, documents: none })],
        ...[scheduled('watchDelivery'), completed(5, { cannotRead: 'Zuora answered HTTP 503', since: 1 })],
        ...[scheduled('watchDelivery'), failed(7)],
      ),
    ).toEqual([
      [
        ...['documents', null, null],
        'documents checked 1970-01-01T00:00:01.000Z: 8 of 12 sent, 2 not sent, 1 unknown, 1 left out; INV-1: no address; INV-2',
      ],
      ['documents', null, null, 'documents checked 1970-01-01T00:00:01.000Z: 0 of 0 sent, and Zuora did not list all'],
      ['documents', null, null, 'documents cannot be read: Zuora answered HTTP 503'],
    ]);
  });

  const checkOfOne = {
    documents: { complete: true, total: 1, sent: 1, waiting: 0, notSent: 0, leftOut: 0, unknown: 0, list: [] },
    ...{ kinds: {}, at: 1, next: null, memory: {} },
  };

  test.each([
    ...[null, 'done', {}, { at: 1 }, { documents: null, at: 1 }, { documents: { total: 1, list: [] }, at: 1 }],
    { ...checkOfOne, documents: { ...checkOfOne.documents, list: [null] } },
    { ...checkOfOne, at: 9e15 },
  ])('leaves out a check of documents that is not ours: %j', async (foreign) => {
    expect(await describedOf(scheduled('watchDelivery'), completed(1, foreign))).toEqual([]);
  });

  test('shows the result of requests that were handed over', async () => {
    const handOver = scheduled('handOver');
    const handedOver = [
      { requestId: 'T-1', result: 'joined' },
      { requestId: 'T-2', result: 'canceled' },
    ];
    expect(
      await describedOf(handOver, failed(1), handOver, completed(3, handedOver), handOver, completed(5, null)),
    ).toEqual([
      [
        'handover',
        null,
        null,
        "handed over to the bill run's own workflow: request T-1: joined; request T-2: canceled",
      ],
      ['handover', null, null, "handed over to the bill run's own workflow: null"],
    ]);
  });

  test('the state is shown as people read it', async () => {
    expect(
      await describedOf(
        upsert({ EmailState: payload(['Held', 'Sending']) }),
        upsert({ EmailState: payload('Held') }),
        upsert({ EmailSends: payload(1) }),
        { upsertWorkflowSearchAttributesEventAttributes: {} },
        { upsertWorkflowSearchAttributesEventAttributes: { searchAttributes: {} } },
      ),
    ).toEqual([
      ['state', null, null, 'Held, Sending'],
      ['state', null, null, 'Held'],
    ]);
  });
});

describe('The outcome of an attempt', () => {
  const end = async (result: unknown): Promise<unknown> => (await describedOf(email(), completed(1, result)))[1];

  test.each([
    ['a call', receipt(), 'accepted, HTTP 200, Zuora request z-1'],
    ['a reply to this attempt', receipt({ echoedTrackId: FIRST.trackId }), 'accepted, HTTP 200, Zuora request z-1'],
    ['a stored reply', receipt({ echoedTrackId: 'bre-a-0' }), 'accepted (stored reply), HTTP 200, Zuora request z-1'],
    ['no answer', CUT_OFF, 'unknown, no answer, ECONNRESET: read ECONNRESET'],
    ['a refusal', REFUSED, 'refused, HTTP 400, Zuora request z-1, 58730030: no'],
    ['no call', { called: false, why: 'keyTooOld' }, 'no call was made: Zuora may have forgotten the key'],
  ])('is shown for %s, with the worker', async (_, result, text) => {
    expect(await end(result)).toEqual(['attemptEnded', 'worker', null, text]);
  });

  test.each([
    [{ message: 'activity failed', cause: { message: 'connect refused' } }, 'connect refused'],
    [{ message: 'activity timeout' }, 'activity timeout'],
    [undefined, 'no reason'],
  ])('has the message of the innermost cause: %j', async (failure, why) => {
    expect(await describedOf(email(), failed(1, failure))).toEqual([
      expect.anything(),
      ['attemptEnded', null, null, `attempt ended without a receipt: ${why}`],
    ]);
  });

  test.each([null, 'first', { resend: 'no' }])('is shown as it is if it is not ours: %j', async (foreign) => {
    expect(await describedOf(email(foreign), completed(1, foreign))).toEqual([
      ['attempt', null, null, `attempt to email, with ${JSON.stringify(foreign)}`],
      ['attemptEnded', 'worker', null, `ended with ${JSON.stringify(foreign)}`],
    ]);
  });

  test('is nothing where history holds nothing', async () => {
    const of = (scheduledEventId: number) => ({ activityTaskCompletedEventAttributes: { scheduledEventId } });
    const bare = (attributes: object) => ({ activityTaskScheduledEventAttributes: attributes });
    expect(
      await describedOf(
        ...[bare({}), of(1)],
        ...[bare({ activityType: { name: 'emailBillRunDocuments' } }), of(3)],
        ...[bare({ activityType: { name: 'handOver' } }), of(5)],
      ),
    ).toEqual([
      ['attempt', null, null, 'attempt to email, with nothing'],
      ['attemptEnded', null, null, 'ended with nothing'],
      ['handover', null, null, "handed over to the bill run's own workflow: nothing"],
    ]);
  });

  test.each([
    [0, 'attempt taken back before it began; nothing was sent', []],
    // No activity of ours ends so.
    [2, 'attempt ended without a receipt: no reason', [{ outcome: 'unknown' }]],
  ])('is nothing if it was taken back: canceled, and started by event %i', async (startedEventId, text, sends) => {
    const canceled = { activityTaskCanceledEventAttributes: { scheduledEventId: 1, startedEventId } };
    expect(await describedOf(email(), canceled)).toContainEqual(['attemptEnded', null, null, text]);
    expect((await audited(made([email(), canceled]))).sends).toMatchObject(sends);
  });

  test('is shown for a lost worker', async () => {
    const [, ended] = await describedOf(email(), timedOut(1, 'HEARTBEAT'));
    expect(ended).toEqual(['attemptEnded', null, null, 'attempt ended without a receipt: activity timeout']);
  });
});

describe('A send', () => {
  const sendsOf = async (...events: Parameters<typeof made>[0]) => (await audited(made(events))).sends;

  test('has the attempts of all runs, oldest first, each with the run that made it', async () => {
    const one = made([email(), completed(1, CUT_OFF), over], { runId: 'one' });
    const later = { ...FIRST, trackId: 'bre-a-2' };
    const two = made([email(later), completed(1, receipt())], { runId: 'two', at: 9000 });
    const { sends } = await audited(one, two);
    expect(sends).toMatchObject([
      {
        outcome: 'accepted',
        attempts: [
          { runId: 'one', trackId: 'bre-a-1', verdict: 'unknown', reasons: CUT_OFF.reasons },
          { runId: 'two', trackId: 'bre-a-2', verdict: 'accepted' },
        ],
      },
    ]);
  });

  test('names the requests of a resend once, and says that it is one', async () => {
    const again = { ...RESEND, trackId: 'bre-b-2', requestIds: ['T-1', 'T-2'] };
    const sends = await sendsOf(email(RESEND), completed(1, CUT_OFF), email(again), completed(3, receipt()));
    expect(sends).toMatchObject([{ resend: true, requestIds: ['T-1', 'T-2'], attempts: [{}, {}] }]);
  });

  test('is one for each intent, and they stand by their first attempts', async () => {
    const at = (startedAt: string) => receipt({ startedAt });
    const sends = await sendsOf(
      email(RESEND),
      email(FIRST),
      completed(1, at('2026-01-01T00:00:02.000Z')),
      completed(2, at('2026-01-01T00:00:01.000Z')),
    );
    expect(sends.map(({ resend }) => resend)).toEqual([false, true]);
  });

  test('is unknown while any of its keys is, whatever the last attempt says', async () => {
    const next = { ...FIRST, idempotencyKey: 'bill-run-email/8ad0/first/2' };
    const sends = await sendsOf(email(), completed(1, CUT_OFF), email(next), completed(3, REFUSED));
    expect(sends).toMatchObject([{ outcome: 'unknown' }]);
  });

  test('is refused only if that is its last word', async () => {
    const next = { ...FIRST, idempotencyKey: 'bill-run-email/8ad0/first/2' };
    const limited = receipt({ verdict: 'notExecuted', httpStatus: 429 });
    const refusals = [email(), completed(1, REFUSED), email(next), completed(3, REFUSED)];
    expect(await sendsOf(...refusals)).toMatchObject([{ outcome: 'refused' }]);
    const sends = await sendsOf(...refusals, email({ ...next, trackId: 'bre-a-3' }), completed(5, limited));
    expect(sends).toMatchObject([{ outcome: 'pending' }]);
  });

  test.each([
    ['goes on', [], 'UNDER_WAY', 'there is no answer yet'],
    ['ended', [terminated], 'RUN_ENDED', 'the run ended while its request may have been under way'],
  ])('is unknown where its run %s without an answer', async (_, rest, code, message) => {
    const sends = await sendsOf(email(), ...rest);
    expect(sends).toMatchObject([
      { outcome: 'unknown', attempts: [{ verdict: 'unknown', reasons: [{ code, message }] }] },
    ]);
  });

  test('is unknown where the worker was lost, and begins when the attempt was scheduled', async () => {
    const sends = await sendsOf(started(), email(), timedOut(2, 'START_TO_CLOSE'));
    expect(sends).toMatchObject([
      {
        outcome: 'unknown',
        attempts: [{ startedAt: '1970-01-01T00:00:01.000Z', reasons: [{ code: 'WORKER_LOST' }] }],
      },
    ]);
  });

  test('is not executed where its only attempt never left', async () => {
    const reason = { code: 'ECONNREFUSED', message: 'nothing was sent' };
    const failure = {
      message: 'activity failed',
      activityFailureInfo: { activityType: { name: 'emailBillRunDocuments' } },
      cause: { message: 'never left', applicationFailureInfo: { type: 'NeverLeft', details: payloads(reason) } },
    };
    const sends = await sendsOf(email(), failed(1, failure));
    expect(sends).toMatchObject([{ outcome: 'pending', attempts: [{ verdict: 'notExecuted', reasons: [reason] }] }]);
  });

  test.each([
    ['that no worker took', timedOut(1, 'SCHEDULE_TO_START')],
    ['that made no call', completed(1, { called: false, runId: 'r', why: 'afterReset' })],
  ])('has no attempt %s', async (_, ended) => {
    expect(await sendsOf(email(), ended)).toEqual([]);
  });

  test.each([
    ['another activity', scheduled('watchBillRun', FIRST)],
    ['no input', email(null)],
    ['a word', email('first')],
    ['no key', email({ ...FIRST, idempotencyKey: undefined })],
    ['no track id', email({ ...FIRST, trackId: undefined })],
    ['no word on resend', email({ ...FIRST, resend: 'no' })],
  ])('is not made of what another application may have left: %s', async (_, foreign) => {
    const sends = await sendsOf({ ...foreign }, completed(1, receipt()), email(), completed(3, receipt()));
    expect(sends).toMatchObject([{ attempts: [{ trackId: FIRST.trackId }] }]);
    expect(sends[0]?.attempts).toHaveLength(1);
  });
});

describe('Runs', () => {
  test('are those that Temporal lists, and the newest, which it may not list yet', async () => {
    const one = made([started(), over], { runId: 'one' });
    const two = made([started()], { runId: 'two', at: 9000 });
    expect((await audited(one, two)).runIds).toEqual(['one', 'two']);
    expect((await audited(one, { ...two, unlisted: true })).runIds).toEqual(['one', 'two']);
  });

  test('that continue one another say so', async () => {
    const next = started({ continuedExecutionRunId: 'one' });
    const one = made([started()], { runId: 'one' });
    const two = made([next], { runId: 'two', at: 9000 });
    const audit = await audited(one, two);
    expect(described(audit)).toEqual([
      ['started', 'p@ci', null, 'started with nothing'],
      ['continued', null, null, 'continues run one'],
    ]);
    expect(audit.incomplete).toEqual([]);
    expect((await audited(two)).incomplete).toEqual([
      'run two continues run one, whose history Temporal no longer keeps',
    ]);
  });

  test('that ended in other ways say how', async () => {
    expect(
      await describedOf(
        terminated,
        { workflowExecutionTerminatedEventAttributes: {} },
        { workflowExecutionTimedOutEventAttributes: {} },
        { workflowExecutionFailedEventAttributes: {} },
        { workflowExecutionContinuedAsNewEventAttributes: { newExecutionRunId: 'two' } },
        { workflowTaskFailedEventAttributes: { failure: { message: 'a bug' } } },
      ),
    ).toEqual([
      ['closed', 'op', null, 'terminated: no'],
      ['closed', null, null, 'terminated'],
      ['closed', null, null, 'timed out'],
      ['closed', null, null, 'failed: no reason'],
    ]);
  });

  test('name no other run where a field is empty, as gRPC leaves those that are not set', async () => {
    const run = made([started(), { workflowTaskFailedEventAttributes: {} }]);
    Object.assign(run.events[0]?.workflowExecutionStartedEventAttributes ?? {}, { continuedExecutionRunId: '' });
    Object.assign(run.events[1]?.workflowTaskFailedEventAttributes ?? {}, { baseRunId: '' });
    const audit = await audited(run);
    expect(audit.incomplete).toEqual([]);
    expect(audit.entries.map(({ event }) => event)).toEqual(['started']);
  });

  test('without any event tell nothing', async () => {
    expect(await audited(made([]))).toMatchObject({ sends: [], entries: [], incomplete: [] });
  });

  describe('after a reset', () => {
    const before = [started(), email(), completed(2, receipt())];
    const old = made([...before, signal('finish'), over], { runId: 'old' });
    const reset = made([...before, copiedUpToHere('old'), signal('hold')], { runId: 'new' });

    test('tell what was copied only once', async () => {
      const audit = await audited(old, reset);
      expect(audit.entries.map(({ runId, event }) => `${runId} ${event}`).sort()).toEqual([
        ...['new reset', 'new signal', 'old attempt', 'old attemptEnded', 'old closed', 'old signal', 'old started'],
      ]);
      expect(audit.entries.find(({ event }) => event === 'reset')).toMatchObject({
        identity: 'op',
        text: 'reset of run old: by an operator',
      });
      expect(audit.sends).toMatchObject([{ attempts: [{ runId: 'old' }] }]);
      expect(audit.sends[0]?.attempts).toHaveLength(1);
      expect(audit.incomplete).toEqual([]);
    });

    test('tell all of it where the other history is gone, and that it is', async () => {
      const audit = await audited(reset);
      expect(audit.entries.map(({ event }) => event)).toEqual([
        ...['started', 'attempt', 'attemptEnded', 'reset', 'signal'],
      ]);
      expect(audit.incomplete).toEqual(['run new is a reset of run old, whose history Temporal no longer keeps']);
    });

    test('more than once begin after the last reset', async () => {
      const twice = [...before, copiedUpToHere('older'), signal('resend'), copiedUpToHere('old'), signal('hold')];
      const audit = await audited(old, made(twice, { runId: 'new' }));
      const own = audit.entries.filter(({ runId }) => runId === 'new');
      expect(own.map(({ event, text }) => [event, text])).toEqual([
        ['reset', 'reset of run old: by an operator'],
        ['signal', 'signal hold'],
      ]);
    });

    test('begin after the reset, not after a workflow task that failed later', async () => {
      const later = made([...before, copiedUpToHere('old'), { workflowTaskFailedEventAttributes: {} }], {
        runId: 'new',
      });
      Object.assign(later.events.at(-1)?.workflowTaskFailedEventAttributes ?? {}, { baseRunId: '' });
      const { entries } = await audited(old, later);
      expect(entries.filter(({ runId }) => runId === 'new').map(({ event }) => event)).toEqual(['reset']);
    });

    test('leave gaps where Temporal recorded nothing', async () => {
      expect(await describedOf({ workflowTaskFailedEventAttributes: { baseRunId: 'old' } })).toEqual([
        ['reset', null, null, 'reset of run old: '],
      ]);
    });
  });
});

describe('Aliases', () => {
  const handedOver = {
    WorkflowType: 'emailBillRun',
    EmailState: 'HandedOver',
    BillRunNumber: 'BR-1',
  };
  const alias = (workflowId: string, attributes: Readonly<Record<string, string>> = handedOver): KnownRun => ({
    ...made([started()], { workflowId, runId: `run of ${workflowId}`, at: 500 }),
    attributes,
  });
  const canonical = made([started(), over]);

  test('are the other workflows of the bill run that handed their requests over', async () => {
    const audit = await audited(
      canonical,
      alias('by-id'),
      alias('by-id-again'),
      alias('of-another', { ...handedOver, BillRunNumber: 'BR-2' }),
      alias('still-waiting', { ...handedOver, EmailState: 'Waiting' }),
      alias('of-another-application', { ...handedOver, WorkflowType: 'emailInvoices' }),
    );
    expect(audit.aliases).toEqual(['by-id', 'by-id-again']);
    expect(audit.runIds).toEqual(['run-1']);
    expect(audit.entries.map(({ workflowId }) => workflowId)).toEqual([CANONICAL, 'by-id', 'by-id-again', CANONICAL]);
  });

  test('are found by the number of the bill run also where the id names an entity', async () => {
    const own = made([started()], { workflowId: 'email-bill-run/e-1/BR-1' });
    expect((await audited(own, alias('by-id'))).aliases).toEqual(['by-id']);
  });

  test('are named once, however often they ran', async () => {
    const again = { ...alias('by-id'), runId: 'another run' };
    expect((await audited(canonical, alias('by-id'), again)).aliases).toEqual(['by-id']);
  });

  test('a workflow is not an alias of itself', async () => {
    const audit = await audited({ ...canonical, attributes: handedOver });
    expect(audit.aliases).toEqual([]);
    expect(audit.entries).toHaveLength(2);
  });

  test('are not looked for under an id that could not be the number of a bill run', async () => {
    const number = "x' OR BillRunNumber = 'BR-1";
    const odd = made([started()], { workflowId: `email-bill-run/${number}` });
    const temporal = temporalWith(odd);
    const list = vi.spyOn(temporal.workflowService, 'listWorkflowExecutions');
    await auditOf(temporal, odd.workflowId);
    const queries = list.mock.calls.map(([{ query }]) => query ?? '');
    expect(queries.filter((query) => query.includes('BillRunNumber = '))).toHaveLength(1);
  });
});

test('Each page of each history is a call of its own, so that each has a deadline of its own', async () => {
  const [earlier, last] = [made([started()], { runId: 'r-1' }), made([started()], { runId: 'r-2' })];
  const temporal = temporalWith(earlier, last);
  const names = [
    ...(['describeWorkflowExecution', 'listWorkflowExecutions', 'getWorkflowExecutionHistory'] as const),
    'describeNamespace',
  ] as const;
  const requests = names.map((name) => vi.spyOn(temporal.workflowService, name));
  let calls = 0;
  const call = <T>(ask: () => Promise<T>): Promise<T> => {
    calls += 1;
    return ask();
  };
  await auditOf(temporal, last.workflowId, call);
  expect(calls).toBe(requests.flatMap(({ mock }) => mock.calls).length);
});
