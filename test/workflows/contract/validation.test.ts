import { describe, expect, test } from 'vitest';
import { checkInput, checkNote, checkResend, checkRetry } from '../../../workflows/contract/validation.js';
import { LONGEST_ARGUMENT } from '../../../workflows/sandbox/converters.js';
import { undecodableMark } from '../../../workflows/contract/undecodable.js';

const KEY = 'BR-00000001';
const HOUR = 3_600_000;
const INVALID_TEXTS = ['', 'x'.repeat(1001), 1, true, ['a'], { text: 'a' }, 'half a pair: \ud83d', '\udc00'];

function faultsOf(input: unknown): readonly string[] {
  return checkInput(input).faults ?? [];
}

describe('The input of emailBillRun', () => {
  test('needs a key alone; everything else has the defaults of the contract', () => {
    expect(checkInput({ billRunKey: KEY }).value).toEqual({
      billRunKey: KEY,
      resend: false,
      postDeadlineMs: 30 * 24 * HOUR,
      sendBudgetMs: 12 * HOUR,
      coolDownMs: 24 * HOUR,
      openForMs: 7 * 24 * HOUR,
    });
  });

  test('is taken unchanged if it is valid', () => {
    const input = {
      billRunKey: '8ad09e208b1a_x.1-2',
      resend: true,
      requestId: 'Ünï / 1 🙂',
      requestedBy: 'p'.repeat(200),
      reason: 'r'.repeat(1000),
      entityId: 'entity-1',
      orgIds: ['org-1', 'org-2'],
    };
    expect(checkInput(input).value).toMatchObject(input);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', KEY],
    ['a number', 7],
    ['a list', [{ billRunKey: KEY }]],
    ['what cannot be decoded', undecodableMark('ValueError')],
  ])('is refused with the reason when it is %s', (_, input) => {
    expect(faultsOf(input)).toEqual([expect.stringMatching(/^the argument (must be an object|cannot be decoded)/)]);
  });

  test.each([
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['blank', ' '],
    ['over-long', 'B'.repeat(101)],
    ['with a line break', 'BR-1\n'],
    ['with a control character', 'BR-\u0000'],
    ['with a slash', 'BR/1'],
    ['with a backslash', 'BR\\1'],
    ['a path upwards', '../BR-1'],
    ['two dots', '..'],
    ['an encoded slash', 'BR%2F1'],
    ['with a query', 'BR-1?x=1'],
    ['unicode that looks right', 'ΒR-1'],
    ['full-width', 'ＢＲ-1'],
    ['with half a character', 'BR-\ud800'],
    ['a number', 1],
    ['a list', [KEY]],
    ['an object', { id: KEY }],
    ['true', true],
  ])('is refused when billRunKey is %s', (_, billRunKey) => {
    expect(faultsOf({ billRunKey })).toEqual([
      expect.stringMatching(/^billRunKey (is missing|must be an ID or number)/),
    ]);
  });

  test.each([
    ['resend', ['true', 1, 0, 'yes', [], {}]],
    ['requestId', [...INVALID_TEXTS, 'x'.repeat(101)]],
    ['requestedBy', [...INVALID_TEXTS, 'x'.repeat(201)]],
    ['reason', INVALID_TEXTS],
    ['entityId', [...INVALID_TEXTS, '../', 'a/b', 'é', 'a\n']],
    ['orgIds', ['org-1', [], [''], ['a', 1], ['a/b'], [null], {}, Array.from({ length: 101 }, () => 'a')]],
  ])('is refused when %s is of another kind', (field, values) => {
    for (const value of values) {
      expect(faultsOf({ billRunKey: KEY, [field]: value })).toEqual([expect.stringMatching(`^${field} must be `)]);
    }
  });

  test.each(['postDeadline', 'sendBudget', 'coolDown', 'openFor'])('is refused when %s is not a duration', (field) => {
    for (const value of [
      ...[5, 0, '', ' ', '5', '0', '1000', 'soon', '1 fortnight', '1 month', '-1h', '-0.1 s', '1h30m', 'h', '1e9 h'],
      ...['367 days', '9'.repeat(400) + 'd', `${' '.repeat(120)}1h`, 'PT1H', 'NaN h', 'Infinity h', true, [], {}],
    ]) {
      expect(faultsOf({ billRunKey: KEY, [field]: value })).toEqual([
        expect.stringMatching(`^${field} must be a duration`),
      ]);
    }
  });

  test('may have an openFor and a cool-down of zero, but not a post deadline or a budget of zero', () => {
    const zero = { coolDown: '0s', openFor: '0 days' };
    expect(checkInput({ billRunKey: KEY, ...zero }).value).toMatchObject({ coolDownMs: 0, openForMs: 0 });
    expect(faultsOf({ billRunKey: KEY, postDeadline: '0s', sendBudget: '0h' })).toHaveLength(2);
  });

  test('Rule 4: may have a sendBudget of up to 20 hours, because Zuora forgets keys after 24', () => {
    expect(checkInput({ billRunKey: KEY, sendBudget: '20h' }).value?.sendBudgetMs).toBe(20 * HOUR);
    for (const sendBudget of ['20.01h', '1201 minutes', '1 day']) {
      expect(faultsOf({ billRunKey: KEY, sendBudget })[0]).toContain('at most 20 hours');
    }
  });

  test('needs a requestId for a resend, so that repeating it emails once', () => {
    for (const requestId of [undefined, null]) {
      expect(faultsOf({ billRunKey: KEY, resend: true, requestId })).toEqual([
        expect.stringMatching(/^requestId is missing; a resend needs one/),
      ]);
    }
    expect(faultsOf({ billRunKey: KEY, resend: true, requestId: 'TICKET-1' })).toEqual([]);
    expect(faultsOf({ billRunKey: KEY, resend: false })).toEqual([]);
  });

  test('has no fields of version 0.1.0', () => {
    const faults = faultsOf({ billRunKey: KEY, attentionWindow: '7 days', escalationWindow: '7 days' });
    expect(faults).toEqual([expect.stringMatching(/^"attentionWindow", "escalationWindow" are unknown/)]);
  });

  test('may have null for a field that is absent', () => {
    expect(checkInput({ billRunKey: KEY, resend: null, reason: null, orgIds: null, coolDown: null }).value).toEqual(
      checkInput({ billRunKey: KEY }).value,
    );
  });

  test('has no other fields, whatever their names', () => {
    const names = ['billrunkey', 'dryRun', 'constructor', 'toString', '__proto__', '', '"; DROP', '\ud800'];
    for (const name of names) {
      const input: unknown = JSON.parse(`{"billRunKey":"${KEY}",${JSON.stringify(name)}:1}`);
      expect(faultsOf(input)).toEqual([
        expect.stringContaining(`${JSON.stringify(name)} is unknown; the fields are billRunKey, resend,`),
      ]);
    }
  });

  test('is refused with every fault at once', () => {
    const faults = faultsOf({ billRunKey: '', resend: 'true', sendBudget: '21h', dryRun: true, verbose: 1 });
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual(['billRunKey', 'resend', 'sendBudget', '"dryRun",']);
  });

  test('is refused with a short message even if it has thousands of faults', () => {
    const fields = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`field-${index}`, 'x']));
    expect(faultsOf(fields).join('; ').length).toBeLessThan(2_000);
    expect(faultsOf(fields).join()).toContain('and 49990 more are unknown');
    expect(faultsOf({ billRunKey: KEY, ['long'.repeat(100_000)]: 1 }).join().length).toBeLessThan(2_000);
  });
});

