import { afterEach, describe, expect, test, vi } from 'vitest';
import { zuoraBaseUrl } from '../../zuora/host.js';
import {
  CREDENTIALS,
  email,
  inTurn,
  json,
  neverLeft,
  openLoopbackZuora,
  openZuora,
  reset,
  stall,
  type Arrived,
  type Respond,
} from '../support/loopback-zuora.js';

const BILL_RUN = json(200, { id: '8ad0', billingRunNumber: 'BR-00000001', status: 'Posted' });

afterEach(() => vi.useRealTimers());

function bearers(calls: readonly Arrived[]): unknown[] {
  return calls.map(({ headers }) => headers.authorization);
}

/** Each token lives that long. */
function tokens(expiresIn: unknown): Respond {
  let number = 0;
  return (response, request) => {
    json(200, { access_token: `token-${++number}`, token_type: 'bearer', expires_in: expiresIn })(response, request);
  };
}

describe('a token', () => {
  test('is asked for with a form, and with no token', async () => {
    const { baseUrl, tokenRequests } = await openLoopbackZuora();
    await email(
      openZuora(baseUrl, {
        credentials: () => Promise.resolve({ clientId: 'id-1', clientSecret: 'a+b&c=d é%' }),
      }),
    );

    expect(tokenRequests).toHaveLength(1);
    expect(tokenRequests[0]).toMatchObject({ method: 'POST', path: '/oauth/token' });
    expect(tokenRequests[0]?.body.toString()).toBe(
      'client_id=id-1&client_secret=a%2Bb%26c%3Dd+%C3%A9%25&grant_type=client_credentials',
    );
    expect(Object.keys(tokenRequests[0]?.headers ?? {}).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
    ]);
    expect(tokenRequests[0]?.headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    });
  });

  test('serves many calls, of either kind', async () => {
    const { baseUrl, calls, tokenRequests } = await openLoopbackZuora({ call: BILL_RUN });
    const zuora = openZuora(baseUrl);
    await zuora.getBillRun('BR-00000001');
    await zuora.getBillRun('BR-00000001');
    await email(zuora);
    expect(tokenRequests).toHaveLength(1);
    expect(bearers(calls)).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-1']);
  });

  test('is fetched once, however many callers wait for it', async () => {
    const { baseUrl, calls, tokenRequests } = await openLoopbackZuora({ call: BILL_RUN });
    const zuora = openZuora(baseUrl, { connections: 40 });
    await Promise.all(Array.from({ length: 40 }, () => zuora.getBillRun('BR-00000001')));
    expect(tokenRequests).toHaveLength(1);
    expect(new Set(bearers(calls))).toEqual(new Set(['Bearer token-1']));
  });

  test('that fails is requested once for all who wait, and again for the next one', async () => {
    const { baseUrl, tokenRequests } = await openLoopbackZuora({
      call: BILL_RUN,
      token: inTurn(json(503, {}), tokens(3599)),
    });
    const zuora = openZuora(baseUrl);
    await Promise.all(Array.from({ length: 10 }, () => neverLeft(zuora.getBillRun('BR-00000001'))));
    expect(tokenRequests).toHaveLength(1);
    await zuora.getBillRun('BR-00000001');
    expect(tokenRequests).toHaveLength(2);
  });

  test.each([
    ['an hour: five minutes before its end', 3600, 3299, 3301],
    ['as Zuora gives it, in a string', '3599', 3298, 3300],
    ['eight minutes: after half of them', 480, 239, 241],
    ['two seconds: after one', 2, 0.9, 1.1],
  ])('is renewed before it expires; of %s', async (_what, lifetime, stillUsedAfter, renewedAfter) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const start = Date.now();
    const { baseUrl, calls } = await openLoopbackZuora({ call: BILL_RUN, token: tokens(lifetime) });
    const zuora = openZuora(baseUrl);
    await zuora.getBillRun('BR-00000001');
    vi.setSystemTime(start + stillUsedAfter * 1000);
    await zuora.getBillRun('BR-00000001');
    vi.setSystemTime(start + renewedAfter * 1000);
    await zuora.getBillRun('BR-00000001');
    expect(bearers(calls)).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
  });

  test.each([undefined, null, '', 'soon', 0, -1, {}, [], '3599 s'])(
    'serves some minutes where its lifetime is %j',
    async (lifetime) => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const start = Date.now();
      const { baseUrl, calls } = await openLoopbackZuora({ call: BILL_RUN, token: tokens(lifetime) });
      const zuora = openZuora(baseUrl);
      for (const minutes of [0, 1, 2, 10]) {
        vi.setSystemTime(start + minutes * 60_000);
        await zuora.getBillRun('BR-00000001');
      }
      expect(bearers(calls)).toEqual(['1', '1', '1', '2'].map((number) => `Bearer token-${number}`));
    },
  );

  test.each([
    [{ expires_in: 60 }, 'access_token: expected string, received undefined'],
    [{ access_token: null }, 'access_token: expected string, received null'],
    [{ access_token: 7 }, 'access_token: expected string, received number'],
    [{ access_token: 'a b' }, 'access_token: does not fit into a header'],
    ['x', 'no JSON object'],
  ])('that cannot be used is named, and not quoted: %j', async (body, fault) => {
    const { baseUrl } = await openLoopbackZuora({ token: json(200, body) });
    expect(await neverLeft(openZuora(baseUrl).authenticate())).toMatchObject({
      code: 'TOKEN_UNREADABLE',
      message: `no token: Zuora answered the token request with an unexpected body (${fault})`,
    });
  });

  test('that Zuora rejects is dropped, and the next call has a new one', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({
      call: inTurn(json(401, { message: 'Authentication error' }), json(200, { success: true })),
    });
    const zuora = openZuora(baseUrl);
    expect(await email(zuora)).toMatchObject({ verdict: 'notExecuted', tokenRejected: true, httpStatus: 401 });
    expect(await email(zuora)).toMatchObject({ verdict: 'accepted', tokenRejected: false });
    expect(bearers(calls)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  test('that Zuora rejects by a code is dropped, too', async () => {
    const rejected = json(200, { success: false, reasons: [{ code: 90000011, message: 'expired' }] });
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(rejected, json(200, { success: true })) });
    const zuora = openZuora(baseUrl);
    expect(await email(zuora)).toMatchObject({ verdict: 'notExecuted', tokenRejected: true });
    await email(zuora);
    expect(bearers(calls)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  test('that works is not lost when an older one is rejected late', async () => {
    const late: (() => void)[] = [];
    const rejected = json(401, { message: 'Authentication error' });
    const { baseUrl, calls, arrived } = await openLoopbackZuora({
      call: inTurn(
        (response, request) =>
          late.push(() => {
            rejected(response, request);
          }),
        rejected,
        json(200, { success: true }),
      ),
    });
    const zuora = openZuora(baseUrl);
    const slow = email(zuora, { idempotencyKey: 'slow' });
    await arrived(1);
    await email(zuora, { idempotencyKey: 'fast' });
    await email(zuora, { idempotencyKey: 'renewed' });
    late[0]?.();
    expect(await slow).toMatchObject({ tokenRejected: true });
    await email(zuora, { idempotencyKey: 'kept' });
    expect(bearers(calls)).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2', 'Bearer token-2']);
  });
});

describe('without a token nothing is sent', () => {
  const refused = 'TOKEN_REFUSED';
  const unavailable = 'TOKEN_UNAVAILABLE';
  const unreadable = 'TOKEN_UNREADABLE';

  test.each<[string, string, Respond]>([
    ['HTTP 401', refused, json(401, { message: 'Authentication error' })],
    ['HTTP 400', refused, json(400, { error: 'invalid_client' })],
    ['HTTP 403 with HTML', refused, (response) => response.writeHead(403).end('<html>')],
    ['HTTP 429', unavailable, json(429, {})],
    ['HTTP 500', unavailable, json(500, { reasons: [{ code: 'SystemError', message: 'internal server error' }] })],
    ['HTTP 503 with HTML', unavailable, (response) => response.writeHead(503).end('<html>')],
    ['a redirect', unavailable, json(302, { access_token: 'token-1', expires_in: 60 }, { location: '/emails' })],
    ['a reset', unavailable, reset],
    ['a broken answer', unavailable, json(200, {}, { 'content-encoding': 'gzip' })],
    ['no answer in time', unavailable, stall],
    ['HTML', unreadable, (response) => response.end('<html>')],
    ['an empty body', unreadable, (response) => response.end()],
    ['no token', unreadable, json(200, { expires_in: 3599 })],
    ['an empty token', unreadable, json(200, { access_token: '', expires_in: 3599 })],
    ['a token that fits in no header', unreadable, json(200, { access_token: 'a\r\nb', expires_in: 3599 })],
    ['an invalid token', unreadable, json(200, { access_token: { a: 1 }, expires_in: 3599 })],
    ['a token that is a number', unreadable, json(200, { access_token: 7, expires_in: 3599 })],
    ['a list', unreadable, json(200, [])],
  ])('%s', async (_what, code, token) => {
    const { baseUrl, calls } = await openLoopbackZuora({ token });
    const zuora = openZuora(baseUrl, { readDeadlineMs: 500 });
    const failure = await neverLeft(email(zuora));
    expect(failure).toMatchObject({ code, message: expect.stringMatching(/^no token: /) as string });
    expect(calls).toEqual([]);
  });

  test("Zuora's words and its wait are passed on", async () => {
    const { baseUrl } = await openLoopbackZuora({
      token: json(429, { reasons: [{ code: 70, message: 'retry after 600 seconds' }] }, { 'retry-after': '600' }),
    });
    expect(await neverLeft(email(openZuora(baseUrl)))).toMatchObject({
      message: 'no token: 70 retry after 600 seconds',
      retryAfterMs: 600_000,
    });
  });

  test.each(['v1', 'v1/', 'rest/v1/', 'gateway'])('a path of the base URL is named: %s', async (path) => {
    const { baseUrl } = await openLoopbackZuora({ token: inTurn(json(404, {}), (response) => response.end('<html>')) });
    const named = `; is the path /${path.replace(/\/$/, '')}/ of ZUORA_BASE_URL right?`;
    const url = zuoraBaseUrl(new URL(path, baseUrl).href);
    for (const code of [refused, unreadable]) {
      const failure = await neverLeft(openZuora(url).authenticate());
      expect(failure.code).toBe(code);
      expect(failure.message).toContain(named);
    }
    const { baseUrl: root } = await openLoopbackZuora({ token: json(404, {}) });
    expect((await neverLeft(openZuora(root).authenticate())).message).not.toContain('path');
  });

  test('nor if the token took all the time', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { baseUrl, calls } = await openLoopbackZuora({
      token: (response, request) => {
        vi.advanceTimersByTime(130_000);
        tokens(3599)(response, request);
      },
    });
    const failure = await neverLeft(email(openZuora(baseUrl), { deadlineMs: 130_000 }));
    expect(failure.code).toBe('NO_TIME_LEFT');
    expect(calls).toEqual([]);
  });
});

