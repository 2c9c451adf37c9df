import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idempotencyKey, intentKey, trackId, trackIdPrefix, type Intent } from '../../../workflows/rules/keys.js';

// Mutation tests set a seed: a mutant that survives at random would mean nothing.
fc.configureGlobal(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) });

interface KeyParts extends Intent {
  readonly number: number;
}

function keyOf(parts: KeyParts): string {
  return idempotencyKey(intentKey(parts), parts.number);
}

const HEX = Array.from('0123456789abcdef');
const NEARLY_HARMLESS = Array.from('aA._-/ 1');

/** Any string: halves of surrogate pairs, control characters, and texts that look like a key or a digest. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    '',
    '.',
    '..',
    '../',
    '__proto__',
    'first',
    'first/1',
    'a/resend/b',
    'sha256-',
    'SHA256-ab',
    '\ud800',
  ),
  fc.string({ unit: fc.constantFrom(...HEX), minLength: 64, maxLength: 64 }).map((hex) => `sha256-${hex}`),
  fc.string({ unit: fc.constantFrom(...NEARLY_HARMLESS), maxLength: 110 }),
);

const anyParts: fc.Arbitrary<KeyParts> = fc.record({
  billRunId: anyText,
  resend: fc.boolean(),
  requestId: anyText,
  number: fc.integer({ min: 1, max: 1_000_000 }),
});

/** The meaning of a key: the request counts for a resend only. */
function intentOf({ billRunId, resend, requestId, number }: KeyParts): string {
  return JSON.stringify([billRunId, resend, resend ? requestId : '', number]);
}

describe('The idempotency key', () => {
  test('has 1 to 255 printable ASCII characters, as Zuora demands, for any ids of callers', () => {
    fc.assert(
      fc.property(anyParts, (parts) => {
        expect(keyOf(parts)).toMatch(/^[\x21-\x7e]{1,255}$/);
      }),
    );
  });

  test('differs if the intent differs, and only then', () => {
    fc.assert(
      fc.property(anyParts, anyParts, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(intentOf(one) === intentOf(other));
      }),
      { numRuns: 2_000 },
    );
  });

  test('differs if only one part differs, also by half a character', () => {
    fc.assert(
      fc.property(anyParts, anyText, (parts, text) => {
        for (const other of [
          { ...parts, billRunId: text },
          { ...parts, requestId: text },
          { ...parts, resend: !parts.resend },
          { ...parts, number: parts.number + 1 },
        ]) {
          expect(keyOf(parts) === keyOf(other)).toBe(intentOf(parts) === intentOf(other));
        }
      }),
    );
    const resend = { billRunId: 'id', resend: true, number: 1 };
    expect(keyOf({ ...resend, requestId: '\ud800' })).not.toBe(keyOf({ ...resend, requestId: '\ud801' }));
  });

  test('cannot be made to look like the digest of another id', () => {
    const resend = { billRunId: 'id', resend: true, number: 1 };
    const digested = keyOf({ ...resend, requestId: 'a ticket' }).split('/')[3] ?? '';
    expect(digested).toMatch(/^sha256-/);
    expect(keyOf({ ...resend, requestId: digested })).not.toContain(`/${digested}/`);
  });

  test('is readable if the ids are harmless, and never changes between releases', () => {
    const billRunId = '8ad09e208b1a';
    expect(keyOf({ billRunId, resend: false, requestId: 'JOB-1', number: 1 })).toBe(
      'bill-run-email/8ad09e208b1a/first/1',
    );
    expect(keyOf({ billRunId, resend: true, requestId: 'TICKET-1', number: 2 })).toBe(
      'bill-run-email/8ad09e208b1a/resend/TICKET-1/2',
    );
    expect(keyOf({ billRunId, resend: true, requestId: 'a b', number: 1 })).toBe(
      'bill-run-email/8ad09e208b1a/resend/sha256-32e8eec2cbbe3ab502c8777bf2c38fa800d0f37d7329fa5f482a724c3e3f746f/1',
    );
  });
});

describe('The track id', () => {
  const anyUnique = fc.uuid();

  test('is legal for Zuora: at most 64 characters of ASCII, none of : ; " and apostrophe', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 1_000_000_000 }), anyUnique, (key, attempt, unique) => {
        expect(trackId(key, attempt, unique)).toMatch(/^[\x21\x23-\x26\x28-\x39\x3c-\x7e]{1,64}$/);
      }),
    );
  });

  test('differs for each attempt under a key, and between jobs that reach the same attempt', () => {
    fc.assert(
      fc.property(anyText, fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 9 }), (key, attempts) => {
        const ids = attempts.flatMap((attempt) => [
          trackId(key, attempt, '0d9c8b7a-0000-4000-8000-000000000000'),
          trackId(key, attempt, '1d9c8b7a-0000-4000-8000-000000000000'),
        ]);
        expect(new Set(ids).size).toBe(2 * attempts.length);
      }),
    );
  });

  test('shows by its beginning the key that it was made for', () => {
    fc.assert(
      fc.property(anyText, anyText, anyUnique, (key, other, unique) => {
        expect(trackId(key, 1, unique).startsWith(trackIdPrefix(other))).toBe(key === other);
      }),
    );
  });
});
