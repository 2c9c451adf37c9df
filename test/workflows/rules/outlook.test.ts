/** What people read first: what was sent so far, and what happens by itself. `status`, lists and Temporal UI say it in the same words. */
import { describe, expect, test } from 'vitest';
import type { Attempt, EmailRequest, JobStatus, SendRecord } from '../../../workflows/contract/contract.js';
import { attemptsContinue, outlookOf, sentSoFar } from '../../../workflows/rules/outlook.js';

type Status = Parameters<typeof sentSoFar>[0];
type Sent = Pick<SendRecord, 'ordinal' | 'outcome' | 'attempts' | 'requests'>;

const UNCLEAR: Attempt = {
  ...{ idempotencyKey: 'key', trackId: 'track', startedAt: '2026-03-02T12:00:00.000Z', durationMs: 1_000 },
  ...{ httpStatus: 500, zuoraRequestId: null, verdict: 'unknown', stored: false, reasons: [] },
};

const request = (missing?: true): EmailRequest => ({
  ...{ requestId: 'A', resend: false, requestedAt: '2026-03-02T12:00:00.000Z' },
  ...(missing === undefined ? {} : { missing }),
});
const all: Sent = { ordinal: 1, outcome: 'accepted', attempts: [], requests: [request()] };
const rest: Sent = { ...all, requests: [request(), request(true)] };
const stopped: Sent = { ...rest, outcome: 'stopped' };
const unclear: Sent = { ...all, ordinal: 3, outcome: 'pending', attempts: [UNCLEAR] };

function status(state: JobStatus['state'], reason: JobStatus['reason'], more: Partial<Status> = {}): Status {
  return { state, reason, until: null, sends: 0, documents: null, ...more };
}

const CHECKED = { documentsNotSent: 0 };
const UNDER_WAY: Status['documents'] = {
  ...{ checkedAt: '2026-03-02T12:00:00.000Z', complete: true, total: 3, list: [] },
  ...{ sent: 1, waiting: 2, notSent: 0, leftOut: 0, unknown: 0 },
};

describe('What was sent', () => {
  test.each<readonly [string, Status, readonly Sent[]]>([
    ['Nothing sent', status('Waiting', 'notPosted'), []],
    ['Nothing sent', status('Held', 'job'), []],
    ['Nothing sent', status('Sending', null, { until: '2026-03-02T13:00:00.000Z' }), []],
    ['Nothing sent so far as Zuora has answered', status('Sending', null), []],
    ['Nothing sent by this job', status('Waiting', 'coolDown'), []],
    ['Nothing sent by this job', status('HandedOver', null), []],
    ['Nothing sent by this job', status('Emailed', null, CHECKED), []],
    ['Nothing sent by this job', status('Delivering', 'notSent', CHECKED), []],
    ['Nothing sent by this job', status('Delivering', null), []],
    ['Nothing sent by this job; Zuora sends by itself', status('Delivering', 'autoEmail'), []],
    ['Nothing sent by this job; Zuora says that it was emailed', status('Delivering', 'emailedElsewhere'), []],
    ['Not known', status('Sending', 'unknown'), [unclear]],
    ['Sent once; not known for send 3', status('Sending', 'unknown', { sends: 1 }), [all, unclear, stopped]],
    ['Sent 2 times; not known for send 3', status('Held', 'job', { sends: 2 }), [all, all, unclear]],
    ['Sent once', status('Emailed', null, { sends: 1 }), [all]],
    ['Sent 2 times', status('Stopped', 'finish', { sends: 2 }), [all, all, stopped]],
    ['Sent once', status('Unsettled', null, { sends: 1 }), [all]],
    ['Sent once', status('Delivering', 'notSent', { sends: 1 }), [all]],
    ['Sent 2 times', status('Delivering', null, { sends: 2, documentsNotSent: 3 }), [all, all]],
    ['Sent once', status('Delivering', null, { sends: 1, documents: UNDER_WAY }), [all]],
    ['Accepted by Zuora; the documents are not checked so far', status('Delivering', null, { sends: 1 }), [all]],
    [
      'Accepted by Zuora 2 times; the documents are not checked so far',
      status('Delivering', null, { sends: 2, documentsNotSent: null }),
      [all, all],
    ],
  ])('is said in few words: %s (%#)', (words, so, sends) => {
    expect(sentSoFar(so, sends)).toBe(words);
  });

  test.each<readonly [string, number, readonly Sent[]]>([
    ['Sent once, and then what was not sent', 2, [all, rest]],
    ['Sent 2 times, and then what was not sent', 3, [all, all, rest]],
    ['Sent once, and then what was not sent', 3, [all, rest, rest]],
    // Zuora emailed the others by itself.
    ['Sent once', 1, [rest]],
    // A retry that Zuora did not accept sent nothing.
    ['Sent 2 times', 2, [all, all, stopped]],
  ])('tells a retry of what was not sent from a whole send: %s (%#)', (words, sends, records) => {
    expect(sentSoFar(status('Emailed', null, { sends }), records)).toBe(words);
  });

  test.each<readonly [string, Status]>([
    ['Not known', status('Sending', null)],
    ['Not known', status('NeedsAttention', 'unknown')],
    ['Sent once; not known for the last send', status('Stopped', 'unknown', { sends: 1 })],
    ['Sent 2 times', status('Emailed', null, { sends: 2 })],
    ['Sent once', status('Delivering', null, { sends: 1, ...CHECKED })],
    ['Nothing sent', status('NeedsAttention', 'refused')],
  ])('is said of a job in a list, whose sends are not known: %s (%#)', (words, so) => {
    expect(sentSoFar(so, null)).toBe(words);
  });
});

