/** How a job closes, and what it says then. */
import { describe, expect, test } from 'vitest';
import { endingOf } from '../../../workflows/rules/ending.js';
import { recordHandover } from '../../../workflows/rules/job.js';
import { begin, busy, DAY, iso, Life, NOON, refuses } from '../../support/life.js';

const coolDown = { billRun: { lastEmailSentTime: iso(NOON) } };

describe('A job for what was missed', () => {
  const refused = (): Life => begin({ answers: [refuses()] }).finish();

  test('fails if nothing was emailed for the bill run', () => {
    const text =
      'invalid input: nothing was emailed for this bill run, so nothing can be missing; start the job without "missing"';
    const end = { kind: 'fail', type: 'InvalidInput', state: 'NotPosted', reason: null, text };
    expect(begin({ input: { missing: true } }).end).toEqual(end);
  });

  test('goes on if the starter knows of emails that Temporal has forgotten', () => {
    const life = new Life({ input: { missing: true } });
    life.job.earlier = { accepted: 1, resends: [], unreadable: [] };
    expect([life.go().end, life.keys]).toEqual([undefined, ['first/1']]);
  });

  test.each<readonly [string, string, () => Life]>([
    ['goes on with a send', 'NeedsAttention refused', () => refused().startAgain({ missing: true })],
    [
      'makes the resend that took the place of a send',
      'Held job',
      () => refused().startAgain({ missing: true, hold: true }).resend({ requestId: 'T-1' }),
    ],
  ])('%s that an earlier job attempted in vain', (_, state, at) => {
    const life = at();
    expect([life.end, life.stateAndReason]).toEqual([undefined, state]);
  });

  test('does not show as failed before it has taken up what an earlier job attempted', () => {
    const states: string[] = [];
    const life = refused();
    life.betweenSteps = ({ state }) => states.push(state);
    life.startAgain({ missing: true });
    expect(new Set(states)).toEqual(new Set(['Waiting', 'Sending']));
  });
});

test('A question that nobody answers names every request that is left, and how to go on', () => {
  const life = new Life({ input: { requestId: 'JOB' } });
  life.unreadable.add('lookUp');
  life
    .go()
    .resend({ requestId: 'T-1' })
    .pass(8 * DAY);
  const left =
    'request JOB (first send): no send was begun for it; request T-1 (resend): no send was begun for it. ' +
    'To continue: ask for the resend again, with the request id `T-1`';
  expect(life.end).toMatchObject({ kind: 'fail', type: 'Unsettled', text: `nobody answered in time: ${left}` });
});

describe('A job that a person closes says whether there was an attempt before, in any job', () => {
  const unposted = { billRun: { status: 'Completed' } };
  const resendOnHold = { resend: true, requestId: 'T-1', hold: true };

  test.each<readonly [string, () => Life]>([
    ['A person finished the job; nothing is sent', () => begin(unposted).finish()],
    ['A person finished the job; nothing is sent', () => begin(coolDown).finish()],
    ['The job was canceled in Temporal; nothing is sent', () => begin(coolDown).cancel()],
    ['`ann` finished the job; nothing more is sent', () => begin({ answers: [busy()] }).finish({ requestedBy: 'ann' })],
    ['The job was canceled in Temporal; nothing more is sent', () => begin({ answers: [refuses()] }).cancel()],
    ['A person finished the job; nothing more is sent', () => begin().finish().startAgain(resendOnHold).finish()],
    ['A person finished the job; nothing more is sent', () => begin().hold().resend({ requestId: 'T-1' }).finish()],
  ])('%s: %#', (text, at) => {
    expect(at().end).toMatchObject({ state: 'Stopped', text });
  });
});

test('A job that handed its requests over says what became of each', () => {
  const life = new Life({ workflowId: 'email-bill-run/8ad09e208b1a', input: { requestId: 'JOB' } });
  const { job, now } = life.hold().resend({ requestId: 'T-1' });
  recordHandover(
    job,
    [...job.incoming],
    [
      { requestId: 'JOB', result: 'alreadyEmailed' },
      { requestId: 'T-1', result: 'joined' },
    ],
  );
  job.held = false;
  const text =
    'The job `email-bill-run/BR-00000001` had emailed the documents before, so it sends nothing more; ' +
    'it also has the requests of this job; its page says what was sent';
  expect(endingOf(job, now)).toEqual({ kind: 'complete', state: 'HandedOver', reason: null, text });
});
