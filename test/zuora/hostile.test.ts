/**
 * A Zuora that answers anything at all, over HTTP: whatever comes, a call ends in a way that is foreseen, asks no other host,
 * and keeps nothing that would do harm elsewhere.
 *
 * A failure prints its seed. To see it again: HOSTILE_SEED=<seed> npx vitest run test/zuora/hostile.test.ts.
 * HOSTILE_RUNS=10000 searches longer.
 */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ZuoraFailure, type Zuora } from '../../zuora/client.js';
import { NeverLeft } from '../../zuora/transport.js';
import { hostileJson, hostileText, seed } from '../support/hostile.js';
import {
  email,
  listDocuments,
  openLoopbackZuora,
  openZuora,
  type LoopbackZuora,
  type Respond,
} from '../support/loopback-zuora.js';

const numRuns = Number(process.env['HOSTILE_RUNS'] ?? 250);
/** A safety net only: most calls take some milliseconds, and those that hang end at their deadline. */
const timeout = 120_000 + 500 * numRuns;

/** After which a call that hangs is over. */
const DEADLINE_MS = 150;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The announced length of the body: right, too long, too short, or cut off. */
  readonly length: 'right' | 'chunked' | 'tooLong' | 'tooShort' | 'cut';
}

type Shape = 'billRun' | 'page' | 'verdict' | 'token';

/** Fields that Zuora's answers have, of any type; more often those of the answer that is asked for. */
function shaped(wanted: Shape, elsewhere: string): fc.Arbitrary<unknown> {
  const anything = fc.oneof(
    hostileJson,
    hostileText,
    fc.constantFrom(elsewhere, `${elsewhere}/v1/credit-memos?page=2`),
  );
  const maybe = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: anything });
  const documents = fc.array(
    fc.record(
      {
        ...{ invoiceNumber: maybe(hostileText), number: maybe(hostileText), status: maybe(hostileText) },
        ...{ amount: maybe(fc.double()), currency: maybe(hostileText), lastEmailSentDate: maybe(hostileText) },
        id: maybe(hostileText),
      },
      { requiredKeys: ['id', 'invoiceNumber', 'number'] },
    ),
    { maxLength: 3 },
  );
  const billRun = fc.record(
    {
      ...{ id: maybe(hostileText), billingRunNumber: maybe(hostileText), status: maybe(hostileText) },
      ...{ autoEmail: maybe(fc.boolean()), lastEmailSentTime: maybe(hostileText), errorMessage: maybe(hostileText) },
      ...{ numberOfInvoices: maybe(fc.nat()), numberOfCreditMemos: maybe(fc.nat()) },
    },
    { requiredKeys: ['id', 'billingRunNumber', 'status'] },
  );
  const page = fc.record(
    {
      data: maybe(documents),
      creditmemos: maybe(documents),
      nextPage: maybe(hostileText),
      success: maybe(fc.boolean()),
    },
    { requiredKeys: ['data', 'creditmemos'] },
  );
  const reason = fc.record({ code: maybe(fc.nat(99_999_999)), message: maybe(hostileText) });
  const verdict = fc.record(
    { success: maybe(fc.boolean()), reasons: maybe(fc.array(reason, { maxLength: 7 })), message: maybe(hostileText) },
    { requiredKeys: [] },
  );
  const token = fc.record({ access_token: maybe(hostileText), expires_in: maybe(fc.double()) });
  const shapes: Readonly<Record<Shape, fc.Arbitrary<unknown>>> = { billRun, page, verdict, token };
  return fc.oneof({ weight: 12, arbitrary: shapes[wanted] }, ...Object.values(shapes), anything);
}

