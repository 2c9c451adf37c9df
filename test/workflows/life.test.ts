/** The life of a run on the pure core: what messages do at each phase, how a run ends, and what people read. */
import { describe, expect, test } from 'vitest';
import { detailsOf } from '../../workflows/rules/details.js';
import * as runs from '../../workflows/rules/job.js';
import * as messages from '../../workflows/rules/messages.js';
import * as status from '../../workflows/rules/status.js';
import * as steps from '../../workflows/rules/next-step.js';
import { undecodableMark } from '../../workflows/contract/undecodable.js';
import { quoted, sendSummary, summary, wellFormed } from '../../workflows/rules/words.js';
import {
  accepts,
  begin,
  busy,
  cutOff,
  DAY,
  during,
  findsNoWorker,
  HOUR,
  makesNoCall,
  MINUTE,
  neverLeaves,
  NOON,
  refuses,
  type Life,
} from '../support/life.js';

const unposted = { billRun: { status: 'Completed' } };
const skipping = { billRun: { autoEmail: true } };
const delaying = { billRun: { lastEmailSentTime: new Date(NOON).toISOString() } };

/** It was started by the bill run's ID, and another run emails the bill run. */
const aGuest = { workflowId: 'email-bill-run/8ad09e208b1a' };

function cutOffs(count: number) {
  return Array.from({ length: count }, cutOff);
}

function outcomes(life: Life): readonly string[] {
  return life.sends.map(({ resend, outcome }) => `${resend ? 'resend' : 'first'} ${outcome}`);
}

function servedBy(life: Life): readonly (readonly string[])[] {
  return life.sends.map(({ requests }) => requests.map(({ requestId }) => requestId));
}

/** A run at each phase of its life. */
const phases: readonly (readonly [string, () => Life])[] = [
  ['WaitingForPost', () => begin(unposted)],
  ['Delayed', () => begin(delaying)],
  ['Sending', () => begin({ answers: [cutOff(), busy(HOUR)] })],
  ['Held', () => begin(unposted).hold().change({ status: 'Posted' })],
  ['NeedsAttention', () => begin({ answers: [refuses()] })],
  ['NeedsAttention', () => begin({ answers: cutOffs(300) }).pass(HOUR)],
  ['NeedsAttention', () => begin({ answers: cutOffs(300) }).pass(13 * HOUR)],
  ['NeedsAttention', () => begin({ input: { resend: true }, answers: [makesNoCall('afterReset')] })],
  ['Emailed', () => begin()],
  ['Skipped', () => begin(skipping)],
];

test.each(phases)('the run shows as %s at that phase', (state, at) => {
  const life = at();
  expect(life.state).toBe(state);
  expect(status.statusOf(life.job, life.now).state).toBe(state);
  expect(detailsOf(life.job, life.now)).toContain(`### ${state}`);
});

