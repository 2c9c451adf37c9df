/** The encryption example as its README describes it: the codec, workers and command line with it, and the codec server. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { payloadCodecs } from '../../client/temporal/data-converter.js';
import { projectRoot } from '../../scripts/project-root.js';
import { temporalCli } from '../../scripts/temporal-server.js';
import { run } from '../support/command-line.js';
import { until } from '../support/rig.js';
import { CODEC, key, openEncryptionParts, startCodecServer, TOKEN, type EncryptionParts } from './encryption-parts.js';

const [first, second, foreign] = [key('first'), key('second'), key('foreign')];

describe('A bill run with encryption', () => {
  const words = ['nightly-billing', 'month end', 'alice', 'wrong letterhead', 'letterhead is fixed'];
  let parts: EncryptionParts;
  let number: string;
  let workflowId: string;
  beforeAll(async () => {
    parts = await openEncryptionParts();
    number = await parts.billRun('Completed');
    workflowId = `email-bill-run/${number}`;
  });
  afterAll(() => parts.close());

  const done = async (keys: readonly string[], ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await parts.cli(keys, ...args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return stdout;
  };
  /** The failures of workflow tasks, which need no key to be read. */
  const failedTasks = async (): Promise<string[]> => {
    const { events } = await parts.client.workflow.getHandle(workflowId).fetchHistory();
    return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message ?? []);
  };

  test('is emailed while keys are replaced; a worker without the key waits for one that has it', async () => {
    await parts.worker(first);
    await done([first], 'start', number, '--requested-by', 'nightly-billing', '--reason', 'month end');
    await parts.worker(first, second);
    // This client has moved on to the second key.
    await done([second, first], 'hold', number, '--requested-by', 'alice', '--reason', 'wrong letterhead');

    await parts.worker(second);
    await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
    await parts.client.workflow.getHandle(workflowId).signal('billRunPosted');
    const [failure] = await until(failedTasks, ({ length }) => length > 0);
    expect(failure).toBe(`a payload cannot be decoded by BILL_RUN_DATA_CONVERTER ${CODEC}: it needs the key "first"`);

    await parts.worker(second, first);
    expect(await parts.emails(number)).toEqual([]);
    await done([second, first], 'release', number, '--requested-by', 'alice', '--reason', 'letterhead is fixed');
    await until(
      () => parts.emails(number),
      ({ length }) => length === 2,
    );
  });

  test('leaves no readable word in Temporal, and the command line reads it all the same', async () => {
    const audit = await done([second, first], 'audit', number);
    for (const word of words) {
      expect(parts.inDatabase(word), word).toBe(false);
      expect(audit).toContain(word);
    }
    expect(parts.inDatabase(number), 'the database can be searched').toBe(true);
    expect(await done([second, first], 'status', number, '--json')).toContain('Posted');
  });

  test.each<[string, string[], RegExp]>([
    ['no codec', [], /BILL_RUN_DATA_CONVERTER must name the same module/],
    ['other keys', [foreign], /it needs the key \\"(first|second)\\"/],
  ])('is InvalidConfiguration for a command line with %s', async (_, keys, message) => {
    const ended = await Promise.all(['status', 'audit'].map((command) => parts.cli(keys, command, number, '--json')));
    for (const { code, stdout } of ended) {
      expect(code).toBe(2);
      expect(stdout).toContain('"InvalidConfiguration"');
      expect(stdout).toMatch(message);
    }
  });

  test('is shown and signaled in plain text by the temporal command, through the codec server', async () => {
    const { url, child } = await startCodecServer([second, first]);
    onTestFinished(async () => {
      await child.stop();
    });
    const temporal = (...args: string[]) =>
      run(temporalCli(), [
        ...['workflow', ...args, '--workflow-id', workflowId, '--address', parts.temporal.address],
        ...['--codec-endpoint', url, '--codec-auth', `Bearer ${TOKEN}`],
      ]);
    expect((await temporal('signal', '--name', 'finish', '--input', '{"reason":"typed in a shell"}')).code).toBe(0);
    await parts.client.workflow
      .getHandle(workflowId)
      .result()
      .catch(() => undefined);
    const { stdout } = await temporal('show', '--output', 'json');
    const payloads = [...stdout.matchAll(/"data": "([^"]*)"/g)].map(([, data]) => Buffer.from(data ?? '', 'base64'));
    for (const word of [...words, 'typed in a shell']) {
      expect(payloads.join()).toContain(word);
      expect(parts.inDatabase(word), word).toBe(false);
    }
  });
});

