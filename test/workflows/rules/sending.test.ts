/** What a send that is due waits for, and what people read meanwhile. */
import { describe, expect, test } from 'vitest';
import { receiveRetry } from '../../../workflows/rules/messages.js';
import { nextStep } from '../../../workflows/rules/next-step.js';
import type { Life } from '../../support/life.js';
import { accepts, begin, busy, cutOff, DAY, during, HOUR, MINUTE, NOON, SECOND } from '../../support/life.js';

/** One document of three was not sent. */
const partly = (): Life => begin().pass(MINUTE).check({ notSent: 1 }).pass(MINUTE);

describe('The question about a read that failed', () => {
  test('holds back a send that has no attempt, although its own requests were looked up', () => {
    const life = begin().hold().resend({ requestId: 'T-1' });
    life.unreadable.add('lookUp');
    life
      .resend({ requestId: 'T-2' })
      .pass(20 * MINUTE)
      .release();
    expect([life.stateAndReason, life.keys]).toEqual(['NeedsAttention cannotRead', ['first/1']]);
  });

  test('is over once the read is not needed any more, and the read is tried again when it is needed', () => {
    const life = partly();
    life.unreadable.add('look');
    life
      .retry()
      .pass(SECOND)
      .check({ notSent: 1 })
      .pass(20 * MINUTE);
    expect(life.stateAndReason).toBe('NeedsAttention cannotRead');
    // The send waits for these emails now, and looks after that.
    life.check({ notSent: 1, unknown: 1 });
    expect([life.stateAndReason, life.question]).toEqual(['Delivering notSent', null]);
    life.unreadable.clear();
    expect(life.pass(DAY).keys).toEqual(['first/1', 'first/2']);
  });
});

describe('A send for what was missed', () => {
  test('waits until the cool-down after the end of the last attempt is over', () => {
    const lasts = during((life) => {
      life.now += 2 * MINUTE;
    }, accepts());
    const life = begin({ answers: [lasts] }).check({ notSent: 1, unknown: 1 });
    life.retry().pass(SECOND).check({ notSent: 1, unknown: 1 });
    expect(life.step).toMatchObject({
      ...{ kind: 'wait', until: NOON + 2 * MINUTE + DAY, state: 'Delivering', reason: 'notSent' },
      text: 'Emails may still be on their way, so what was not sent waits until 2026-03-03 12:02:00 UTC',
    });
  });

  test('shows what was not sent, also while a person’s look at the bill run is due', () => {
    const { job, now } = partly().retry();
    receiveRetry(job, {}, now);
    const text = 'Looking at the bill run again';
    expect(nextStep(job, now)).toEqual({ kind: 'look', state: 'Delivering', reason: 'notSent', text });
  });
});

describe('A hold', () => {
  const expiry = NOON + 23 * HOUR;
  const stepAt = ({ job }: Life, at: number): unknown => nextStep(job, at);
  const heldByAll = (life: Life): Life => {
    life.allOnHold = true;
    return life.pass(HOUR);
  };

  test.each<readonly [string, (life: Life) => Life]>([
    ['wait', (life) => life.hold()],
    ['watchHoldAll', heldByAll],
  ])(
    'ends its %s once Zuora may have forgotten the key of an unknown attempt, for then the question changes',
    (kind, holds) => {
      const life = holds(begin({ otherwise: cutOff() }));
      expect(stepAt(life, life.now)).toMatchObject({ kind, state: 'Held', wake: expiry + 1 });
      expect(stepAt(life, expiry)).toMatchObject({ kind, wake: expiry + 1 });
      expect(stepAt(life, expiry + 1)).toMatchObject({ kind, wake: Infinity });
      const executed = holds(begin({ otherwise: busy() }));
      expect(stepAt(executed, executed.now)).toMatchObject({ kind, wake: Infinity });
    },
  );
});