describe('resend', () => {
  test('requests that arrive before the next send begins are served by that one send, which names them all', () => {
    const life = begin({ ...unposted, input: { requestId: 'JOB' } });
    life.resend({ requestId: 'A' }).resend({ requestId: 'B' }).change({ status: 'Posted' });
    expect(servedBy(life)).toEqual([['JOB', 'A', 'B']]);
    expect(life.keys).toEqual(['resend/A/1']);
    expect(outcomes(life)).toEqual(['resend accepted']);
  });

  test('fifty requests during an attempt are served by one send', () => {
    const burst = (life: Life): void => {
      for (let index = 0; index < 50; index++) life.resend({ requestId: `R${index}` });
    };
    const life = begin({ answers: [during(burst, accepts())] });
    expect(outcomes(life)).toEqual(['first accepted', 'resend accepted']);
    expect(life.send.requests).toHaveLength(50);
  });

  test('requests that arrive while a resend is held before its first attempt join it', () => {
    const life = begin().hold().resend({ requestId: 'A' }).resend({ requestId: 'B' });
    expect(messages.requestResend(life.job, { requestId: 'C' }, life.now)).toEqual({ requestId: 'C', ordinal: 2 });
    life.release();
    expect(servedBy(life).slice(1)).toEqual([['A', 'B', 'C']]);
    expect(life.keys).toEqual(['first/1', 'resend/A/1']);
  });

  test('a request that arrives while a resend waits for a worker joins it', () => {
    const life = begin().willAnswer(during((it) => it.resend({ requestId: 'B' }), findsNoWorker()));
    expect(servedBy(life.resend({ requestId: 'A' })).slice(1)).toEqual([['A', 'B']]);
  });

  test('a request that arrives between the attempts of a resend waits for the next send', () => {
    const life = begin().willAnswer(busy()).resend({ requestId: 'A' }).resend({ requestId: 'B' });
    expect(status.statusOf(life.job, life.now).pendingRequests).toMatchObject([{ requestId: 'B' }]);
    life.pass(MINUTE);
    expect(servedBy(life).slice(1)).toEqual([['A'], ['B']]);
    expect(life.keys).toEqual(['first/1', 'resend/A/1', 'resend/A/1', 'resend/B/1']);
  });

  test('a request with an id seen before is ignored, in words', () => {
    const life = begin({ input: { requestId: 'JOB' } })
      .resend({ requestId: 'A' })
      .resend({ requestId: 'A' });
    life.resend({ requestId: 'JOB' }).continueAsNew().resend({ requestId: 'A' });
    expect(life.calls).toHaveLength(2);
    expect(life.ignored).toEqual([
      'request A was made before',
      'request JOB was made before',
      'request A was made before',
    ]);
  });

  test.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString', '\u0000', '🙂', '../..', ' '])(
    'the request id %j is one like any other',
    (requestId) => {
      const life = begin().resend({ requestId }).resend({ requestId });
      expect(servedBy(life).slice(1)).toEqual([[requestId]]);
      expect(life.ignored).toHaveLength(1);
    },
  );

  test('a request without an id gets one from the first run and a counter, the same when signals are applied again', () => {
    const ids = (): readonly unknown[] => servedBy(begin().resend().resend(null).resend({}));
    expect(ids()).toEqual([['first-run-0'], ['first-run-1'], ['first-run-2'], ['first-run-3']]);
    expect(ids()).toEqual(ids());
  });

  test('a request without an id is never lost to a caller who took the id that it would get', () => {
    const life = begin().resend({ requestId: 'first-run-1' }).resend();
    expect(servedBy(life)).toEqual([['first-run-0'], ['first-run-1'], ['first-run-2']]);
    messages.requestResend(life.job, {}, life.now);
    expect(servedBy(life.go()).at(-1)).toEqual(['first-run-3']);
  });

  test('more requests than a run can hand on are ignored, in words, and refused to the update', () => {
    const life = begin({ billRun: { status: 'Completed' } });
    const reason = '€'.repeat(1_000);
    for (let index = 0; index < 500; index++)
      messages.receiveResend(life.job, { requestId: `R-${index}`, reason }, NOON);
    expect(JSON.stringify(life.continueAsNew().run).length).toBeLessThan(1_000_000);
    expect(life.job.ignored.count).toBeGreaterThan(100);
    expect(life.ignored.at(-1)).toContain('as many requests as it can keep');
    expect(messages.faultsOfResend(life.job, {})).toEqual([expect.stringContaining('as many requests')]);
    life.change({ status: 'Posted' });
    expect(life.send.requests.length + life.job.ignored.count).toBe(501);
  });

  test('starting with resend twice asks once: the request has a fixed id', () => {
    expect(servedBy(begin({ input: { resend: true } }))).toEqual([['resend-at-start']]);
  });

  test('a resend between the attempts of a first send takes its place', () => {
    const life = begin({ answers: [busy(), accepts()] })
      .resend({ requestId: 'A' })
      .pass(HOUR);
    expect(outcomes(life)).toEqual(['first superseded', 'resend accepted']);
    expect(life.sends[0]?.note).toBe('superseded by send 2, which emails all documents');
    expect(life.keys).toEqual(['first/1', 'resend/A/1']);
  });

  test('a resend after an unknown attempt of a first send closes that one as unknown, in words, and follows', () => {
    const life = begin({ answers: [cutOff(), accepts()] }).resend();
    expect(outcomes(life)).toEqual(['first unknown', 'resend accepted']);
    expect(life.sends[0]?.note).toContain('closed as unknown');
    expect(life.sends[0]?.settledAt).not.toBeNull();
  });

  test.each([
    ['refused', () => begin({ answers: [refuses()] }), 'first superseded'],
    ['never left', () => begin({ answers: [neverLeaves()] }), 'first superseded'],
    ['delayed', () => begin(delaying), 'first superseded'],
    ['skipped', () => begin(skipping), 'first skipped'],
    ['held', () => begin(unposted).hold().change({ status: 'Posted' }), 'first superseded'],
    ['unknown for long', () => begin({ answers: cutOffs(300) }).pass(13 * HOUR), 'first unknown'],
  ])('a resend while the first send is %s closes it', (_, at, closed) => {
    expect(outcomes(at().resend().release())[0]).toBe(closed);
    expect(outcomes(at().resend().release())).toHaveLength(2);
  });

  test('a resend takes the place of one that waits for a person', () => {
    const life = begin().willAnswer(refuses()).resend({ requestId: 'A' }).resend({ requestId: 'B' });
    expect(outcomes(life)).toEqual(['first accepted', 'resend superseded', 'resend accepted']);
  });

  test('a resend waits for one that a person has just retried', () => {
    const life = begin().willAnswer(refuses()).resend({ requestId: 'A' }).hold().retry().resend({ requestId: 'B' });
    expect(outcomes(life.release())).toEqual(['first accepted', 'resend accepted', 'resend accepted']);
    expect(life.keys).toEqual(['first/1', 'resend/A/1', 'resend/A/2', 'resend/B/1']);
  });

  test('the update answers with the send that will serve the request', () => {
    for (const [, at] of phases) {
      const life = at();
      const { requestId, ordinal } = messages.requestResend(life.job, { requestId: 'X' }, life.now);
      life
        .change({ status: 'Posted' })
        .release()
        .pass(13 * HOUR);
      expect(life.sends[ordinal - 1]?.requests.map((request) => request.requestId)).toContain(requestId);
    }
  });

  test('the update is rejected with the reason where it cannot be served', () => {
    const life = begin().resend({ requestId: 'A' });
    expect(messages.faultsOfResend(life.job, undefined)).toEqual([]);
    expect(messages.faultsOfResend(life.job, { requestId: 'A' })).toEqual(['request A was made before']);
    expect(messages.faultsOfResend(life.job, { requestId: 7 })).toEqual([expect.stringMatching(/^requestId must be/)]);
    life.finish();
    expect(messages.faultsOfResend(life.job, {})).toEqual(['the run is closing; start it again with resend']);
  });
});

