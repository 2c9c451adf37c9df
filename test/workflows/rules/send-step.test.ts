/** What keeps the first attempt of a send back. */
import { describe, expect, test } from 'vitest';
import { obstaclesIn } from '../../../workflows/rules/send-step.js';
import { begin, DAY, HOUR, iso, MINUTE, NOON, POSTED, SECOND } from '../../support/life.js';

describe('After a check that accounts for every document', () => {
  const written = '2026-03-02T12:00:00';

  /** Whether emails of that time are waited for. */
  const waits = (lastEmailSentTime: string, accountedAt: number): boolean => {
    const now = NOON + HOUR;
    const look = { billRun: { ...POSTED, lastEmailSentTime }, at: now };
    return obstaclesIn(look, { coolDownMs: DAY, missing: true, accountedAt }, now).length > 0;
  };

  test('only later emails are waited for', () => {
    expect(waits(iso(NOON), NOON - 1)).toBe(true);
    expect(waits(iso(NOON), NOON)).toBe(false);
  });

  test('a time without a zone is later only if it is so in every zone, 14 hours before UTC too', () => {
    expect(waits(written, NOON - 14 * HOUR - 1)).toBe(true);
    expect(waits(written, NOON - 14 * HOUR)).toBe(false);
  });
});

test('Of emails and a post at the same time, people read of the emails', () => {
  const at = iso(NOON - HOUR);
  const billRun = { postedNotifications: ['Invoice Posted'], lastEmailSentTime: at, postedDate: at };
  expect(begin({ billRun }).step.text).toMatch(/^Zuora emailed documents of this bill run at 2026-03-02 11:00:00 UTC/);
});

test('A send for what was missed waits for a check, and sends nothing before the job has noted what it shows', () => {
  const waits = {
    ...{ kind: 'wait', until: Infinity, wake: Infinity, state: 'Delivering', reason: 'notSent' },
    text: 'Checking once more which documents were not sent',
  };
  const life = begin().pass(MINUTE).check({ notSent: 1 }).pass(MINUTE).retry().pass(SECOND);
  expect(life.step).toEqual(waits);
  const steps: unknown[] = [];
  life.betweenSteps = ({ step }) => steps.push(step);
  life.check();
  expect(steps[0]).toEqual(waits);
  expect(life.state).toBe('Emailed');
});
