import { describe, expect, test } from 'vitest';
import { outcomeOf, type Answer, type Headers, type Verdict } from '../../zuora/outcome.js';
import { maskOf } from '../../zuora/words.js';

const NOW = Date.UTC(2026, 0, 5, 12);
const HTML = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>';

function reply(status: number, body: unknown, headers: Headers = {}): Answer {
  return { kind: 'reply', status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}

function unreadable(status: number): Answer {
  return { kind: 'unreadable', status, headers: {}, code: 'Z_DATA_ERROR', message: 'incorrect header check' };
}

/** Zuora's failure body of /v1. */
function failure(...codes: unknown[]) {
  return {
    success: false,
    processId: 'A1B2C3D4E5F60718',
    requestId: '0f2b7c1e-6a1e-4c8e-9f61-2a4d1d6d7a55',
    reasons: codes.map((code) => ({ code, message: 'as Zuora says' })),
  };
}

/** Zuora's failure body of Object Query: no `success`. */
function queryFailure(...codes: unknown[]) {
  return { reasons: codes.map((code) => ({ code, message: 'as Zuora says' })), requestId: '0f2b7c1e' };
}

interface Row {
  readonly what: string;
  readonly answer: Answer;
}

function rows(cases: Readonly<Record<string, Answer>>): readonly Row[] {
  return Object.entries(cases).map(([what, answer]) => ({ what, answer }));
}

function each(items: readonly (string | number)[], answer: (item: string | number) => Answer, what: string): Row[] {
  return items.map((item) => ({ what: `${what} ${item}`, answer: answer(item) }));
}

function allAre(verdict: Verdict, { tokenRejected = false } = {}) {
  return ({ answer }: Row): void => {
    expect(outcomeOf(answer, NOW)).toMatchObject({ verdict, tokenRejected });
  };
}

describe('2xx with `success: true` is accepted', () => {
  test.each(
    rows({
      'HTTP 200 with nothing else': reply(200, { success: true }),
      'HTTP 201': reply(201, { success: true }),
      'HTTP 202 with fields unknown to us': reply(202, { success: true, requestId: 'r', reasons: [] }),
      'white space around the JSON': reply(200, '\r\n { "success" :\ttrue }\n'),
      'a rate limit that says when it resets': reply(200, { success: true }, { 'ratelimit-reset': '60' }),
    }),
  )('$what', allAre('accepted'));

  test('and has no reasons', () => {
    expect(outcomeOf(reply(200, { success: true, reasons: [{ code: 1, message: 'm' }] }), NOW).reasons).toEqual([]);
  });
});

describe('anything but a 2xx with a boolean `success` is unknown', () => {
  test.each(
    rows({
      'success as a string': reply(200, { success: 'true' }),
      'success as a number': reply(200, { success: 1 }),
      'success as null': reply(200, { success: null }),
      'success as an array': reply(200, { success: [true] }),
      'success as an object': reply(200, { success: { success: true } }),
      'success in another spelling': reply(200, { Success: true }),
      'success one level too deep': reply(200, { data: { success: true } }),
      'success inherited': reply(200, '{"__proto__": {"success": true}}'),
      'no success: the shape of Object Query': reply(200, queryFailure(50000027)),
      'no success: a record of Object Query': reply(200, { id: '8ad0', billingRunNumber: 'BR-1', status: 'Posted' }),
      'an empty object': reply(200, '{}'),
      'an array': reply(200, [{ success: true }]),
      'the text true': reply(200, 'true'),
      'the text null': reply(200, 'null'),
      'a number': reply(200, '200'),
      'a string': reply(200, '"success"'),
      'an empty body': reply(200, ''),
      'HTTP 199': reply(199, { success: true }),
      'HTTP 300': reply(300, { success: true }),
      'HTTP 204': reply(204, ''),
      'HTML, as of a proxy that asks for a login': reply(200, HTML),
      'JSON that was cut off': reply(200, '{"success":true'),
      'two answers in one': reply(200, '{"success":true}{"success":false}'),
      'a body that could not be read': unreadable(200),
    }),
  )('$what', allAre('unknown'));
});

describe('a lock (category 50) or a limit (category 70) is not executed', () => {
  test.each(
    rows({
      'HTTP 409, lock, code as a number': reply(409, failure(58730050)),
      'HTTP 409, lock, code as a string': reply(409, failure('58730050')),
      'HTTP 409, lock, without success': reply(409, queryFailure(50000050)),
      'HTTP 409, several locks': reply(409, failure(58730050, '50000050')),
      'HTTP 409, over a limit': reply(409, failure(50000070)),
      'HTTP 400, lock': reply(400, failure(53100350)),
      'HTTP 423, lock': reply(423, failure(53100350)),
      'HTTP 200 with success: false, lock': reply(200, failure(53100350)),
      'HTTP 200 with success: false, over a limit': reply(200, failure('50000070')),
      'HTTP 200 with success: false, a bare category': reply(200, failure(70)),
      'HTTP 200 with success: false, a bare category as a string': reply(200, failure('50')),
      'HTTP 200 with success: false, a lock and a limit': reply(200, failure(53100350, 70)),
      'HTTP 200 with success: false, a lock beside a reason without a code': reply(200, failure(53100350, null, '')),
    }),
  )('$what', allAre('notExecuted'));
});

describe('HTTP 429 is not executed, whatever its body', () => {
  test.each(
    rows({
      'over the rate': reply(429, { reasons: [{ code: 70, message: 'API Rate limit exceeded for the minute' }] }),
      'over the concurrency': reply(429, failure('50000070')),
      'HTML of a gateway': reply(429, HTML),
      'an empty body': reply(429, ''),
      'a word for a code': reply(429, failure('TooManyRequests')),
      'a body that could not be read': unreadable(429),
    }),
  )('$what', allAre('notExecuted'));
});

describe('the statuses of a mistake are refused', () => {
  const statuses = [400, 403, 404, 405, 406, 415, 422];
  test.each([
    ...each(statuses, (status) => reply(Number(status), failure(53100320)), 'with a reason, HTTP'),
    ...each(statuses, (status) => reply(Number(status), { message: 'no' }), 'with a message only, HTTP'),
    ...each(statuses, (status) => reply(Number(status), failure('InvalidValue')), 'with a word for a code, HTTP'),
    ...each(statuses, (status) => reply(Number(status), failure(null)), 'with a code of null, HTTP'),
    ...each(statuses, (status) => reply(Number(status), HTML), 'with HTML, HTTP'),
    ...each(statuses, (status) => reply(Number(status), ''), 'with an empty body, HTTP'),
    ...each(statuses, (status) => reply(Number(status), [1, 2]), 'with an array, HTTP'),
    ...rows({
      'HTTP 403 with its code beside the message': reply(403, { code: 403, message: 'Forbidden' }),
      'HTTP 403 with a code beyond the safe integers': reply(403, '{"code": 90071992547409931234567890}'),
      'HTTP 422, a key that was used for something else': reply(422, { message: 'used with another URL' }),
    }),
  ])('$what', allAre('refused'));
});

describe('the categories of a mistake are refused', () => {
  const categories = [10, 20, 21, 22, 23, 24, 25, 26, 27, 30, 40, 45, 90];
  test.each([
    ...each(categories, (category) => reply(200, failure(53100300 + Number(category))), 'HTTP 200, category'),
    ...each(categories, (category) => reply(200, failure(`531003${category}`)), 'HTTP 200, as a string, category'),
    ...each(categories, (category) => reply(400, failure(53100300 + Number(category))), 'HTTP 400, category'),
    ...each(categories, (category) => reply(410, failure(53100300 + Number(category))), 'HTTP 410, category'),
    ...rows({
      'several of them': reply(200, failure(53100320, '53100322', 53100330)),
      'beside a lock, which alone would pass': reply(200, failure(53100350, 53100330)),
    }),
  ])('$what', allAre('refused'));
});

describe('HTTP 401 or category 11 is not executed, and the token is dropped', () => {
  test.each(
    rows({
      'HTTP 401 with a message': reply(401, { message: 'Authentication error' }),
      'HTTP 401 with a reason': reply(401, failure(90000011)),
      'HTTP 401 with a reason that says otherwise': reply(401, failure(53100360)),
      'HTTP 401 with HTML': reply(401, HTML),
      'HTTP 401 with an empty body': reply(401, ''),
      'HTTP 401 with a body that could not be read': unreadable(401),
      'HTTP 200 with category 11': reply(200, failure('90000011')),
      'HTTP 403 with category 11': reply(403, { code: 90000011, message: 'Failed to get user info' }),
    }),
  )('$what', allAre('notExecuted', { tokenRejected: true }));

  test('an accepted answer never drops the token', () => {
    expect(outcomeOf(reply(200, { success: true, code: 90000011 }), NOW).tokenRejected).toBe(false);
  });
});

describe('what may have reached Zuora is unknown', () => {
  const silences = ['ECONNRESET', 'UND_ERR_SOCKET', 'TIMEOUT', 'EPIPE', 'HPE_INVALID_CONSTANT', ''];
  const bodies = { success: { success: true }, lock: failure(53100350), mistake: failure(53100320) };
  test.each([
    ...each(silences, (code) => ({ kind: 'silence', code: String(code), message: 'gone' }), 'no answer:'),
    ...each([500, 501, 502, 503, 504, 520, 599], (status) => reply(Number(status), HTML), 'HTML with HTTP'),
    ...each([500, 503], (status) => reply(Number(status), bodies.success), 'success: true with HTTP'),
    ...each([500, 503], (status) => reply(Number(status), bodies.lock), 'a lock with HTTP'),
    ...each([500, 503], (status) => reply(Number(status), bodies.mistake), 'a mistake with HTTP'),
    ...each([500, 503], (status) => reply(Number(status), ''), 'an empty body with HTTP'),
    ...each([60, 61, 99], (category) => reply(200, failure(53100300 + Number(category))), 'HTTP 200, category'),
    ...each([60, 61, 99], (category) => reply(400, failure(`531003${category}`)), 'HTTP 400, category'),
    ...each([300, 301, 302, 303, 304, 307, 308], (status) => reply(Number(status), ''), 'a redirect, HTTP'),
    ...each([301, 307], (status) => reply(Number(status), { success: true }), 'a redirect that claims success, HTTP'),
    ...each(
      [402, 408, 410, 418, 425, 451, 499],
      (status) => reply(Number(status), HTML),
      'a status not foreseen, HTTP',
    ),
    ...each([400, 403, 404, 409, 415, 500, 302], (status) => unreadable(Number(status)), 'an unreadable body, HTTP'),
    ...rows({
      'HTTP 500 with a word for a code': reply(500, { reasons: [{ code: 'SystemError', message: 'internal' }] }),
      'HTTP 409, a first request with the key in progress': reply(409, { message: 'in progress' }),
      'HTTP 409 with HTML': reply(409, HTML),
      'HTTP 409 with an empty body': reply(409, ''),
      'HTTP 399 with a mistake': reply(399, failure(53100320)),
      'HTTP 400 with a mistake and a word': reply(400, failure(53100320, 'SystemError')),
      'HTTP 409 with a mistake': reply(409, failure(53100330)),
      'HTTP 409, a lock beside an internal error': reply(409, failure(53100350, 53100360)),
      'success: false without reasons': reply(200, { success: false }),
      'success: false with no reasons in the list': reply(200, { success: false, reasons: [] }),
      'success: false with reasons that are no list': reply(200, { success: false, reasons: 'locked' }),
      'success: false with reasons that are nothing': reply(200, { success: false, reasons: [null, 50, 'x', []] }),
      'success: false with a word for a code': reply(200, failure('LOCK_COMPETITION')),
      'success: false with a lock and a word': reply(200, failure(53100350, 'SystemError')),
      'success: false with a lock and an internal error': reply(200, failure(53100350, 53100361)),
      'success: false with a mistake and an internal error': reply(200, failure(53100320, 53100399)),
      'success: false with a category unknown to us': reply(200, failure(53100312)),
      'success: false with a code of nine digits': reply(200, failure(531003050)),
      'success: false with a code of three digits': reply(200, failure(150)),
      'success: false with a negative code': reply(200, failure(-50)),
      'success: false with a broken number': reply(200, failure(53100350.5)),
      'success: false with a code beyond the safe integers': reply(
        200,
        '{"success":false,"reasons":[{"code":9007199254740993000000000000050}]}',
      ),
      'success: false with a code that only ends right': reply(200, failure('x53100350')),
      'success: false with a code of many lines': reply(200, failure('53100350\n')),
      'success: false with a list for a code': reply(200, failure([53100350])),
    }),
  ])('$what', allAre('unknown'));
});

describe('how long Zuora asks us to wait', () => {
  const wait = (status: number, headers: Headers, body: unknown = ''): number | undefined =>
    outcomeOf(reply(status, body, headers), NOW).retryAfterMs;

  test('Retry-After in seconds', () => {
    expect(wait(429, { 'retry-after': '120' })).toBe(120_000);
    expect(wait(503, { 'retry-after': ' 7 ' })).toBe(7000);
    expect(wait(429, { 'retry-after': '0' })).toBe(0);
    expect(wait(429, { 'retry-after': '1.5' })).toBe(1500);
    expect(wait(429, { 'retry-after': '1.25' })).toBe(1250);
  });

  test('Retry-After as a date, in each form of HTTP', () => {
    expect(wait(429, { 'retry-after': new Date(NOW + 90_000).toUTCString() })).toBe(90_000);
    expect(wait(503, { 'retry-after': 'Monday, 05-Jan-26 12:02:00 GMT' })).toBe(120_000);
    expect(wait(503, { 'retry-after': `  ${new Date(NOW + 90_000).toUTCString()}  ` })).toBe(90_000);
  });

  test('a date that is over means now', () => {
    expect(wait(429, { 'retry-after': new Date(NOW - 1000).toUTCString() })).toBe(0);
  });

  test('ratelimit-reset where a limit was hit, in seconds', () => {
    expect(wait(429, { 'ratelimit-reset': '42' })).toBe(42_000);
    expect(wait(429, { 'ratelimit-reset': '42;w=60, 3000;w=3600' })).toBe(42_000);
    expect(wait(200, { 'ratelimit-reset': '42' }, failure(70))).toBe(42_000);
  });

  test('ratelimit-reset says nothing elsewhere, because every answer has it', () => {
    expect(wait(409, { 'ratelimit-reset': '42' }, failure(53100350))).toBeUndefined();
    expect(wait(500, { 'ratelimit-reset': '42' })).toBeUndefined();
    expect(wait(401, { 'ratelimit-reset': '42' })).toBeUndefined();
  });

  test('Retry-After goes before ratelimit-reset, unless it cannot be read', () => {
    expect(wait(429, { 'retry-after': '5', 'ratelimit-reset': '42' })).toBe(5000);
    expect(wait(429, { 'retry-after': 'soon', 'ratelimit-reset': '42' })).toBe(42_000);
  });

  test('the first one of several', () => {
    expect(wait(429, { 'retry-after': ['5', '10'] })).toBe(5000);
    const dates = [90_000, 60_000].map((later) => new Date(NOW + later).toUTCString());
    expect(wait(429, { 'retry-after': dates })).toBe(90_000);
    expect(wait(429, { 'retry-after': [] })).toBeUndefined();
  });

  test('with neither header there is no wait to obey', () => {
    expect(outcomeOf(reply(429, ''), NOW)).not.toHaveProperty('retryAfterMs');
    expect(outcomeOf({ kind: 'silence', code: 'TIMEOUT', message: 'm' }, NOW)).not.toHaveProperty('retryAfterMs');
  });

  test.each([
    ...['', ' ', 'soon', '-5', '-1.5', '1e3', '0x10', 'NaN', 'Infinity', '99999999999', '5 minutes', '12:30'],
    'not before Mon, 05 Jan 2026 12:02:00 GMT',
    'Mon, 05 Jan 2026 12:02:00 GMT (or later)',
  ])('a Retry-After of "%s" is not a wait', (value) => {
    expect(wait(429, { 'retry-after': value })).toBeUndefined();
  });

  test('a number of a million digits is not a number of seconds', () => {
    expect(wait(429, { 'retry-after': '9'.repeat(1_000_000) })).toBeUndefined();
  });
});

describe('the reasons that are kept', () => {
  const reasons = (answer: Answer) => outcomeOf(answer, NOW).reasons;

  test("are Zuora's own words, all of several", () => {
    const body = failure();
    body.reasons.push({ code: 53100320, message: 'not posted' }, { code: '53100322', message: 'resend is missing' });
    expect(reasons(reply(400, body))).toEqual([
      { code: '53100320', message: 'not posted' },
      { code: '53100322', message: 'resend is missing' },
    ]);
  });

  test('take the status for a code where there is only a message', () => {
    expect(reasons(reply(401, { message: 'Authentication error' }))).toEqual([
      { code: 'HTTP 401', message: 'Authentication error' },
    ]);
    expect(reasons(reply(403, { code: 90000010, message: 'Forbidden' }))).toEqual([
      { code: '90000010', message: 'Forbidden' },
    ]);
    expect(reasons(reply(403, { code: 90000010 }))).toEqual([{ code: '90000010', message: '' }]);
  });

  test('say what came instead of a reason, and quote no page', () => {
    expect(reasons(reply(502, HTML))).toEqual([
      { code: 'HTTP 502', message: 'Zuora answered HTTP 502 with a body that is not a JSON object' },
    ]);
    expect(reasons(reply(502, '"Bad gateway"'))).toEqual([
      { code: 'HTTP 502', message: 'Zuora answered HTTP 502 with a body that is not a JSON object' },
    ]);
    expect(reasons(reply(504, ''))).toEqual([
      { code: 'HTTP 504', message: 'Zuora answered HTTP 504 with an empty body' },
    ]);
    expect(reasons(reply(200, { success: false }))).toEqual([
      { code: 'HTTP 200', message: 'Zuora answered HTTP 200 with no reason' },
    ]);
  });

  test('name the status and the fault of a body that could not be read', () => {
    expect(reasons(unreadable(200))).toEqual([{ code: 'HTTP 200', message: 'Z_DATA_ERROR: incorrect header check' }]);
  });

  test('name the failure of the connection', () => {
    expect(reasons({ kind: 'silence', code: 'ECONNRESET', message: 'read ECONNRESET' })).toEqual([
      { code: 'ECONNRESET', message: 'read ECONNRESET' },
    ]);
  });

  test('are five at most', () => {
    expect(reasons(reply(400, failure(...Array.from({ length: 10_000 }, () => 53100320))))).toHaveLength(5);
  });

  test('are one line each', () => {
    expect(reasons(reply(400, { message: 'a\r\n\tb\u0000\u2028c  d' }))[0]?.message).toBe('a b c d');
  });

  test.each([
    ['Recipient jane.doe@example.com is not valid', 'Recipient [address] is not valid'],
    ['<jane@example.com>, "joe@example.com"; kim@example.com', '<[address]>, "[address]"; [address]'],
    ["o'brien'@example.com bounced", '[address] bounced'],
    ['mailto:jane%40example.com bounced', 'mailto:[address] bounced'],
    ['jane@localhost', '[address]'],
    ['jane@\nexample.com', '[address] example.com'],
    ['"jane doe"@example.com', '"jane doe"[address]'],
  ])('hold no email address: %j', (message, kept) => {
    expect(reasons(reply(400, { message }))[0]?.message).toBe(kept);
  });

  test('are cut off at a length, but never within a character: Temporal takes whole ones only', () => {
    const message = reasons(reply(400, { message: `${'x'.repeat(299)}\u{1f4e7}` }))[0]?.message;
    expect(message).toBe(`${'x'.repeat(299)}\ufffd…`);
    expect(reasons(reply(400, { message: 'half: \ud83d, \udce7' }))[0]?.message).toBe('half: \ufffd, \ufffd');
  });

  test('of a million characters are read in linear time', () => {
    const million = 'x'.repeat(1_000_000);
    expect(reasons(reply(400, { code: million, message: million }))).toHaveLength(1);
    expect(reasons(reply(400, { message: '@'.repeat(1_000_000) }))).toEqual([
      { code: 'HTTP 400', message: '[address]' },
    ]);
    expect(reasons(reply(400, { message: 'x '.repeat(500_000) }))).toHaveLength(1);
  });
});

describe('words that are kept', () => {
  const masked = (secret: string, text: string): string => maskOf([secret, 't0ken-of-an-hour'])(text);

  test.each<[string, string, string]>([
    ['s3cret-of-a-client', 'no: s3cret-of-a-client, nos3cret-of-a-clients', 'no: [secret], no[secret]s'],
    ['s3cret-of-a-client', 'Bearer t0ken-of-an-hour', 'Bearer [secret]'],
    ['a+b&c=d é%', 'client_secret=a%2Bb%26c%3Dd+%C3%A9%25&x=1', 'client_secret=[secret]&x=1'],
    ['quoted"\\by JSON', String.raw`{"secret":"quoted\"\\by JSON"}`, '{"secret":"[secret]"}'],
    ['$&(.*)[', 'is $&(.*)[ right', 'is [secret] right'],
    ['b', 'client_secret=b is bad, "b" and b.', 'client_secret=[secret] is bad, "[secret]" and [secret].'],
    ['1', 'BR-00000001: 1 of 10, HTTP 401', 'BR-00000001: [secret] of 10, HTTP 401'],
    ['{', 'no { here, client_secret=%7B&', 'no [secret] here, client_secret=[secret]&'],
    ['"', 'it is " here', 'it is [secret] here'],
    ['', 'nothing', 'nothing'],
  ])('have no secret %j: %j', (secret, text, kept) => {
    expect(masked(secret, text)).toBe(kept);
  });

  test('have none where they are cut', () => {
    const { reasons } = outcomeOf(
      reply(400, { message: `${'x '.repeat(148)}s3cret-of-a-client` }),
      0,
      maskOf(['s3cret-of-a-client']),
    );
    expect(JSON.stringify(reasons)).not.toContain('s3');
  });

  test.each(['53100330', 'success', 'reasons', 'code', '30', '{'])(
    'are judged before a secret is taken out: %j',
    (secret) => {
      const body = { success: false, reasons: [{ code: 53100330, message: `no ${secret}` }] };
      expect(outcomeOf(reply(200, body), 0, maskOf([secret]))).toMatchObject({
        verdict: 'refused',
        reasons: [{ message: 'no [secret]' }],
      });
    },
  );
});