function answers(wanted: Shape, elsewhere: string): fc.Arbitrary<Answer> {
  const json = shaped(wanted, elsewhere).map((value) => JSON.stringify(value));
  const text = fc.oneof(
    { weight: 12, arbitrary: json },
    // Says one field twice.
    { weight: 1, arbitrary: fc.tuple(json, json).map(([one, other]) => `${one.slice(0, -1)},${other.slice(1)}`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', 'null', '<html>', '{"success":true', '9'.repeat(400), '['.repeat(100_000)),
    },
    { weight: 1, arbitrary: fc.constant('x'.repeat(1_100_000)) },
  );
  const plain = fc.oneof(
    { weight: 6, arbitrary: text.map((each) => Buffer.from(each)) },
    { weight: 1, arbitrary: fc.uint8Array().map((each) => Buffer.from(each)) },
  );
  const header = fc.oneof(
    fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
    }),
    fc.constantFrom(
      elsewhere,
      '-1',
      '0',
      '1e9',
      '99999999999999999999',
      'Wed, 21 Oct 2099 07:28:00 GMT',
      'gzip',
      'text/html',
    ),
  );
  const names = ['location', 'refresh', 'link', 'alt-svc', 'retry-after', 'ratelimit-reset', 'content-type', 'date'];
  const ids = ['zuora-request-id', 'zuora-track-id', 'set-cookie', 'www-authenticate', 'content-location'];
  return fc
    .record({
      status: fc.oneof(
        { weight: 6, arbitrary: fc.constant(200) },
        { weight: 1, arbitrary: fc.constantFrom(101, 204, 301, 302, 307, 308, 400, 401, 404, 409, 422, 429, 500, 503) },
        { weight: 1, arbitrary: fc.integer({ min: 200, max: 999 }) },
      ),
      headers: fc.dictionary(fc.constantFrom(...names, ...ids), header, { maxKeys: 5, noNullPrototype: true }),
      body: plain,
      length: fc.oneof(
        { weight: 6, arbitrary: fc.constant('right' as const) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('chunked' as const, 'tooLong' as const, 'tooShort' as const, 'cut' as const),
        },
      ),
      gzip: fc.constantFrom('no', 'no', 'no', 'whole', 'half'),
    })
    .map(({ gzip, body, headers, ...rest }) => {
      if (gzip === 'no') return { ...rest, headers, body };
      const compressed = gzipSync(body);
      const kept = gzip === 'whole' ? compressed : compressed.subarray(0, compressed.length / 2);
      return { ...rest, headers: { ...headers, 'content-encoding': 'gzip' }, body: kept };
    });
}

function respondWith({ status, headers, body, length }: Answer): Respond {
  return (response) => {
    // Node's server checks the length; a hostile one does not.
    response.strictContentLength = false;
    const announced = { right: body.length, tooLong: body.length + 10, tooShort: Math.max(0, body.length - 3) };
    const lengthHeader = length === 'chunked' || length === 'cut' ? {} : { 'content-length': announced[length] };
    response.writeHead(status, { ...headers, ...lengthHeader });
    if (length === 'cut') response.write(body.subarray(0, 10), () => response.destroy());
    else response.end(body);
  };
}

/** A Zuora that gives the next answer, and a second one that must get no request. */
async function openHostile(): Promise<{
  readonly loopback: LoopbackZuora;
  readonly elsewhere: LoopbackZuora;
  /** A new client for each call, because a 429 slows a client down. */
  readonly zuora: () => Zuora;
  readonly next: { call: Respond; token: Respond | null };
}> {
  const next: { call: Respond; token: Respond | null } = { call: () => undefined, token: null };
  const goodToken: Respond = (response) => response.end('{"access_token":"token","expires_in":"3599"}');
  const loopback = await openLoopbackZuora({
    call: (response, arrived) => {
      next.call(response, arrived);
    },
    token: (response, arrived) => {
      (next.token ?? goodToken)(response, arrived);
    },
  });
  const elsewhere = await openLoopbackZuora();
  return { loopback, elsewhere, next, zuora: () => openZuora(loopback.baseUrl, { readDeadlineMs: DEADLINE_MS }) };
}

/** The result of a call, or its error, which must be an expected one. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    expect(error instanceof ZuoraFailure || error instanceof NeverLeft, `unforeseen: ${String(error)}`).toBe(true);
    return { message: (error as Error).message };
  }
}

/** Every text in a value: it gets into histories, search attributes and failures, which take no half of a character. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function expectHarmless(value: unknown): void {
  for (const text of textsIn(value)) {
    expect(text).not.toMatch(/[\p{Control}\p{Surrogate}]/u);
    expect(text.length).toBeLessThan(4_000);
  }
}

function saysSuccess({ status, headers, body, length }: Answer): boolean {
  if (status < 200 || status > 299) return false;
  // Compressed bodies, and those with another length, may say it too; this judges complete ones.
  if (headers['content-encoding'] !== undefined || length !== 'right') return true;
  try {
    const json: unknown = JSON.parse(body.toString());
    return (
      typeof json === 'object' && json !== null && Object.entries(json).some(([k, v]) => k === 'success' && v === true)
    );
  } catch {
    return false;
  }
}

const options = { seed, numRuns, endOnFailure: true };

test('a call to email is made once, and has a verdict', { timeout }, async () => {
  const { loopback, elsewhere, next, zuora } = await openHostile();
  let calls = 0;
  await fc.assert(
    fc.asyncProperty(answers('verdict', elsewhere.baseUrl.href), async (answer) => {
      next.call = respondWith(answer);
      const before = loopback.calls.length;
      const idempotencyKey = `call-${calls}`;
      const outcome = await outcomeOf(email(zuora(), { deadlineMs: DEADLINE_MS, idempotencyKey }));
      calls += 1;
      // By key, because an earlier call that was given up may still arrive.
      const arrived = loopback.calls
        .slice(before)
        .filter(({ headers }) => headers['idempotency-key'] === idempotencyKey);
      expect(arrived.length).toBeLessThanOrEqual(1);
      if (Object.hasOwn(outcome as object, 'verdict')) {
        const { verdict } = outcome as { verdict: string };
        expect(['accepted', 'notExecuted', 'refused', 'unknown']).toContain(verdict);
        if (verdict === 'accepted') expect(saysSuccess(answer)).toBe(true);
      }
      expectHarmless(outcome);
    }),
    options,
  );
  expect(loopback.calls.length, 'most calls get through').toBeGreaterThan(calls / 2);
  expect([...elsewhere.calls, ...elsewhere.tokenRequests]).toEqual([]);
});

test('a read returns valid data, or an error', { timeout }, async () => {
  const { loopback, elsewhere, next, zuora } = await openHostile();
  type Read = readonly [name: string, wanted: Shape, read: () => Promise<unknown>];
  const reads: readonly Read[] = [
    ['getBillRun', 'billRun', () => zuora().getBillRun('BR-1')],
    ['a list of invoices', 'page', () => listDocuments(zuora(), 'invoice', 'BR-1')],
    ['a list of credit memos', 'page', () => listDocuments(zuora(), 'creditMemo', 'BR-1')],
    ['probe', 'page', () => zuora().probe()],
  ];
  for (const [name, wanted, read] of reads) {
    const pages = fc.array(answers(wanted, elsewhere.baseUrl.href), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(pages, async (given) => {
        let turn = 0;
        next.call = (...args) => {
          for (const answer of given.slice(turn++ % given.length).slice(0, 1)) respondWith(answer)(...args);
        };
        const outcome = await outcomeOf(read());
        expectHarmless(outcome);
        // A hundred pages at most, each of them read again where the token was not taken.
        expect(turn, name).toBeLessThanOrEqual(200);
      }),
      { ...options, numRuns: Math.ceil(numRuns / 2) },
    );
  }
  for (const { path } of loopback.calls)
    expect(path).toMatch(/^\/(object-query\/(billing-runs|invoices)|v1\/credit-memos)\b/);
  expect([...elsewhere.calls, ...elsewhere.tokenRequests]).toEqual([]);
});

test('without a token that can be used, nothing is sent', { timeout }, async () => {
  const { loopback, elsewhere, next } = await openHostile();
  next.call = (response) => response.end('{"success":true}');
  await fc.assert(
    fc.asyncProperty(answers('token', elsewhere.baseUrl.href), async (answer) => {
      next.token = respondWith(answer);
      const zuora = openZuora(loopback.baseUrl, { readDeadlineMs: DEADLINE_MS });
      const outcome = await outcomeOf(email(zuora, { deadlineMs: 2 * DEADLINE_MS }));
      expectHarmless(outcome);
    }),
    { ...options, numRuns: Math.ceil(numRuns / 2) },
  );
  for (const { headers } of loopback.calls) expect(headers.authorization).toMatch(/^Bearer [\x21-\x7e]+$/);
  expect([...elsewhere.calls, ...elsewhere.tokenRequests]).toEqual([]);
});
