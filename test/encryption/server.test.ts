/** The codec server over HTTP, as Temporal UI in a browser and the `temporal` command ask it. */
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codecServerConfiguration } from '../../encryption/configuration.js';
import { startCodecServer, type CodecServer } from '../../encryption/server.js';
import { key, keysInEnvironment } from './parts.js';

const [one, other] = [key('one'), key('other')];
const TOKEN = 'a-token-of-this-test-only';
const UI = 'https://temporal.example.com';

const environment = (...keys: string[]): NodeJS.ProcessEnv => ({
  ...keysInEnvironment(...keys),
  CODEC_SERVER_ADDRESS: '127.0.0.1:0',
  CODEC_SERVER_TOKEN: TOKEN,
  CODEC_SERVER_ORIGINS: `${UI}, http://127.0.0.1:8233`,
});

let server: CodecServer;
let foreign: CodecServer;
beforeAll(async () => {
  server = await startCodecServer(codecServerConfiguration(environment(one)));
  foreign = await startCodecServer(codecServerConfiguration(environment(other)));
});
afterAll(async () => {
  await server.close();
  await foreign.close();
});

type Headers = Record<string, string>;
const EMPTY: unknown = '{"payloads":[]}';
const bearer: Headers = { authorization: `Bearer ${TOKEN}` };
const basic = (credentials: string): Headers => ({
  authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
});

async function ask(path: string, { at = server, method = 'POST', headers = bearer, body = EMPTY } = {}) {
  const sent = method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {};
  const answer = await request(`${at.url}${path}`, {
    method: method as 'POST',
    headers: { ...(method === 'POST' ? { 'content-type': 'application/json' } : {}), ...headers },
    ...sent,
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const secret = { metadata: { encoding: base64('json/plain') }, data: base64('{"reason":"wrong template"}') };
const encrypted = async (at = server) =>
  (JSON.parse((await ask('/encode', { at, body: { payloads: [secret] } })).text) as { payloads: (typeof secret)[] })
    .payloads[0] ?? secret;

describe('A codec server', () => {
  test('encrypts what is to be sent, and decrypts what is to be shown', async () => {
    const payload = await encrypted();
    expect(payload.metadata).toEqual({ encoding: base64('binary/encrypted'), 'encryption-key-id': base64('one') });
    expect(Buffer.from(payload.data, 'base64').toString()).not.toContain('reason');
    const { status, text, headers } = await ask('/decode', { body: { payloads: [payload] } });
    expect({ status, ...(JSON.parse(text) as object) }).toEqual({ status: 200, payloads: [secret] });
    expect(headers['cache-control']).toBe('no-store');
  });

  test('leaves what it cannot decrypt as it came, and decrypts the others', async () => {
    const payload = await encrypted();
    const altered = { ...payload, data: base64('altered') };
    const payloads = [await encrypted(foreign), altered, secret, payload];
    const { status, text } = await ask('/decode', { body: { payloads } });
    expect({ status, ...(JSON.parse(text) as object) }).toEqual({
      status: 200,
      payloads: [...payloads.slice(0, 3), secret],
    });
  });

  test('answers only who shows the token: as Bearer, or as the password of Basic', async () => {
    for (const headers of [bearer, basic(`alice:${TOKEN}`), basic(`:${TOKEN}`), { authorization: `bearer ${TOKEN}` }]) {
      expect((await ask('/decode', { headers })).status).toBe(200);
    }
    const wrong = ['', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, 'Bearer', TOKEN, `Digest ${TOKEN}`];
    const all: Headers[] = [
      ...wrong.map((authorization) => ({ authorization })),
      basic(`${TOKEN}:x`),
      basic('alice:'),
      {},
    ];
    for (const headers of all) {
      for (const path of ['/decode', '/encode', '/nothing']) {
        const { status, headers: answered, text } = await ask(path, { headers, body: 'no JSON' });
        expect({ path, ...headers, status }).toEqual({ path, ...headers, status: 401 });
        expect(answered['www-authenticate']).toMatch(/^Basic realm=/);
        expect(text).not.toContain(TOKEN);
      }
    }
  });

  test('shows a browser a page to sign in on', async () => {
    const { status, headers } = await ask('/', { method: 'GET', headers: {} });
    expect({ status, asks: headers['www-authenticate'] }).toMatchObject({
      status: 401,
      asks: expect.stringMatching(/^Basic/) as string,
    });
    const page = await ask('/', { method: 'GET', headers: basic(`alice:${TOKEN}`) });
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
  });

  test('lets pages of the named origins ask, and of no others', async () => {
    const preflight = { method: 'OPTIONS', headers: { origin: UI, 'access-control-request-method': 'POST' } };
    const allowed = await ask('/decode', preflight);
    expect(allowed).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': UI,
        'access-control-allow-credentials': 'true',
        'access-control-allow-headers': 'authorization, content-type, x-namespace',
        vary: 'Origin',
      },
    });
    const answered = await ask('/decode', { headers: { ...bearer, origin: UI, 'x-namespace': 'default' } });
    expect(answered).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': UI } });
    // So that the page learns that it has to sign in.
    expect(await ask('/decode', { headers: { origin: UI } })).toMatchObject({
      status: 401,
      headers: { 'access-control-allow-origin': UI },
    });
    for (const origin of [
      'https://elsewhere.test',
      `${UI}.elsewhere.test`,
      `${UI}:444`,
      'null',
      'http://temporal.example.com',
    ]) {
      for (const each of [
        { ...preflight, headers: { ...preflight.headers, origin } },
        { headers: { ...bearer, origin } },
      ]) {
        const refused = await ask('/decode', each);
        expect(refused.status).toBe(403);
        expect(refused.headers['access-control-allow-origin']).toBeUndefined();
      }
    }
  });

  test('refuses what is no payloads, and too much of it', async () => {
    for (const body of [
      '',
      '[]',
      '{"payloads":7}',
      { payloads: [{ data: 'no base64!' }] },
      { payloads: [{ metadata: [] }] },
    ]) {
      expect((await ask('/decode', { body })).status).toBe(400);
    }
    expect((await ask('/decode', { body: `{"payloads":[],"x":"${'x'.repeat(33 * 2 ** 20)}"}` })).status).toBe(413);
  });

  test('does not start without keys and a token that nobody guesses, and says all that is wrong at once', () => {
    const wrong = {
      CODEC_SERVER_TOKEN: 'short',
      CODEC_SERVER_ORIGINS: 'https://a.test/',
      CODEC_SERVER_ADDRESS: '8888',
    };
    expect(() => codecServerConfiguration(wrong)).toThrow(/CODEC_SERVER_ADDRESS is no host:port/);
    expect(() => codecServerConfiguration({ ...wrong, CODEC_SERVER_ADDRESS: '[::1]:8888' })).toThrow(
      /CODEC_SERVER_ORIGINS has what is no origin(.|\n)*CODEC_SERVER_TOKEN gives less than 16 characters/,
    );
    expect(() => codecServerConfiguration({ CODEC_SERVER_TOKEN: TOKEN })).toThrow(/PAYLOAD_ENCRYPTION_KEYS is missing/);
    expect(() => codecServerConfiguration(keysInEnvironment(one))).toThrow(/CODEC_SERVER_TOKEN is missing/);
    expect(() => codecServerConfiguration({ CODEC_SERVER_TOKEN_FILE: '/no/such/file' })).toThrow(/cannot be read/);
  });
});