describe('retry', () => {
  test('answers only an open question', () => {
    for (const at of [() => begin(), () => begin(unposted), () => begin({ answers: [busy()] })]) {
      const life = at().retry();
      expect(life.ignored).toEqual(['no question is open']);
      expect(life.calls.length).toBeLessThanOrEqual(1);
    }
  });

  test('answers only the question about the send that it names', () => {
    const life = begin().willAnswer(refuses()).resend().retry({ ordinal: 1 });
    expect(life.ignored).toEqual(['the open question is about send 2, not 1']);
    expect(life.calls).toHaveLength(2);
    expect(life.retry({ ordinal: 2 }).calls).toHaveLength(3);
  });

  test('given twice, tries once', () => {
    const life = begin({ answers: [refuses(), refuses()] })
      .hold()
      .retry()
      .retry();
    expect(life.ignored).toEqual(['no question is open']);
    expect(life.release().calls).toHaveLength(2);
    expect(life.send.decisions).toHaveLength(1);
  });
});

describe('hold and release', () => {
  test('a hold lets no attempt start, at any phase, until it is released', () => {
    for (const [, at] of phases) {
      const life = at().hold();
      const calls = life.calls.length;
      life.change({ status: 'Posted' }).resend().retry({ sendAnyway: true }).pass(DAY);
      expect(life.calls).toHaveLength(calls);
      life.release().pass(2 * DAY);
      expect(life.calls.length).toBeGreaterThan(calls);
    }
  });

  test('a held run says so at once, also between attempts', () => {
    const life = begin({ answers: [busy(HOUR)] }).hold();
    expect(life.state).toBe('Held');
    expect(status.statusOf(life.job, life.now).held).toBe(true);
    expect(status.statusOf(life.job, life.now).waitingFor).toMatch(/^release/);
    expect(life.pass(2 * HOUR).state).toBe('Held');
  });

  test('an open question counts more than a hold, which the details tell beside it', () => {
    const life = begin({ answers: [refuses()] }).hold();
    expect(life.state).toBe('NeedsAttention');
    expect(detailsOf(life.job, life.now)).toContain('On hold');
  });

  test('a second hold and a release of nothing are ignored, in words', () => {
    expect(begin().hold().hold().release().release().ignored).toEqual([
      'the run is held already',
      'the run is not held',
    ]);
  });
});