describe('The codec', () => {
  let codec: PayloadCodec;
  beforeAll(async () => {
    vi.stubEnv('PAYLOAD_ENCRYPTION_KEYS', first);
    const [loaded] = await payloadCodecs({ BILL_RUN_DATA_CONVERTER: CODEC });
    codec = loaded ?? expect.unreachable('the module has a codec');
    vi.unstubAllEnvs();
  });
  const plain = [
    defaultPayloadConverter.toPayload({ reason: 'wrong template' }),
    defaultPayloadConverter.toPayload('x'),
  ];
  const read = (payloads: Payload[]): unknown[] => payloads.map((each) => defaultPayloadConverter.fromPayload(each));

  test('gives back payloads in their order, encrypts none twice alike, and leaves plain ones as they are', async () => {
    const encrypted = await codec.encode(plain);
    expect(read(await codec.decode(encrypted))).toEqual(read(plain));
    expect(await codec.encode(encrypted)).toEqual(encrypted);
    expect((await codec.encode(plain))[0]?.data).not.toEqual(encrypted[0]?.data);
    expect(await codec.decode(plain)).toEqual(plain);
  });

  test('refuses a payload that was changed anywhere, without showing it', async () => {
    const [encrypted] = await codec.encode(plain);
    const { metadata, data } = { metadata: encrypted?.metadata ?? {}, data: encrypted?.data ?? new Uint8Array() };
    const refused = (payload: Payload) =>
      expect(codec.decode([payload])).rejects.toMatchObject({
        type: 'InvalidConfiguration',
        message: expect.stringMatching(
          /^a payload cannot be decoded by BILL_RUN_DATA_CONVERTER \S+: it .{5,150}$/,
        ) as string,
      });
    for (let at = 0; at < data.length; at++) {
      const changed = Uint8Array.from(data, (byte, index) => (index === at ? byte ^ 1 : byte));
      await refused({ metadata, data: changed });
    }
    for (const short of [0, 1, 12, 27]) await refused({ metadata, data: data.subarray(0, short) });
    for (const id of ['', 'nobody', '\n'.repeat(900)]) {
      await refused({ metadata: { ...metadata, 'encryption-key-id': Buffer.from(id) }, data });
    }
    await refused({ metadata: { encoding: Buffer.from('binary/encrypted') } });
  });
});

test.concurrent.each<[string, Record<string, string>, RegExp]>([
  ['without keys', {}, /PAYLOAD_ENCRYPTION_KEYS is missing/],
  [
    'with a key of 31 bytes',
    { PAYLOAD_ENCRYPTION_KEYS: `k:${randomBytes(31).toString('base64')}` },
    /entry 1 is not id:/,
  ],
  ['with a key without its id', { PAYLOAD_ENCRYPTION_KEYS: `${first},${first.slice(6)}` }, /entry 2 is not id:/],
  ['with a file that is not there', { PAYLOAD_ENCRYPTION_KEYS_FILE: '/not/there' }, /ENOENT/],
])('A process %s ends in one sentence, without a key', async (_, env, message) => {
  const { code, stderr } = await run(
    process.execPath,
    [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'list'],
    {
      BILL_RUN_DATA_CONVERTER: CODEC,
      ...env,
    },
  );
  expect(code).toBe(2);
  expect(stderr.trim()).toMatch(/^Error: BILL_RUN_DATA_CONVERTER \S+ cannot be loaded: .*$/);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain(first.slice(6, 20));
});

