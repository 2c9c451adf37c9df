/** What people are notified of: once, and in our own words. */
import { describe, expect, test } from 'vitest';
import { noticesDue } from '../../../workflows/rules/notices.js';
import {
  accepts,
  begin,
  cutOff,
  DAY,
  HOUR,
  iso,
  Life,
  loginFails,
  makesNoCall,
  MINUTE,
  NOON,
  refuses,
  type Answer,
} from '../../support/life.js';

const due = ({ job, step, now }: Life) => noticesDue(job, step, now);
const names = (life: Life): readonly string[] => due(life).map(({ name }) => name);

describe('A question', () => {
  test('is due once, and again if its answer leads to the same', () => {
    const life = begin({ answers: [refuses('no address jane.doe@customer.example'), refuses()] });
    const [first, ...others] = due(life);
    expect(others).toEqual([]);
    expect(first).toEqual({
      name: 'refused-send-1-1',
      notice: {
        text: 'Bill run BR-00000001: Sending does not work: NeedsAttention (refused). Your turn: fix the cause, then retry; or finish.',
        command: 'bill-run-emails status BR-00000001',
        workflowId: 'email-bill-run/BR-00000001',
        facts: { billRunNumber: 'BR-00000001', state: 'NeedsAttention', reason: 'refused', documentsNotSent: null },
      },
    });
    expect(names(life.pass(DAY))).toEqual([]);
    expect(names(life.hold())).toEqual([]);
    expect(names(life.release().continueAsNew())).toEqual([]);
    expect(names(life.retry())).toEqual(['refused-send-1-2']);
    expect(names(life.retry())).toEqual([]);
    expect(life.state).toBe('Delivering');
  });

  test('is due when it begins and when the attempts are over, not at each attempt', () => {
    const life = begin({ otherwise: loginFails() });
    const dueInHalfADay = Array.from({ length: 13 * 4 }, () => names(life.pass(15 * MINUTE))).flat();
    expect(dueInHalfADay).toEqual(['refused-send-1-1', 'refused-send-1-2']);
  });

  test('about an unknown outcome is due when the attempts are over, not while they continue', () => {
    const life = begin({ otherwise: cutOff() });
    expect(names(life.pass(16 * MINUTE))).toEqual([]);
    expect(life.stateAndReason).toBe('Sending unknown');
    expect(names(life.pass(13 * HOUR))).toEqual(['unknown-send-1-1']);
  });

  test('about a read is due again if the read fails again after a retry', () => {
    const life = new Life();
    life.unreadable.add('lookUp');
    expect(names(life.pass(14 * MINUTE))).toEqual([]);
    expect(names(life.pass(MINUTE))).toEqual(['cannotRead-send-1-1']);
    expect(names(life.pass(DAY))).toEqual([]);
    expect(names(life.retry())).toEqual([]);
    expect(names(life.pass(15 * MINUTE))).toEqual(['cannotRead-send-1-2']);
  });

  test('of a later send is another one, however often an earlier send was retried', () => {
    const life = begin({ answers: Array.from({ length: 11 }, () => refuses()) });
    for (let retries = 0; retries < 10; retries++) life.retry();
    expect(names(life)).toEqual(['refused-send-1-1']);
    for (let ordinal = 2; ordinal <= 10; ordinal++) life.resend({ requestId: `T-${ordinal}` });
    expect(names(life)).toEqual([]);
    expect(names(life.willAnswer(refuses()).resend({ requestId: 'T-11' }))).toEqual(['refused-send-11-1']);
  });

  test('names the entity in the command that shows its job', () => {
    const entity = { input: { entityId: 'e-1' }, workflowId: 'email-bill-run/e-1/BR-00000001' };
    const [notice] = due(begin({ ...entity, answers: [refuses()] }));
    expect(notice?.notice.command).toBe('bill-run-emails status BR-00000001 --entity e-1');
  });

  test('that comes while the job is on hold is due after the release', () => {
    const life = begin({ input: { hold: true }, answers: [refuses()] });
    expect(names(life)).toEqual([]);
    expect(names(life.release())).toEqual(['refused-send-1-1']);
  });
});