describe('finish and cancel', () => {
  test.each([
    ['finish', (life: Life) => life.finish({ requestedBy: 'dan', reason: 'by hand' }), 'complete'],
    ['cancel', (life: Life) => life.cancel(), 'cancel'],
  ])('%s closes the run at every phase, and nothing more is sent', (_, close, kind) => {
    for (const [, at] of phases) {
      const life = at();
      const calls = life.calls.length;
      close(life);
      expect(life.end?.kind).toBe(kind);
      life
        .resend()
        .retry({ sendAnyway: true })
        .release()
        .change({ status: 'Posted' })
        .pass(10 * DAY);
      expect(life.calls).toHaveLength(calls);
      for (const { settledAt } of life.sends) expect(settledAt).not.toBeNull();
    }
  });

  test('an attempt under way finishes first, and counts', () => {
    for (const [close, kind] of [
      [(life: Life) => life.finish(), 'complete'],
      [(life: Life) => life.cancel(), 'cancel'],
    ] as const) {
      const life = begin({ answers: [during(close, accepts())] });
      expect(life.end?.kind).toBe(kind);
      expect(life.send.outcome).toBe('accepted');
      expect(status.resultOf(life.job, 'Finished').unsettled).toEqual([]);
    }
  });

  test('an attempt under way that ends as unknown is closed as unknown, and named', () => {
    const life = begin({ answers: [during((it) => it.finish(), cutOff())] });
    expect(life.end).toEqual({ kind: 'complete', state: 'Finished' });
    expect(status.resultOf(life.job, 'Finished').unsettled).toEqual([
      'send 1 (resend=false): it is not known whether the documents were emailed',
    ]);
  });

  test('the send that finish leaves unsettled records who decided', () => {
    const life = begin({ answers: [refuses()] }).finish({ requestedBy: 'dan', reason: 'by hand' });
    expect(life.send).toMatchObject({
      outcome: 'refused',
      decisions: [{ decision: 'finish', requestedBy: 'dan', reason: 'by hand' }],
      note: 'closed by finish before it was settled; nothing more is sent',
    });
  });

  test('requests that no send serves any more are named', () => {
    const late = begin({ answers: [during((it) => it.finish().resend({ requestId: 'LATE' }), accepts())] });
    expect(late.end).toEqual({ kind: 'complete', state: 'Finished' });
    expect(status.resultOf(late.job, 'Finished').unsettled).toEqual([
      'request LATE (resend=true): no send was begun for it',
    ]);
    const early = begin({ ...unposted, input: { requestId: 'JOB' } }).finish();
    expect(runs.unsettledOf(early.run)).toEqual(['request JOB (resend=false): no send was begun for it']);
  });

  test.each([
    ['Emailed', () => begin()],
    ['Skipped', () => begin(skipping)],
    ['Finished', () => begin(unposted)],
    ['Finished', () => begin({ answers: [refuses()] })],
    ['Finished', () => begin().willAnswer(refuses()).resend()],
    ['Emailed', () => begin({ answers: [cutOff(), accepts()] }).resend()],
  ])('finish ends as %s where that is what came of the run', (state, at) => {
    expect(at().finish().end).toEqual({ kind: 'complete', state });
  });

  test('cancellation wins over finish', () => {
    const both = during((life) => life.finish().cancel(), accepts());
    expect(begin({ answers: [both] }).end?.kind).toBe('cancel');
  });
});