describe('the login is not flooded', () => {
  const unauthorized = json(401, { message: 'Authentication error' });
  const refusals: readonly [string, Respond][] = [
    ['HTTP 401', unauthorized],
    ['HTTP 400', json(400, { error: 'invalid_client' })],
    ['HTTP 403 with HTML', (response) => response.writeHead(403).end('<html>')],
    ['HTTP 404', json(404, {})],
  ];
  const fakeTime = () => vi.useFakeTimers({ toFake: ['Date', 'performance'] });

  test.each(refusals)('a refusal of the client id or secret counts for 30 s: %s', async (_what, refusal) => {
    fakeTime();
    const { baseUrl, calls, tokenRequests } = await openLoopbackZuora({ call: BILL_RUN, token: refusal });
    const zuora = openZuora(baseUrl);
    const first = await neverLeft(zuora.getBillRun('BR-1'));
    await Promise.all(Array.from({ length: 100 }, () => neverLeft(zuora.getBillRun('BR-1'))));
    vi.advanceTimersByTime(29_900);
    const later = [await neverLeft(email(zuora)), await neverLeft(zuora.authenticate())];
    for (const { code, message } of later)
      expect({ code, message }).toEqual({ code: 'TOKEN_REFUSED', message: first.message });
    expect(tokenRequests).toHaveLength(1);
    vi.advanceTimersByTime(200);
    await neverLeft(email(zuora));
    expect(tokenRequests).toHaveLength(2);
    expect(calls).toEqual([]);
  });

  test.each<[string, Respond]>([
    ['HTTP 408', json(408, {})],
    ['HTTP 429', json(429, {})],
    ['HTTP 503', json(503, {})],
    ['a reset', reset],
    ['HTML', (response) => response.end('<html>')],
  ])('what may end by itself is tried again at once: %s', async (_what, failure) => {
    const { baseUrl } = await openLoopbackZuora({ call: BILL_RUN, token: inTurn(failure, tokens(3599)) });
    const zuora = openZuora(baseUrl);
    await neverLeft(zuora.getBillRun('BR-1'));
    expect(await zuora.getBillRun('BR-1')).toMatchObject({ status: 'Posted' });
  });

  test.each([
    ['secret', { clientId: 'id', clientSecret: 'new' }],
    ['id', { clientId: 'new', clientSecret: 'old' }],
  ])('a new %s is tried at once', async (_what, renewed) => {
    const { baseUrl, tokenRequests } = await openLoopbackZuora({
      call: BILL_RUN,
      token: inTurn(unauthorized, tokens(3599)),
    });
    let credentials = { clientId: 'id', clientSecret: 'old' };
    const zuora = openZuora(baseUrl, { credentials: () => Promise.resolve(credentials) });
    await neverLeft(zuora.getBillRun('BR-1'));
    credentials = renewed;
    expect(await zuora.getBillRun('BR-1')).toMatchObject({ status: 'Posted' });
    expect(tokenRequests).toHaveLength(2);
  });

  test('a new secret is tried at once where the tokens of the old one are refused', async () => {
    let call: Respond = unauthorized;
    const { baseUrl, tokenRequests } = await openLoopbackZuora({
      call: (...args) => {
        call(...args);
      },
    });
    let clientSecret = 'old';
    const zuora = openZuora(baseUrl, { credentials: () => Promise.resolve({ clientId: 'id', clientSecret }) });
    for (let reads = 0; reads < 3; reads++) await expect(zuora.getBillRun('BR-1')).rejects.toThrow('refuses our token');
    expect(tokenRequests).toHaveLength(2);
    clientSecret = 'new';
    call = BILL_RUN;
    expect(await zuora.getBillRun('BR-1')).toMatchObject({ status: 'Posted' });
    expect(tokenRequests).toHaveLength(3);
  });

  const always: Respond = unauthorized;
  const byCode = json(200, { success: false, reasons: [{ code: 90000011, message: 'expired' }] });
  const onlyEmails: Respond = (response, arrived) => {
    (arrived.path.endsWith('/emails') ? unauthorized : BILL_RUN)(response, arrived);
  };
  test.each<[string, Respond, unknown]>([
    ['always', always, 3599],
    ['by a code', byCode, 3599],
    ['where tokens live two seconds', always, 2],
    ['for emails, while reads work', onlyEmails, 3599],
  ])('ten minutes of refused tokens cost at most 20 of them: %s', async (_what, call, lifetime) => {
    fakeTime();
    const { baseUrl, tokenRequests } = await openLoopbackZuora({ call, token: tokens(lifetime) });
    const zuora = openZuora(baseUrl, { connections: 40 });
    for (let second = 0; second < 600; second += 5) {
      await Promise.allSettled(Array.from({ length: 5 }, () => [zuora.getBillRun('BR-1'), email(zuora)]).flat());
      vi.advanceTimersByTime(5_000);
    }
    expect(tokenRequests.length).toBeLessThanOrEqual(20);
    expect(tokenRequests.length).toBeGreaterThan(10);
  });

  test('the token at hand is used meanwhile, and serves when Zuora takes it again', async () => {
    let call: Respond = unauthorized;
    const { baseUrl, calls, tokenRequests } = await openLoopbackZuora({
      call: (...args) => {
        call(...args);
      },
    });
    const zuora = openZuora(baseUrl);
    await expect(zuora.getBillRun('BR-1')).rejects.toMatchObject({ kind: 'unauthorized' });
    expect(await email(zuora)).toMatchObject({ verdict: 'notExecuted', httpStatus: 401 });
    call = BILL_RUN;
    expect(await zuora.getBillRun('BR-1')).toMatchObject({ status: 'Posted' });
    expect(bearers(calls)).toEqual(['token-1', 'token-2', 'token-2', 'token-2'].map((token) => `Bearer ${token}`));
    expect(tokenRequests).toHaveLength(2);
  });

  test('tokens that worked are replaced at once when they are withdrawn, several times in a row', async () => {
    const { baseUrl, tokenRequests } = await openLoopbackZuora({
      call: inTurn(BILL_RUN, unauthorized, BILL_RUN, unauthorized, BILL_RUN, unauthorized, BILL_RUN),
    });
    const zuora = openZuora(baseUrl);
    for (let reads = 1; reads <= 4; reads++) {
      expect(await zuora.getBillRun('BR-1')).toMatchObject({ status: 'Posted' });
      expect(tokenRequests).toHaveLength(reads);
    }
  });
});

