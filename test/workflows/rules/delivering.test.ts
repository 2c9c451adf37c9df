/** What people read while Zuora sends the emails, and how long the job stays open then. */
import { describe, expect, test } from 'vitest';
import type { DeliveryCheck } from '../../../workflows/contract/activities.js';
import { delivering, openUntil } from '../../../workflows/rules/delivering.js';
import { recordCheck, recordUncheckable } from '../../../workflows/rules/documents.js';
import { statusOf } from '../../../workflows/rules/status.js';
import { begin, DAY, HOUR, iso, Life, MINUTE, NOON } from '../../support/life.js';

const OPEN_FOR = 7 * DAY;
const ACCEPTED = 'Zuora accepted the request and is sending the emails';

type Documents = DeliveryCheck['documents'];

/** A job whose last check, after which none comes, shows this. */
function afterLastCheck(counts: Parameters<Life['check']>[0], change: Partial<Documents> = {}): Life {
  const life = begin().check(counts, null);
  const { check = null } = life.job.delivery ?? {};
  if (check === null) throw new Error('there was no check');
  recordCheck(life.job, { ...check, documents: { ...check.documents, ...change } }, life.now);
  return life;
}

const document = (outcome: Documents['list'][number]['outcome'], reason: string) =>
  ({ number: `INV-${outcome}`, kind: 'invoice', outcome, reason }) as const;

describe('People read', () => {
  const over = 'and the checks are over. Look at the email history of some of them in Zuora';

  test.each<readonly [string, Life, string]>([
    ['that Zuora sends, before the first check', begin(), ACCEPTED],
    [
      'how many are sent, while checks go on',
      begin().check({ waiting: 1 }),
      `${ACCEPTED}. Zuora shows an email for 2 of 3 documents; checks go on until 2026-03-03 12:00:00 UTC`,
    ],
    [
      'why nobody knows of a document, after the last check',
      afterLastCheck({ unknown: 1 }),
      `Zuora does not show what became of 1 document (\`a cause\`), ${over}`,
    ],
    [
      'the reason of the first document that is unknown, whatever is listed before it',
      afterLastCheck({ unknown: 2 }, { list: [document('leftOut', 'a flag'), document('unknown', 'no permission')] }),
      `Zuora does not show what became of 2 documents (\`no permission\`), ${over}`,
    ],
    [
      'that documents are missing in what Zuora lists, if none of those that it lists is unknown',
      afterLastCheck({}, { complete: false }),
      `Zuora does not list all documents of the bill run, ${over}`,
    ],
  ])('%s', (_, { job, now }, text) => {
    expect(delivering(job, now).text).toBe(text);
  });

  test('of a hold beside that, and the job stays open', () => {
    const hold = 'On hold since 2026-03-02 12:00:00 UTC, by `ann`: nothing is sent until a person releases the job';
    const { step } = begin().hold({ requestedBy: 'ann' });
    const wait = { kind: 'wait', until: Infinity, wake: Infinity };
    expect(step).toEqual({ ...wait, state: 'Delivering', reason: null, text: `${ACCEPTED}. ${hold}` });
  });

  test('that the documents cannot be read, since when, and that the checks go on', () => {
    const { job, now } = begin();
    recordUncheckable(job, { cannotRead: 'HTTP 503', since: NOON });
    const text =
      'Zuora accepted the request, but its documents cannot be read since 2026-03-02 12:00:00 UTC (last: `HTTP 503`). ' +
      'The checks go on by themselves';
    expect(delivering(job, now)).toEqual({ state: 'Delivering', reason: 'cannotRead', text });
  });

  test.each([
    ['Delivering cannotRead', { waiting: 1 }, NOON + HOUR],
    ['Delivering cannotRead', { unknown: 1 }, null],
    ['Delivering notSent', { notSent: 1 }, null],
    ['Emailed', {}, null],
  ] as const)('%s, if reads failed after a check that showed %j', (state, counts, next) => {
    const life = begin().check(counts, next);
    recordUncheckable(life.job, { cannotRead: 'HTTP 503', since: NOON });
    expect(life.stateAndReason).toBe(state);
  });
});

describe('Before the job has noted what is new, people read', () => {
  test('until when a job stays open whose send was accepted a moment ago', () => {
    const statuses: unknown[] = [];
    const life = new Life();
    life.betweenSteps = ({ job, now }) => {
      const { state, until } = statusOf(job, now);
      statuses.push([job.delivery, state, until]);
    };
    life.go();
    expect(statuses.at(-1)).toEqual([null, 'Delivering', iso(NOON + OPEN_FOR)]);
  });

  test('that somebody else emailed, if a look has shown it a moment ago', () => {
    const states: string[] = [];
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) }, input: { coolDown: '1 hour' } });
    life.betweenSteps = ({ stateAndReason }) => states.push(stateAndReason);
    life.change({ invoicesEmailed: true }).pass(HOUR);
    expect([...new Set(states)]).toEqual(['Waiting coolDown', 'Sending', 'Delivering emailedElsewhere']);
  });
});

describe.each([
  ['accepted', {}],
  ['emailed by itself', { autoEmail: true }],
])('A job whose documents Zuora %s stays open for openFor', (_, billRun) => {
  const until = ({ job, now }: Life): unknown => openUntil(job, now);

  test.each<readonly [string, number, (life: Life) => Life]>([
    ['from the last change of a document', 30, (life) => life.pass(30 * MINUTE).check({ notSent: 1 })],
    [
      'without a hold after that change',
      50,
      (life) =>
        life
          .pass(30 * MINUTE)
          .check({ notSent: 1 })
          .pass(10 * MINUTE)
          .hold()
          .pass(20 * MINUTE)
          .release(),
    ],
    [
      'whatever the hold before that change',
      30,
      (life) =>
        life
          .hold()
          .pass(20 * MINUTE)
          .release()
          .pass(10 * MINUTE)
          .check({ notSent: 1 }),
    ],
    [
      'from the release, if the change came during the hold',
      40,
      (life) =>
        life
          .pass(10 * MINUTE)
          .hold()
          .pass(10 * MINUTE)
          .check({ notSent: 1 })
          .pass(20 * MINUTE)
          .release(),
    ],
    [
      'without a hold, if no document changed',
      20,
      (life) =>
        life
          .hold()
          .pass(20 * MINUTE)
          .release(),
    ],
  ])('%s', (__, minutes, lives) => {
    expect(until(lives(begin({ billRun })))).toBe(NOON + minutes * MINUTE + OPEN_FOR);
  });
});