describe('The escalation window', () => {
  test('counts from the last accepted send', () => {
    const life = begin({ input: { escalationWindow: '2 days' } })
      .pass(DAY)
      .resend()
      .pass(2 * DAY - 1);
    expect(life.end).toBeUndefined();
    expect(life.pass(1).end).toEqual({ kind: 'complete', state: 'Emailed' });
  });

  test('of no length closes the run with its first success', () => {
    expect(begin({ input: { escalationWindow: '0s' } }).end).toEqual({ kind: 'complete', state: 'Emailed' });
  });

  test('lets a request of the last moment be served', () => {
    const zero = { input: { escalationWindow: '0s' } };
    const life = begin({ ...zero, answers: [during((it) => it.resend(), accepts())] });
    expect(outcomes(life)).toEqual(['first accepted', 'resend accepted']);
  });
});

describe('Malformed messages', () => {
  const nonsense: readonly unknown[] = [
    ...[0, 1, '', 'please', true, [], [[]], [{ requestId: 'A' }]],
    ...[{ unknown: 1 }, { requestedBy: 7 }, { reason: {} }, { reason: 'x'.repeat(1001) }, { reason: '\ud800' }],
    JSON.parse('{"__proto__": {"requestId": "A"}}'),
    { ['x'.repeat(1_000_000)]: 1 },
    { a: Array.from({ length: 10_000 }, () => 'x') },
    undecodableMark('ValueError'),
    { ...undecodableMark(''), undecodable: { toString: 1 } },
  ];

  test.each(['resend', 'retry', 'hold', 'release', 'finish'] as const)(
    '%s with nonsense changes nothing but its own mention, with the reason',
    (name) => {
      const life = begin({ answers: [refuses()] });
      const before = structuredClone(life.job);
      for (const argument of nonsense) life[name](argument as never);
      const { ignored } = life.job;
      expect(life.job).toEqual({ ...before, ignored });
      expect(ignored.count).toBe(nonsense.length);
      for (const { message, at, reason } of ignored.last) {
        expect([message, at]).toEqual([name, new Date(NOON).toISOString()]);
        expect(reason.length).toBeGreaterThan(10);
        expect(reason.length).toBeLessThanOrEqual(500);
      }
    },
  );

  test('a signal that the contract does not know is ignored, and the reason names those it knows', () => {
    const { run } = begin();
    messages.receiveUnknown(run, 'sendNow'.padEnd(1_000_000, '!'), NOON);
    expect(run.ignored.last[0]?.message).toHaveLength(60);
    expect(run.ignored.last[0]?.reason).toContain('resend, billRunPosted, retry, hold, release and finish');
  });

  test('the last 50 are kept word for word, and all are counted', () => {
    const life = begin();
    for (let index = 0; index < 120; index++) messages.receiveUnknown(life.job, `signal-${index}`, life.now);
    const { ignored } = status.statusOf(life.job, life.now);
    expect(ignored.count).toBe(120);
    expect(ignored.last.map(({ message }) => message)).toEqual(
      Array.from({ length: 50 }, (_, index) => `signal-${index + 70}`),
    );
  });
});

describe('A hint that the bill run posted', () => {
  test('is followed at most once in 5 seconds', () => {
    const { run } = begin(unposted);
    messages.receiveHint(run);
    runs.followHint(run, NOON);
    expect(runs.hintDueAt(run)).toBe(NOON + 5_000);
    runs.followHint(run, NOON + 1);
    expect(runs.hintDueAt(run)).toBe(NOON + 5_000);
  });
});