describe('Documents that were not sent', () => {
  test('are due when a check shows more of them, for each send anew', () => {
    const life = begin().pass(5 * MINUTE);
    expect(names(life.check({ waiting: 2 }))).toEqual([]);
    const [notice] = due(life.pass(MINUTE).check({ notSent: 1, waiting: 1 }));
    expect(notice?.notice.text).toBe(
      'Bill run BR-00000001: 1 of 3 documents was not sent. Your turn: fix the cause, then retry.',
    );
    expect(names(life.pass(MINUTE).check({ notSent: 1, waiting: 1 }))).toEqual([]);
    expect(names(life.pass(MINUTE).check({ notSent: 2 }))).toEqual(['not-sent-send-1-2']);
    expect(names(life.continueAsNew().pass(MINUTE).check({ notSent: 1 }))).toEqual([]);
    expect(names(life.resend())).toEqual([]);
    expect(names(life.pass(5 * MINUTE).check({ notSent: 1 }))).toEqual(['not-sent-send-2-1']);
  });

  test('are not due because a person closes the send that was in question: the check is an old one', () => {
    const life = begin({ answers: [cutOff()], input: { sendBudget: '1s' } }).pass(MINUTE);
    expect(names(life)).toEqual(['unknown-send-1-1']);
    expect(names(life.check({ notSent: 2 }))).toEqual([]);
    expect(names(life.finish())).toEqual(['closed-Stopped-1']);
  });

  test('are not due before a check shows them, whatever an earlier job left', () => {
    const life = begin({ billRun: { autoEmail: true } }).check({ notSent: 1 });
    expect(names(life)).toEqual(['not-sent-send-1-1']);
    Object.assign(life.job, { earlierNotSent: 3, delivery: { ...life.job.delivery, check: null } });
    expect(names(life)).toEqual([]);
  });

  test('are not due for a person who retries them', () => {
    const life = begin()
      .pass(5 * MINUTE)
      .check({ notSent: 2, waiting: 1 });
    expect(names(life)).toEqual(['not-sent-send-1-1']);
    expect(names(life.retry())).toEqual([]);
    expect(names(life.pass(MINUTE).check({ notSent: 2, waiting: 1 }))).toEqual([]);
  });

  test('are not due while a retry of them waits, as for what earlier jobs did, but while a resend waits', () => {
    const waitingFor = (message: (life: Life) => Life): Life => {
      const life = begin({ input: { resend: true, requestId: 'START' } }).pass(5 * MINUTE);
      expect(names(life.check({ notSent: 1 }))).toEqual(['not-sent-send-1-1']);
      life.unreadable.add('lookUp');
      return message(life).pass(MINUTE).check({ notSent: 2 });
    };
    const retried = waitingFor((life) => life.retry());
    expect(retried.job.incoming).toMatchObject([{ missing: true }]);
    expect(names(retried)).toEqual([]);
    const [notice] = due(waitingFor((life) => life.resend({ requestId: 'T-1' })));
    expect(notice?.notice.text).toBe(
      'Bill run BR-00000001: 2 of 3 documents were not sent. Your turn: fix the cause, then retry.',
    );
  });

  test('are not due while a retry in a new job waits for them, also those that may be on their way', () => {
    const life = begin({ billRun: { autoEmail: true, postedDate: iso(NOON - HOUR) } }).finish();
    expect([life.end?.state, names(life)]).toEqual(['Delivering', []]);
    life.startAgain({ missing: true });
    for (const counts of [
      { waiting: 2, unknown: 1 },
      { notSent: 1, waiting: 2 },
    ])
      expect(names(life.pass(MINUTE).check(counts))).toEqual([]);
    expect(life.send).toMatchObject({ outcome: 'pending', attempts: [] });
    expect(names(life.pass(MINUTE).check({ notSent: 3 }))).toEqual([]);
    expect(life.send).toMatchObject({ outcome: 'accepted' });
    const [notice] = due(life.pass(5 * MINUTE).check({ notSent: 1, waiting: 2 }));
    expect(notice?.notice).toMatchObject({
      text: 'Bill run BR-00000001: 1 of 3 documents was not sent. Your turn: fix the cause, then retry.',
      facts: { documentsNotSent: 1 },
    });
  });

  test('count in the question of a retry only if they were not sent', () => {
    const life = begin()
      .pass(5 * MINUTE)
      .check({ notSent: 1, waiting: 2 });
    expect(names(life)).toEqual(['not-sent-send-1-1']);
    life.unreadable.add('look');
    const [notice] = due(
      life
        .retry()
        .pass(MINUTE)
        .check({ notSent: 1, waiting: 2 })
        .pass(2 * DAY),
    );
    expect(notice?.notice.facts).toMatchObject({ documentsNotSent: 1 });
  });
});

