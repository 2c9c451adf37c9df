/** Rule 3: what the attempts of a send come to, by their keys. */
import { describe, expect, test } from 'vitest';
import type { Verdict } from '../../../workflows/contract/contract.js';
import { attemptsUnder, hasUnknown, verdictOfKey } from '../../../workflows/rules/verdict.js';

/** `stored unknown` is a reply that Zuora had stored under the key; `/2` names another key. */
function attemptsOf(...words: readonly string[]) {
  return words.map((each) => {
    const [, stored = '', verdict = '', key = '1'] = /^(stored )?(\w+)(?:\/(\d))?$/.exec(each) ?? [];
    return { idempotencyKey: `key/${key}`, verdict: verdict as Verdict, stored: stored !== '' };
  });
}

describe('The verdict on a key', () => {
  test.each([
    [[], undefined],
    [['refused'], 'refused'],
    [['unknown'], 'unknown'],
    // Nothing is in question yet: the last attempt counts.
    [['notExecuted', 'refused'], 'refused'],
    [['refused', 'notExecuted'], 'notExecuted'],
    [['notExecuted', 'unknown'], 'unknown'],
    // A fresh answer says nothing about an attempt that may have arrived.
    [['unknown', 'refused'], 'unknown'],
    [['unknown', 'notExecuted'], 'unknown'],
    [['unknown', 'unknown'], 'unknown'],
    // A success or a stored reply does.
    [['unknown', 'accepted'], 'accepted'],
    [['unknown', 'stored refused'], 'refused'],
    [['unknown', 'stored notExecuted'], 'notExecuted'],
    [['unknown', 'stored unknown'], 'unknown'],
    [['unknown', 'stored refused', 'unknown'], 'unknown'],
  ])('after %j is %s', (attempts, verdict) => {
    expect(verdictOfKey(attemptsOf(...attempts))).toBe(verdict);
  });
});

describe('A send has an unknown outcome', () => {
  test.each([
    [[], false],
    [['accepted'], false],
    [['unknown'], true],
    [['unknown', 'accepted'], false],
    [['unknown', 'refused'], true],
    // Each key by itself.
    [['unknown/1', 'accepted/2'], true],
    [['refused/1', 'unknown/2'], true],
    [['refused/1', 'accepted/2'], false],
    [['unknown/1', 'unknown/2', 'accepted/1'], true],
    [['unknown/1', 'unknown/2', 'accepted/1', 'stored refused/2'], false],
  ])('after %j: %j', (attempts, expected) => {
    expect(hasUnknown({ attempts: attemptsOf(...attempts) })).toBe(expected);
  });
});

test('The attempts under a key are those that used it, in their order', () => {
  const attempts = attemptsOf('unknown/1', 'refused/2', 'accepted/1');
  expect(attemptsUnder({ attempts }, 'key/1')).toEqual([attempts[0], attempts[2]]);
  expect(attemptsUnder({ attempts }, 'key/3')).toEqual([]);
});
