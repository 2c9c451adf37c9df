/** The last send that Zuora accepted, from event histories written by hand. */
import { describe, expect, test } from 'vitest';
import { lastAccepted } from '../../../client/history/last-send.js';
import { made, payloads, temporalWith, UNDECODABLE, type KnownRun } from '../../support/histories.js';

const ID = 'email-bill-run/BR-1';
const started = { workflowExecutionStartedEventAttributes: { workflowId: ID } };
type Made = Parameters<typeof made>[0];

/** An attempt takes two events, so a second of its own. */
function attempt(key: string, verdict: string, at: number): Made {
  const resend = key.startsWith('resend/');
  const input = payloads({ resend, idempotencyKey: `bill-run-email/8ad0/${key}`, trackId: `bre-${at}` });
  const result = payloads({
    ...{ called: true, startedAt: '1970-01-01T00:00:00.500Z', durationMs: 20, verdict, reasons: [], httpStatus: 200 },
    ...{ zuoraRequestId: `z-${at}`, echoedTrackId: null, retryAfterMs: null },
  });
  return [
    { activityTaskScheduledEventAttributes: { activityType: { name: 'emailBillRunDocuments' }, input } },
    { activityTaskCompletedEventAttributes: { scheduledEventId: at + 1, result } },
  ];
}

const jobOf = (...attempts: readonly (readonly [key: string, verdict: string])[]): Made => [
  started,
  ...attempts.flatMap(([key, verdict], index) => attempt(key, verdict, 1 + 2 * index)),
];

const last = (...runs: readonly KnownRun[]) => lastAccepted(temporalWith(...runs), ID);

describe('The last accepted send', () => {
  test('does not exist without a job, or without an answer that accepts', async () => {
    const none = { send: null, mayHaveSent: false, unreadable: [] };
    expect(await last()).toEqual(none);
    expect(await last(made(jobOf(['first/1', 'refused'])))).toEqual(none);
    expect(await last(made(jobOf(['first/1', 'unknown'])))).toEqual({ ...none, mayHaveSent: true });
  });

  test('began with the first attempt under the key that was accepted', async () => {
    const run = made(jobOf(['first/1', 'notExecuted'], ['first/2', 'unknown'], ['first/2', 'accepted']));
    expect(await last(run)).toMatchObject({ send: { resend: false, since: 3_000 } });
  });

  test('is the one of all jobs that was accepted last', async () => {
    const one = made(jobOf(['first/1', 'accepted']), { runId: 'one' });
    const two = made(jobOf(['resend/T-1/1', 'accepted'], ['resend/T-2/1', 'refused']), { runId: 'two', at: 60_000 });
    expect(await last(one, two)).toEqual({
      ...{ send: { resend: true, since: 61_000, memory: null }, mayHaveSent: false, unreadable: [] },
    });
    const unlisted = { ...two, unlisted: true };
    expect(await last(one, unlisted)).toMatchObject({ send: { since: 61_000 } });
  });

  test('is looked for past histories that cannot be decoded, which are named', async () => {
    const [, scheduled] = jobOf(['first/1', 'accepted']);
    const attributes = scheduled?.['activityTaskScheduledEventAttributes'] as object;
    const unreadable = { activityTaskScheduledEventAttributes: { ...attributes, input: UNDECODABLE } };
    const one = made([started, unreadable], { runId: 'one' });
    const two = made(jobOf(['first/1', 'accepted']), { runId: 'two', at: 60_000 });
    expect(await last(one, two)).toMatchObject({ send: { since: 61_000 }, mayHaveSent: true, unreadable: ['one'] });
  });
});