describe('What happens by itself', () => {
  const until = '2026-03-02T13:00:00.000Z';
  const at = '2026-03-02 13:00:00 UTC';
  const pending: Sent = { ...rest, outcome: 'pending' };
  const tried: Sent = { ...pending, attempts: [UNCLEAR] };

  test.each<readonly [JobStatus['state'], JobStatus['reason'], readonly Sent[], string]>([
    ['NeedsAttention', 'refused', [tried], `The next attempt is at ${at}.`],
    ['NeedsAttention', 'cannotRead', [], `Without an answer by ${at}, the job closes as Unsettled.`],
    ['NeedsAttention', 'cannotRead', [pending], `Without an answer by ${at}, the job closes as Unsettled.`],
    ['NeedsAttention', 'unknown', [tried, unclear, all], `Without an answer by ${at}, the job closes as Unsettled.`],
    ['Delivering', 'autoEmail', [], `The job closes at ${at}; until then it takes a resend.`],
    ['Delivering', null, [pending, all], `The job closes at ${at}; until then it takes a resend.`],
    ['Delivering', 'notSent', [all], `The job closes at ${at}; until then it takes a retry.`],
    [
      'Delivering',
      'notSent',
      [all, all, pending],
      `What was not sent is sent at ${at}, or as soon as a check allows it.`,
    ],
    ['Emailed', null, [all], `The job closes at ${at}; until then it takes a resend.`],
    ['Sending', 'unknown', [tried], `The next attempt is at ${at}.`],
  ])('is said in one sentence: %s %s (%#)', (state, reason, sends, sentence) => {
    expect(outlookOf({ state, reason, until, billRunStatus: 'Posted' }, sends)).toBe(sentence);
    expect(outlookOf({ state, reason, until: null, billRunStatus: 'Posted' }, sends)).toBeNull();
  });

  test('is a next attempt only for a send that is open and was tried', () => {
    expect([[], [all], [pending], [tried, all]].map(attemptsContinue)).toEqual([false, false, false, false]);
    expect([[tried], [all, tried]].map(attemptsContinue)).toEqual([true, true]);
  });
});
