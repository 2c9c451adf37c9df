/** Texts and JSON values that are meant to break code. */
import fc from 'fast-check';

export const seed = Number(process.env['HOSTILE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Names of properties that every object inherits. */
const INHERITED = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...INHERITED,
      ...['', ' ', '\u0000', 'half \ud83d', '\udc00', '..', '../..', 'a/b', '%2e%2e%2f', '//elsewhere.test', 'a?b#c'],
      ...[
        'a\r\nx-injected: yes',
        'BR-1\n',
        'BR-1\r\n\r\nGET / HTTP/1.1',
        '\u2028',
        '\u202e',
        'Ünï 🙂',
        '${1+1}',
        '<b>',
      ],
      ...['x'.repeat(99) + '🙂', 'x'.repeat(10_000), '1e400', 'NaN', '9007199254740993', '[a](http://elsewhere.test)'],
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('BR-00000001', 'Posted', 'PostInProgress', 'Completed', '2026-01-01 00:00:00'),
  },
);

const leaf = fc.oneof(
  hostileText,
  fc.constantFrom(null, true, false, 0, -0, -1, 1.5, 2 ** 53 + 2, -(2 ** 63), 1e308, 5e-324),
);

export const hostileJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3, depthIdentifier: 'json' }, leaf, tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'json' }),
  object: fc
    .array(fc.tuple(fc.oneof(hostileText, fc.constantFrom(...INHERITED)), tie('value')), {
      maxLength: 4,
      depthIdentifier: 'json',
    })
    // An assignment to "__proto__" would set the prototype.
    .map((entries) => Object.fromEntries(entries)),
})).value;