describe('What people read', () => {
  const evil = '**PAID** `code` [click](https://example.org)\n### Emailed\u202e\u0007\r\n- signal **finish**';

  test('nothing of a caller’s text can pose as markdown of ours', () => {
    const life = begin({
      input: { requestedBy: evil, reason: evil, requestId: evil.slice(0, 100) },
      answers: [refuses(evil)],
    });
    life.retry({ reason: evil, requestedBy: evil, ordinal: 9 });
    const lines = detailsOf(life.job, life.now).split('\n');
    expect(lines.filter((line) => line.startsWith('### '))).toEqual(['### NeedsAttention']);
    for (const line of lines.filter((each) => each.includes('PAID'))) {
      const outsideOfCode = line.split('`').filter((_, index) => index % 2 === 0);
      expect(line.split('`').length % 2).toBe(1);
      expect(outsideOfCode.join('')).not.toMatch(/PAID|click|example/);
    }
    expect(lines.join()).not.toMatch(/[\p{Control}\p{Format}]/u);
  });

  test('a caller’s text is quoted on one line, never empty, never with half a character', () => {
    expect(quoted('a\u0000\n\u2028`b\u200e ')).toBe('`a b`');
    for (const blank of ['', ' ', '``', '\n', '\u200f']) expect(quoted(blank)).toBe('` `');
    expect(quoted('x'.repeat(119) + '🙂')).toBe(`\`${'x'.repeat(119)}\ufffd…\``);
    expect(wellFormed('a\ud800b🙂\udc00')).toBe('a\ufffdb🙂\ufffd');
  });

  test('a summary has at most 200 bytes of whole characters, and nothing in it can become a link', () => {
    const by = (requestedBy: string) => [{ requestId: 'A', resend: true, requestedBy, requestedAt: '' }];
    const long = sendSummary(2, true, 1, by('🙂'.repeat(99)));
    expect(long).toMatch(/^send 2 · resend=true · attempt 1 · asked by 🙂+$/u);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(200);
    expect(long).not.toMatch(/\p{Surrogate}/u);
    expect(sendSummary(2, true, 1, by('[free](http://x.example)'))).toMatch(/asked by free \(http:\/\/x\.example\)$/);
    expect(summary('short')).toBe('short');
  });

  test('a question comes with what an operator can do, as signals to copy', () => {
    const life = begin({ answers: [refuses()] });
    const details = detailsOf(life.job, life.now);
    expect(details).toContain('**A person is asked (send 1):** Zuora refused to email the documents');
    expect(details).toContain('signal **retry** with `{"ordinal":1,"requestedBy":"you","reason":"why"}` tries again');
    expect(details).not.toContain('sendAnyway');
    expect(detailsOf(begin(skipping).job, NOON)).toContain('"sendAnyway":true');
  });

  const note = '`{"requestedBy":"you","reason":"why"}`';
  const retry = 'signal **retry** with `{"ordinal":1,"requestedBy":"you","reason":"why"}`';
  const retryAnyway = 'signal **retry** with `{"ordinal":1,"sendAnyway":true,"requestedBy":"you","reason":"why"}`';
  const resend =
    'signal **resend** with `{"requestId":"TICKET-1","requestedBy":"you","reason":"why"}` emails all documents';
  const look = 'signal **billRunPosted**, without input, looks at the bill run at once';
  const hold = `signal **hold** with ${note} starts no further attempt`;
  const release = `signal **release** with ${note} lets sends go on`;
  const finish = `signal **finish** with ${note} closes the run; nothing more is sent`;
  const startAgain = (json: string, what: string) =>
    `**Start Workflow Like This One**, with \`${json}\`, has a new run ${what}`;
  const resendAgain = startAgain(
    '{"billRunKey":"BR-00000001","resend":true,"requestId":"TICKET-1","requestedBy":"you","reason":"why"}',
    'email all documents again; on the command line that is `bill-run-emails resend`',
  );
  const goOn = startAgain(
    '{"billRunKey":"BR-00000001","resend":true,"requestId":"A","requestedBy":"you","reason":"why"}',
    'go on with the resend that is open; on the command line that is `bill-run-emails resend`, with the same request id',
  );
  const sendAgain = startAgain(
    '{"billRunKey":"BR-00000001","requestedBy":"you","reason":"why"}',
    'email the documents once, when the bill run is posted; on the command line that is `bill-run-emails start`',
  );

  test.each<readonly [string, () => Life, readonly string[]]>([
    ['WaitingForPost', () => begin(unposted), [look, `${resend}, also those emailed before`, hold, finish]],
    ['WaitingForPost', () => begin(unposted).hold(), [look, `${resend}, also those emailed before`, release, finish]],
    [
      'Delayed',
      () => begin(delaying),
      [
        `${retry} looks at the bill run again`,
        `${retryAnyway} sends now, at your risk`,
        `${resend} instead`,
        hold,
        finish,
      ],
    ],
    [
      'Sending',
      () => begin({ answers: [cutOff(), busy(HOUR)] }),
      [`${resend}, also those emailed before`, hold, finish],
    ],
    [
      'Held',
      () => begin(unposted).hold().change({ status: 'Posted' }),
      [`${resend}, also those emailed before`, release, finish],
    ],
    [
      'NeedsAttention',
      () => begin({ answers: [refuses()] }),
      [`${retry} tries again`, `${resend} instead`, hold, finish],
    ],
    [
      'NeedsAttention',
      () => begin({ answers: [refuses()] }).hold(),
      [`${retry} tries again`, `${resend} instead`, release, finish],
    ],
    [
      'NeedsAttention',
      () => begin({ answers: cutOffs(300) }).pass(13 * HOUR),
      [`${retry} tries again`, `${resend} instead`, hold, finish],
    ],
    [
      'NeedsAttention',
      () => begin({ answers: cutOffs(300) }).pass(DAY),
      [`${retryAnyway} sends now, at your risk`, `${resend} instead`, hold, finish],
    ],
    ['Emailed', () => begin(), [`${resend} again`, hold, finish]],
    [
      'Skipped',
      () => begin(skipping),
      [
        `${retry} looks at the bill run again`,
        `${retryAnyway} sends now, at your risk`,
        `${resend} instead`,
        hold,
        finish,
      ],
    ],
    ['HandedOver', () => begin(aGuest), ['look at `email-bill-run/BR-00000001`, which emails this bill run']],
    ['Emailed', () => begin().pass(8 * DAY), [resendAgain]],
    ['NeedsAttention', () => begin({ answers: [refuses()] }).pass(8 * DAY), [sendAgain]],
    ['NeedsAttention', () => begin({ answers: cutOffs(300) }).pass(9 * DAY), [sendAgain]],
    [
      'NeedsAttention',
      () =>
        begin({ answers: [refuses(), refuses()] })
          .resend({ requestId: 'A' })
          .pass(8 * DAY),
      [goOn],
    ],
    [
      'Finished',
      () =>
        begin({ answers: [accepts(), refuses()] })
          .resend({ requestId: 'A' })
          .finish(),
      [goOn],
    ],
    ['Finished', () => begin(unposted).resend({ requestId: 'A' }).finish(), [goOn]],
    ['Skipped', () => begin(skipping).finish(), [sendAgain]],
    ['NotPosted', () => begin({ billRun: { status: 'Canceled' } }), [sendAgain]],
    ['Finished', () => begin(unposted).finish(), [sendAgain]],
    ['Canceled', () => begin(unposted).cancel(), [sendAgain.replace(' start`', ' start --again`')]],
  ])('a run that is %s says what an operator can do, with the JSON to send: %#', (state, at, offers) => {
    const { run, now } = at();
    const details = detailsOf(run, now);
    expect(details).toMatch(
      new RegExp(`^### ${state}\\n\\nSince 2026-03-\\d\\d [\\d:]{8} UTC\\. Bill run \`BR-00000001\``),
    );
    const [, choices = ''] = /\*\*What you can do now\*\*\n\n([^\n]+(?:\n[^\n]+)*)/.exec(details) ?? [];
    expect(choices.split('\n')).toEqual(offers.map((offer) => `- ${offer}`));
  });

  test('no signal that a run offers is ignored', () => {
    for (const [, at] of phases) {
      const offered = at();
      for (const [, name = '', json = ''] of detailsOf(offered.job, offered.now).matchAll(
        /signal \*\*(\w+)\*\* with `(.*?)`/g,
      )) {
        const life = at();
        const tell: Readonly<Record<string, (argument: object) => Life>> = {
          resend: (argument) => life.resend(argument),
          retry: (argument) => life.retry(argument),
          hold: (argument) => life.hold(argument),
          release: (argument) => life.release(argument),
          finish: (argument) => life.finish(argument),
        };
        expect(Object.keys(tell)).toContain(name);
        tell[name]?.(JSON.parse(json) as object);
        expect(life.ignored).toEqual(offered.ignored);
      }
    }
  });

  test('the details say since when a state lasts, what comes next, and who holds the run', () => {
    const life = begin({ ...unposted, input: { requestedBy: 'pipeline', reason: 'month end' } }).pass(HOUR);
    expect(detailsOf(life.job, life.now)).toContain('Since 2026-03-02 12:00:00 UTC.');
    expect(detailsOf(life.continueAsNew().run, life.now)).toContain(
      'Started 2026-03-02 12:00:00 UTC, asked for by `pipeline`: `month end`.',
    );
    expect(detailsOf(life.job, life.now)).toContain(
      'Waiting for somebody to post the bill run: its documents are generated, but not posted; at the latest until ' +
        '2026-04-01 12:00:00 UTC, then the run fails as NotPosted, and nothing is emailed. Once it has posted, its documents are emailed.',
    );
    life.hold({ requestedBy: 'alice', reason: 'wrong template' }).change({ status: 'Posted' }).pass(HOUR);
    expect(detailsOf(life.job, life.now)).toMatch(/^### Held\n\nSince 2026-03-02 13:00:00 UTC\./);
    expect(detailsOf(life.job, life.now)).toContain(
      'On hold since 2026-03-02 13:00:00 UTC, by `alice`: `wrong template`. No attempt is started until `release`.',
    );
    life.release();
    expect(detailsOf(life.job, life.now)).not.toContain('On hold');
    expect(detailsOf(life.job, life.now)).toContain(
      'Waiting for an escalation, or the end of the run; at the latest until 2026-03-09 14:00:00 UTC, then the run closes.',
    );
  });

  test('the details stay short, however many requests and people there are', () => {
    const life = begin({ ...unposted, input: { requestedBy: 'x'.repeat(200), reason: 'x'.repeat(1_000) } });
    for (let index = 0; index < 2_000; index++) {
      life.resend({ requestId: `R${index}`, requestedBy: `${index}`.padEnd(200, 'x'), reason: 'x'.repeat(100) });
    }
    expect(detailsOf(life.job, life.now)).toContain('- 1998 more requests');
    expect(detailsOf(life.job, life.now).length).toBeLessThan(5_000);
    life.change({ status: 'Posted' });
    expect(detailsOf(life.job, life.now)).toContain(' and others');
    expect(detailsOf(life.job, life.now).length).toBeLessThan(5_000);
  });

  test('status, sends, state and details can be read at every phase, and change nothing', () => {
    for (const [, at] of phases) {
      for (const end of [(life: Life) => life, (life: Life) => life.finish(), (life: Life) => life.cancel()]) {
        const life = end(at());
        const before = structuredClone(life.job);
        for (const now of [life.now, life.now + 13 * HOUR, life.now + 365 * DAY]) {
          expect(detailsOf(life.job, now)).toContain(status.stateOf(life.job, now));
          expect(status.statusOf(life.job, now).state).toBe(status.stateOf(life.job, now));
        }
        expect(life.job).toEqual(before);
        steps.settle(life.job, life.now);
        expect(life.job).toEqual(before);
      }
    }
  });

  test('the result of an emailed run names its sends, and leaves nothing unsettled', () => {
    const life = begin({ input: { escalationWindow: '0s' } });
    expect(status.resultOf(life.job, 'Emailed')).toEqual({
      state: 'Emailed',
      billRunNumber: 'BR-00000001',
      billRunId: life.billRun.id,
      sends: life.sends,
      unsettled: [],
    });
    expect(runs.acceptedSends(life.job)).toBe(1);
  });

  test('a run that fails unsettled says what is open, and what to do', () => {
    const life = begin({ answers: [refuses()] }).pass(8 * DAY);
    expect(life.end).toEqual({
      kind: 'fail',
      type: 'Unsettled',
      message:
        'nobody answered in time: send 1 (resend=false): Zuora refused it, and nothing was sent. ' +
        'To go on: start again',
    });
    const resent = begin({ answers: [accepts(), refuses()] })
      .resend({ requestId: 'A' })
      .pass(8 * DAY);
    expect(resent.end).toMatchObject({
      message:
        'nobody answered in time: send 2 (resend=true): Zuora refused it, and nothing was sent. ' +
        'To go on: resend again, under the request id `A`',
    });
  });
});