describe('A job that closes', () => {
  test.each([
    [
      'NotPosted',
      () => begin({ billRun: { status: 'Canceled' } }),
      'Closed without emails: NotPosted. Nothing to do for this',
    ],
    [
      'Skipped',
      () => begin({ billRun: { numberOfInvoices: 0, numberOfCreditMemos: 0 } }),
      'There are no documents: Skipped',
    ],
    [
      'Stopped',
      () => begin({ billRun: { status: 'Completed' } }).finish({ reason: 'for jane.doe' }),
      'Closed by a person:',
    ],
    [
      'Stopped',
      () => begin({ billRun: { status: 'Completed' } }).cancel(),
      'Canceled by a person: Stopped (cancel). Nothing',
    ],
  ])('without emailing is due once: %s', (state, closes, text) => {
    const life = closes();
    const [notice] = due(life);
    expect(notice?.name).toBe(`closed-${state}-1`);
    expect(notice?.notice.text).toContain(`Bill run BR-00000001: ${text}`);
    expect(notice?.notice.text).not.toContain('jane');
    expect(names(life)).toEqual([]);
  });

  const emailed = (...answers: Answer[]): Life =>
    begin({ answers: [accepts(), ...answers] })
      .pass(HOUR)
      .check();

  test.each([
    [
      'a refused resend that a person finishes',
      () => emailed(refuses()).resend({ requestId: 'T-1' }).finish(),
      'Closed by a person: Stopped (finish). Zuora accepted an earlier send; this job emailed nothing more. Nothing to do.',
    ],
    [
      'a resend in a new job',
      () => emailed(refuses()).finish().startAgain({ resend: true, requestId: 'T-1' }).cancel(),
      'Canceled by a person: Stopped (cancel). Zuora accepted an earlier send; this job emailed nothing more. Nothing to do.',
    ],
    [
      'a resend without an answer, which a person finishes',
      () => emailed(cutOff()).resend({ requestId: 'T-1' }).finish(),
      'Closed by a person: Stopped (finish). Zuora accepted an earlier send; whether more was emailed is not known. Nothing to do.',
    ],
    [
      'a resend behind a reset, which a person finishes',
      () => emailed(makesNoCall('afterReset'), makesNoCall('afterReset')).resend({ requestId: 'T-1' }).finish(),
      'Closed by a person: Stopped (finish). Zuora accepted an earlier send; whether more was emailed is not known. Nothing to do.',
    ],
    [
      'a refused resend about which nobody answers',
      () =>
        emailed(refuses())
          .resend({ requestId: 'T-1' })
          .pass(8 * DAY),
      'Closed without an answer: Unsettled (refused). Zuora accepted an earlier send; this job emailed nothing more. Your turn: fix the cause, then ask for the resend again, with the same request id.',
    ],
    [
      'a refused retry',
      () =>
        begin({ answers: [accepts(), refuses()] })
          .pass(5 * MINUTE)
          .check({ notSent: 1 })
          .retry()
          .pass(MINUTE)
          .check({ notSent: 1 })
          .finish(),
      'Closed by a person: Stopped (finish). Zuora accepted an earlier send; this job emailed nothing more. Your turn: fix the cause, then retry.',
    ],
  ])('after an accepted send does not ask for a second email: %s', (_, closes, text) => {
    expect(due(closes()).at(-1)?.notice.text).toBe(`Bill run BR-00000001: ${text}`);
  });

  test('with a question that nobody answered is due, after the question', () => {
    const life = begin({ answers: [refuses()] });
    expect(names(life)).toEqual(['refused-send-1-1']);
    expect(names(life.pass(8 * DAY))).toEqual(['closed-Unsettled-1']);
  });

  test.each([
    [
      'emailed',
      begin()
        .pass(HOUR)
        .check()
        .pass(8 * DAY),
    ],
    ['finished after its emails', begin().finish()],
    ['without a valid input', begin({ workflowId: 'email-bill-run/BR-2' })],
  ])('%s gives no notice', (_, life) => {
    expect(life.end).toBeDefined();
    expect(names(life)).toEqual([]);
  });
});