describe('secrets stay out of words', () => {
  const quoting: Respond = (response, { body, headers }) => {
    const message = `You sent ${body.toString()} with ${headers.authorization ?? 'no token'}`;
    json(401, { message, reasons: [{ code: message, message }] })(response, { body, headers } as Arrived);
  };

  test('the client secret, when Zuora quotes it', async () => {
    const { baseUrl } = await openLoopbackZuora({ token: quoting });
    const failure = await neverLeft(email(openZuora(baseUrl)));
    expect(failure.message).toContain('client_secret=[secret]');
    expect(`${failure.stack ?? ''} ${JSON.stringify(failure)}`).not.toContain(CREDENTIALS.clientSecret);
  });

  test('a token, when Zuora quotes it', async () => {
    const { baseUrl } = await openLoopbackZuora({ call: quoting });
    const zuora = openZuora(baseUrl);
    expect(JSON.stringify(await email(zuora))).not.toContain('token-1');
    const failure = (await zuora.getBillRun('BR-00000001').catch((error: unknown) => error)) as Error;
    expect(`${failure.stack ?? ''} ${JSON.stringify(failure)}`).not.toMatch(/token-\d/);
  });

  test.each([
    'b',
    '{',
    '}',
    '1',
    '"',
    ':',
    ',',
    ' ',
    '0',
    '-',
    'e',
    'true',
    'Posted',
    'status',
    'BR',
    '[secret]',
    '\\',
  ])('a secret of few characters does no harm to answers: %j', async (clientSecret) => {
    const { baseUrl } = await openLoopbackZuora({
      call: (response, arrived) => {
        const quoted = `You sent ${new URLSearchParams({ client_secret: clientSecret }).toString()} or ( ${clientSecret} )`;
        const refusal = json(400, { success: false, reasons: [{ code: 53100330, message: quoted }] });
        const isEmail = arrived.path.endsWith('/emails');
        const isFirst = arrived.headers['idempotency-key'] === 'first';
        (isEmail ? (isFirst ? json(200, { success: true }) : refusal) : BILL_RUN)(response, arrived);
      },
      token: json(200, { access_token: 'a', expires_in: 3599 }),
    });
    const credentials = { clientId: 'id', clientSecret };
    const zuora = openZuora(baseUrl, { credentials: () => Promise.resolve(credentials) });
    expect(await zuora.getBillRun('BR-00000001')).toEqual({ id: '8ad0', number: 'BR-00000001', status: 'Posted' });
    expect(await email(zuora, { idempotencyKey: 'first' })).toMatchObject({ verdict: 'accepted' });
    const { verdict, reasons } = await email(zuora, { idempotencyKey: 'second' });
    expect(verdict).toBe('refused');
    expect(reasons[0]?.code).toBe('53100330');
    expect(reasons[0]?.message).toMatch(/\[secret\]/);
    expect(reasons[0]?.message.replaceAll('[secret]', '')).not.toContain(`( ${clientSecret} )`);
    expect(reasons[0]?.message).not.toContain(new URLSearchParams({ client_secret: clientSecret }).toString());
  });

  test.each<[string, Respond]>([
    ['a token answer that cannot be read', json(200, { access_token: ['s3same'] })],
    ['a token that does not fit', json(200, { access_token: 's3same ü' })],
    ['a token answer without end', (response) => response.end('{"access_token":"s3same",')],
  ])('of %s nothing is quoted', async (_what, token) => {
    const { baseUrl } = await openLoopbackZuora({ token });
    const failure = await neverLeft(email(openZuora(baseUrl)));
    expect(`${failure.stack ?? ''} ${JSON.stringify(failure)}`).not.toContain('s3same');
  });

  test.each<[string, Respond]>([
    ['a reset', reset],
    ['an answer in another protocol', ({ socket }) => socket?.write('s3same is not HTTP\r\n')],
    ['no answer in time', stall],
  ])('when the call ends with %s', async (_what, call) => {
    const { baseUrl } = await openLoopbackZuora({ call });
    const answer = await email(openZuora(baseUrl), { deadlineMs: 300 });
    expect(answer.verdict).toBe('unknown');
    expect(JSON.stringify(answer)).not.toMatch(/token-1|s3cret|s3same/);
  });
});