test('the longest valid argument is short enough to be read', () => {
  const identifier = 'A'.repeat(100);
  const duration = `${'0'.repeat(96)}1 ms`;
  const longest = {
    ...{ billRunKey: identifier, entityId: identifier, orgIds: Array(100).fill(identifier), resend: false },
    // JSON writes these with six bytes each.
    ...{ requestId: '\u0001'.repeat(100), requestedBy: '\u0001'.repeat(200), reason: '\u0001'.repeat(1_000) },
    ...{ postDeadline: duration, sendBudget: duration, coolDown: duration, openFor: duration },
  };
  expect(checkInput(longest).faults).toBeUndefined();
  expect(Buffer.byteLength(JSON.stringify(longest))).toBeLessThan(LONGEST_ARGUMENT);
});

describe('The messages', () => {
  test.each([
    ['resend', checkResend],
    ['retry', checkRetry],
    ['hold, release and finish', checkNote],
  ])('%s may have no argument, null, or an empty object', (_, check) => {
    for (const argument of [undefined, null, {}, { reason: null }]) expect(check(argument).faults).toBeUndefined();
  });

  test.each([
    ['resend', checkResend],
    ['retry', checkRetry],
    ['hold, release and finish', checkNote],
  ])('%s with nonsense is refused with the reason', (_, check) => {
    for (const argument of [
      ...[0, 1, '', 'now', true, false, [], [{}], [null]],
      ...[{ unknown: 1 }, { reason: 1 }, { reason: '' }, { requestedBy: ['a'] }, { requestedBy: 'x'.repeat(201) }],
      ...[{ reason: 'x'.repeat(1001) }, { reason: '\ud800' }, JSON.parse('{"__proto__":{"reason":"x"}}') as object],
      undecodableMark('ValueError'),
    ]) {
      expect(check(argument).faults?.length).toBeGreaterThan(0);
    }
  });

  test('the mark of an undecodable argument, written by a caller, is an unknown field', () => {
    const mark = Object.keys(undecodableMark(''))[0] ?? '';
    for (const undecodable of [{ toString: 1 }, { toString: null, valueOf: null }, null, 7, [[]]]) {
      expect(checkResend({ [mark]: true, undecodable }).faults?.length).toBeGreaterThan(0);
    }
    expect(checkResend(undecodableMark('x'.repeat(1_000_000))).faults?.join().length).toBeLessThan(200);
  });

  test('resend takes a request id of up to 100 characters', () => {
    expect(checkResend({ requestId: 'x'.repeat(100) }).value?.requestId).toHaveLength(100);
    for (const requestId of ['', 'x'.repeat(101), 1, {}]) expect(checkResend({ requestId }).faults).toHaveLength(1);
  });

  test('retry takes the ordinal of a send, a request id, and sendAnyway as a boolean', () => {
    const message = { ordinal: 2, requestId: 'R-1', requestedBy: 'alice', reason: 'fixed', sendAnyway: true };
    expect(checkRetry(message).value).toEqual(message);
    for (const requestId of ['', 'x'.repeat(101), 1, {}]) expect(checkRetry({ requestId }).faults).toHaveLength(1);
    for (const ordinal of [0, -1, 1.5, '1', 2 ** 60]) expect(checkRetry({ ordinal }).faults).toHaveLength(1);
    for (const sendAnyway of ['true', 1, 'yes']) expect(checkRetry({ sendAnyway }).faults).toHaveLength(1);
  });
});
