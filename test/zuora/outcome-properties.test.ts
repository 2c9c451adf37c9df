/** What holds for any answer at all, with answers that are made up. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { outcomeOf, type Answer } from '../../zuora/outcome.js';

describe('whatever comes back', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', maxLength: 2000, size: 'max' }));
  const digits = fc.integer({ min: 0, max: 99_999_999 });
  const code = fc.oneof(digits, digits.map(String), fc.constantFrom(11, 50, 70, '53100350', 53100320), fc.jsonValue());
  const success = fc.oneof(fc.boolean(), fc.constantFrom('true', 1, null, [], {}));
  const body = fc.oneof(
    text,
    fc.json(),
    fc
      .record(
        {
          success,
          reasons: fc.oneof(fc.array(fc.oneof(fc.record({ code, message: text }), fc.jsonValue())), fc.jsonValue()),
          code,
          message: fc.oneof(text, fc.jsonValue()),
        },
        { requiredKeys: [] },
      )
      .map((object) => JSON.stringify(object)),
  );
  const headerValue = fc.oneof(
    text,
    fc.integer().map(String),
    fc.double().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.array(text),
    fc.constant(undefined),
  );
  const headers = fc.oneof(
    fc.dictionary(fc.string(), headerValue),
    fc.record({ 'retry-after': headerValue, 'ratelimit-reset': headerValue }),
  );
  const status = fc.oneof(
    fc.constantFrom(200, 200, 202, 301, 400, 401, 403, 404, 409, 422, 429, 500, 503),
    fc.integer({ min: 100, max: 999 }),
    fc.integer(),
    fc.constant(NaN),
  );
  const answer: fc.Arbitrary<Answer> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('reply' as const), status, headers, body }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('unreadable' as const), status, headers, code: text, message: text }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('silence' as const), code: text, message: text }) },
  );
  const now = fc.integer({ min: 0, max: 4_102_444_800_000 });

  function refusal(body: object): Answer {
    return { kind: 'reply', status: 400, headers: {}, body: JSON.stringify(body) };
  }

  /** The body, if it is JSON. */
  function jsonOf(received: Answer): unknown {
    try {
      return received.kind === 'reply' ? JSON.parse(received.body) : undefined;
    } catch {
      return undefined;
    }
  }

  const around = fc.record({ before: text, address: fc.emailAddress(), after: text });

  type Check = (received: Answer, time: number, around: { before: string; address: string; after: string }) => void;

  /** All of them are checked for each answer: most of the time goes into making answers up. */
  const properties: Readonly<Record<string, Check>> = {
    'there is a verdict': (received, time) => {
      expect(['accepted', 'notExecuted', 'refused', 'unknown']).toContain(outcomeOf(received, time).verdict);
    },

    'it is accepted if it is a 2xx with `success: true`, and only then': (received, time) => {
      const json = jsonOf(received);
      const succeeded =
        received.kind === 'reply' &&
        received.status >= 200 &&
        received.status < 300 &&
        typeof json === 'object' &&
        json !== null &&
        Object.entries(json).some(([name, value]) => name === 'success' && value === true);
      expect(outcomeOf(received, time).verdict === 'accepted').toBe(succeeded);
    },

    'a 5xx, a redirect and silence are never anything but unknown': (received, time) => {
      // `time` is as random as the answer.
      for (const status of [300 + (time % 100), 500 + (time % 500)]) {
        const changed = received.kind === 'silence' ? received : { ...received, status };
        expect(outcomeOf(changed, time).verdict).toBe('unknown');
      }
    },

    'nothing is said not to be executed without a 4xx or `success: false` that says so': (received, time) => {
      if (['accepted', 'unknown'].includes(outcomeOf(received, time).verdict)) return;
      const clientError = received.kind !== 'silence' && received.status >= 400 && received.status < 500;
      expect(clientError || (jsonOf(received) as { success: unknown }).success === false).toBe(true);
    },

    'the wait is absent, or a number that is not negative': (received, time) => {
      const { retryAfterMs = 0 } = outcomeOf(received, time);
      expect(Number.isFinite(retryAfterMs) && retryAfterMs >= 0).toBe(true);
    },

    'its reasons are few, short, on one line and well-formed, and hold no email address': (
      received,
      time,
      { before, address, after },
    ) => {
      const message = before + address + after;
      const answers: Answer[] = [
        received,
        { kind: 'silence', code: 'X', message },
        refusal({ code: message, message }),
        refusal({ reasons: [{ message }, { code: message }] }),
      ];
      for (const { reasons } of answers.map((each) => outcomeOf(each, time))) {
        expect(reasons.length).toBeLessThanOrEqual(5);
        for (const kept of reasons) {
          expect(kept.code.length).toBeLessThanOrEqual(61);
          expect(kept.message.length).toBeLessThanOrEqual(301);
          for (const words of [kept.code, kept.message]) {
            expect(words).not.toContain('@');
            expect(words).not.toMatch(/[\r\n\u2028\u2029\p{Cc}\p{Surrogate}]/u);
          }
        }
      }
    },
  };

  test('has an outcome with all of these properties', () => {
    fc.assert(
      fc.property(answer, now, around, (...made) => {
        for (const [name, check] of Object.entries(properties)) {
          try {
            check(...made);
          } catch (error) {
            throw new Error(`${name}: ${String(error)}`, { cause: error });
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