describe('The codec server', () => {
  const UI = 'https://temporal.example.com';
  let url: string;
  beforeAll(async () => {
    const { child, ...server } = await startCodecServer([first], `${UI}, http://127.0.0.1:8233`);
    ({ url } = server);
    return async () => {
      await child.stop();
    };
  });
  const bearer = { authorization: `Bearer ${TOKEN}` };
  const basic = (credentials: string) => ({ authorization: `Basic ${btoa(credentials)}` });
  const ask = (path: string, headers: Record<string, string>, body: unknown = { payloads: [] }, method = 'POST') =>
    fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
    });

  test('encodes and decodes payloads in the JSON of protobuf, and leaves what it cannot decode', async () => {
    const plain = { metadata: { encoding: btoa('json/plain') }, data: btoa('{"reason":"wrong template"}') };
    const { payloads } = (await (await ask('/encode', bearer, { payloads: [plain] })).json()) as {
      payloads: (typeof plain)[];
    };
    expect(payloads[0]?.metadata.encoding).toBe(btoa('binary/encrypted'));
    expect(atob(payloads[0]?.data ?? '')).not.toContain('template');
    const altered = { ...payloads[0], data: btoa('altered') };
    const decoded = await ask('/decode', bearer, { payloads: [altered, payloads[0], plain] });
    expect(await decoded.json()).toEqual({ payloads: [altered, plain, plain] });
    expect(decoded.headers.get('cache-control')).toBe('no-store');
    for (const body of ['', '[]', '{"payloads":7}', '{"payloads":[7]}']) {
      expect((await ask('/decode', bearer, body)).status).toBe(400);
    }
  });

  test.each(['/decode/', '//decode', '/billing/decode', '/billing//decode/', '/bill%20runs/decode'])(
    'decodes at %s too, as clients write its address, and passes nulls through',
    async (path) => {
      const plain = { metadata: { encoding: btoa('json/plain') }, data: btoa('"text"') };
      const encoded = (await (
        await ask(path.replace('decode', 'encode'), bearer, { payloads: [null, plain] })
      ).json()) as {
        payloads: (typeof plain | null)[];
      };
      expect(encoded.payloads).toEqual([
        null,
        { ...plain, metadata: expect.any(Object) as object, data: expect.any(String) as string },
      ]);
      const decoded = await ask(path, bearer, { payloads: [null, ...encoded.payloads, null] });
      expect(await decoded.json()).toEqual({ payloads: [null, null, plain, null] });
    },
  );

  test('takes the token as Bearer, or as the password of Basic, and nothing else', async () => {
    for (const headers of [bearer, basic(`alice:${TOKEN}`), basic(`:${TOKEN}`)]) {
      expect((await ask('/decode', headers)).status).toBe(200);
    }
    expect((await ask('/', basic(`alice:${TOKEN}`), '', 'GET')).status).toBe(200);
    const wrong = ['', `Bearer ${TOKEN}x`, 'Bearer', TOKEN, `Digest ${TOKEN}`, `Basic ${btoa(`${TOKEN}:x`)}`];
    for (const authorization of wrong) {
      for (const path of ['/decode', '/encode', '/nothing']) {
        const answer = await ask(path, { authorization }, 'no JSON');
        expect({ path, authorization, status: answer.status }).toEqual({ path, authorization, status: 401 });
        expect(await answer.text()).not.toContain(TOKEN);
      }
    }
    // A browser shows its sign-in only for a challenge of Basic.
    expect((await ask('/', {}, '', 'GET')).headers.get('www-authenticate')).toMatch(/^Basic realm=/);
  });

  test('lets pages of the named origins read answers, and no others', async () => {
    const preflight = { origin: UI, 'access-control-request-method': 'POST' };
    const allowed = await ask('/decode', preflight, '', 'OPTIONS');
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': UI,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': expect.stringContaining('x-namespace') as string,
    });
    for (const headers of [bearer, {}]) {
      const answer = await ask('/decode', { ...headers, origin: UI });
      expect(answer.headers.get('access-control-allow-origin')).toBe(UI);
    }
    for (const origin of ['https://elsewhere.test', `${UI}.elsewhere.test`, `${UI}:444`, 'null']) {
      for (const answer of [
        await ask('/decode', { ...preflight, origin }, '', 'OPTIONS'),
        await ask('/decode', { ...bearer, origin }),
      ]) {
        expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      }
    }
  });
});
