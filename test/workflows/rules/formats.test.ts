/** How texts for people are written: times, counts, other people's words, and summaries in Temporal UI. */
import { describe, expect, test } from 'vitest';
import type { Attempt } from '../../../workflows/contract/contract.js';
import * as text from '../../../workflows/rules/text.js';
import { iso, NOON } from '../../support/life.js';

const request = (rest: object) => ({ requestId: 'R', resend: false, requestedAt: iso(NOON), ...rest });
const [plain, missing] = [request({}), request({ missing: true })];

test('Documents that need a person come right after those that were sent', () => {
  expect(text.OUTCOMES).toEqual(['sent', 'notSent', 'unknown', 'waiting', 'leftOut']);
  const words = { sent: 'sent', notSent: 'not sent', unknown: 'unknown', waiting: 'waiting', leftOut: 'left out' };
  expect(text.OUTCOMES_IN_WORDS).toEqual(words);
});

test('A time is in UTC, and to the second', () => {
  expect(text.time(NOON + 987)).toBe('2026-03-02 12:00:00 UTC');
  expect(text.iso(NOON + 987)).toBe('2026-03-02T12:00:00.987Z');
});

test.each([
  [false, [], 'first send'],
  [false, [plain], 'first send'],
  [false, [plain, missing], 'retry of what was not sent'],
  [true, [plain, missing], 'resend'],
  [true, [], 'resend'],
])('A send, resend %j, for %j is a %s', (resend, requests, kind) => {
  expect(text.kindOfSend({ resend, requests })).toBe(kind);
  if (!requests.includes(missing)) expect(text.kindOf(resend)).toBe(kind);
});

test.each([
  ['notPosted', 'Waiting (notPosted)'],
  ['', 'Waiting'],
  [null, 'Waiting'],
  [undefined, 'Waiting'],
])('A state has its reason in brackets, if there is one: %j', (reason, words) => {
  expect(text.stateInWords('Waiting', reason)).toBe(words);
});

test.each([
  [0, '0 documents', 'were'],
  [1, '1 document', 'was'],
  [2, '2 documents', 'were'],
])('Only one is singular: %i', (count, words, verb) => {
  expect(text.counted(count, 'document')).toBe(words);
  expect(text.notSentInWords(count)).toBe(`${words} ${verb} not sent`);
});

describe('Words of others', () => {
  test.each([
    ['are code', 'HTTP 503: no answer', 'HTTP 503: no answer'],
    ['cannot end the code', 'a `b` c', 'a b c'],
    ['are on one line', 'a\r\n\t  b', 'a b'],
    ['have no blanks around them', '  a  ', 'a'],
    ['have no control or format characters', 'a\u0007\u200b\u202eb', 'a b'],
    ['have no halves of characters, and keep whole ones', 'a\ud83d b 😀', 'a b 😀'],
    ['are never empty: two backticks would begin code', '', ' '],
    ['are not empty either if nothing is left of them', '`\u200b`', ' '],
    ['have 120 characters', 'x'.repeat(120), 'x'.repeat(120)],
    ['have no more', 'x'.repeat(121), `${'x'.repeat(120)}…`],
    ['are cut after what goes is gone', `${' '.repeat(50)}${'x'.repeat(120)}`, 'x'.repeat(120)],
    ['show that the cut halved a character', `${'x'.repeat(119)}😀`, `${'x'.repeat(119)}\ufffd…`],
  ])('%s', (_, words, line) => {
    expect(text.quoted(words)).toBe(`\`${line}\``);
  });

  test('can have a limit of their own', () => {
    expect(text.quotedUpTo(3, 'abc')).toBe('`abc`');
    expect(text.quotedUpTo(3, 'abcd')).toBe('`abc…`');
  });
});

describe('An answer of Zuora', () => {
  const attempt = (httpStatus: number | null, reasons: Attempt['reasons'] = []): Attempt => ({
    ...{ idempotencyKey: 'key/1', trackId: 'bre-1', startedAt: iso(NOON), durationMs: 1, zuoraRequestId: null },
    ...{ httpStatus, verdict: 'unknown', stored: false, reasons },
  });

  test.each([
    [null, [], 'no answer'],
    [503, [], 'HTTP 503'],
    // The status says the same.
    [503, [{ code: 'HTTP 503', message: 'Unavailable' }], 'HTTP 503'],
    [500, [{ code: 'HTTP 503', message: 'Unavailable' }], 'HTTP 500, `HTTP 503: Unavailable`'],
    [
      null,
      [{ code: 'ECONNRESET', message: 'the connection was reset' }],
      'no answer, `ECONNRESET: the connection was reset`',
    ],
    [400, [{ code: '58730030', message: '' }], 'HTTP 400, `58730030, which Zuora does not explain`'],
    [
      400,
      [
        { code: 'A', message: 'one' },
        { code: 'B', message: 'two' },
      ],
      'HTTP 400, `A: one`; `B: two`',
    ],
    [400, [{ code: 'A', message: 'x'.repeat(398) }], `HTTP 400, \`A: ${'x'.repeat(397)}…\``],
    [400, [{ code: 'A', message: 'x'.repeat(397) }], `HTTP 400, \`A: ${'x'.repeat(397)}\``],
  ])('has its status, and each reason that adds something: %j with %j', (httpStatus, reasons, words) => {
    expect(text.answerOf(attempt(httpStatus, reasons))).toBe(words);
  });
});

test('Halves of characters are replaced, one by one, and whole characters stay', () => {
  expect(text.wellFormed('a\ud83d\ud83db\ude00😀')).toBe('a\ufffd\ufffdb\ufffd😀');
});

describe('The summary of a timer or an activity', () => {
  test.each([
    ['is the text', 'attempt 1 (first send)', 'attempt 1 (first send)'],
    ['has no markdown', 'a `b` [c](d) <e>', 'a b c (d) e'],
    ['is on one line', ' a \r\n\t b ', 'a b'],
    ['has no control or format characters', 'a\u0007\u200b\u202eb', 'a b'],
    ['has no halves of characters', 'a\ud83d\ud83db', 'a b'],
    ['has 200 bytes', 'x'.repeat(200), 'x'.repeat(200)],
    ['has no more', 'x'.repeat(201), `${'x'.repeat(197)}…`],
    ['has 200 bytes in other scripts, too', 'é'.repeat(100), 'é'.repeat(100)],
    ['has no more in other scripts', 'é'.repeat(101), `${'é'.repeat(98)}…`],
    ['is not cut within a character', `${'x'.repeat(194)}😀${'x'.repeat(9)}`, `${'x'.repeat(194)}…`],
    ['keeps a whole character at its end', `${'x'.repeat(193)}😀${'x'.repeat(9)}`, `${'x'.repeat(193)}😀…`],
    ['is of the first 1,000 characters only', `${'`'.repeat(999)}ab`, 'a'],
    ['can be empty', '', ''],
  ])('%s', (_, words, summary) => {
    expect(text.summary(words)).toBe(summary);
    expect(Buffer.byteLength(text.summary(words))).toBeLessThanOrEqual(200);
  });
});

test('The summary of a timer that waits for an answer begins as in all earlier histories, where the audit looks for it', () => {
  expect(text.ANSWER_AWAITED).toBe('answer awaited: ');
});
