/** Connections of clients and workers to a Temporal behind TLS, by environment or profile, and their failures. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { BillRunEmails, diagnose } from '../../../client/index.js';
import { connect, connectionSettings, notReached } from '../../../client/temporal/connection.js';
import { startChild, type Child } from '../../../scripts/processes.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { environmentFor } from '../../../scripts/temporal-server.js';
import { cliGiven, type Ended } from '../../support/command-line.js';
import { openParts, type Parts } from '../../support/parts.js';
import { until } from '../../support/rig.js';
import { createAuthority, openDoor, type Door, type Identity } from '../../support/temporal-door.js';
import { connectWorker } from '../../../worker/connection.js';

const API_KEY = 'key-of-the-pipeline';
const SERVER_NAME = 'temporal.example';
/** No message may hold them: the API keys, and the beginning of a private key. */
const SECRETS = [API_KEY, 'hunter2', 'PRIVATE KEY'];

type Environment = Readonly<Record<string, string | undefined>>;

let parts: Parts;
let folder: string;
let doors: Record<'tls' | 'named' | 'mutual' | 'keyed' | 'expired', Door>;
let mute: Server;
let doorIdentity: Identity;
/** Paths of files. */
let files: Record<'authority' | 'stranger' | 'cert' | 'key' | 'strangersCert' | 'strangersKey', string>;

beforeAll(async () => {
  parts = await openParts();
  folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-tls-'));
  const [authority, stranger] = await Promise.all([createAuthority(), createAuthority('A stranger')]);
  const [alice, mallory, identity] = await Promise.all([
    authority.client('alice'),
    stranger.client('mallory'),
    authority.server('localhost'),
  ]);
  doorIdentity = identity;
  const open = (options: object): Promise<Door> => openDoor(parts.temporal.address, { identity, ...options });
  doors = {
    tls: await open({}),
    named: await open({ identity: await authority.server(SERVER_NAME) }),
    mutual: await open({ clientAuthority: authority.cert }),
    keyed: await open({ apiKey: API_KEY }),
    expired: await open({ identity: await authority.server('localhost', new Date(Date.now() - 3_600_000)) }),
  };
  mute = createServer(() => undefined).listen(0, '127.0.0.1');
  files = {
    authority: write('authority.pem', authority.cert),
    stranger: write('stranger.pem', stranger.cert),
    cert: write('alice.pem', alice.cert),
    key: write('alice.key', alice.key),
    strangersCert: write('mallory.pem', mallory.cert),
    strangersKey: write('mallory.key', mallory.key),
  };
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(async () => {
  for (const door of Object.values(doors)) await door.close();
  mute.close();
  await parts.close();
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const environment = (address: string, env: Environment): Environment => ({
  ...environmentFor({ address, namespace: parts.temporal.namespace }),
  ...simulatorEnvironment(parts.simulator.url),
  ...env,
});

const cli = (env: Environment, ...args: string[]): Promise<Ended> =>
  cliGiven({ env: { ...process.env, ...env } }, ...args);

const startWorker = (env: Environment): Promise<Child> =>
  startChild({
    name: 'the worker',
    command: process.execPath,
    args: [join(projectRoot, 'dist', 'worker', 'main.js')],
    env,
  });

/** For the rest of the test. */
function setEnvironment(env: Environment): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
}

/** Calls something that reads its environment at once, so that several calls have theirs at the same time. */
function within<T>(env: Environment, call: () => T): T {
  setEnvironment(env);
  try {
    return call();
  } finally {
    vi.unstubAllEnvs();
  }
}

/** A connection of a client and one of a worker, as their processes open them. */
async function callThrough(env: Environment): Promise<void> {
  const connecting = within(env, () => Promise.all([connect(), connectWorker(connectionSettings())]));
  for (const opened of await connecting) {
    const connection = 'connection' in opened ? opened.connection : opened;
    await connection.workflowService.describeNamespace({ namespace: parts.temporal.namespace });
    await connection.close();
  }
}

const mutual = (): Environment => ({
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority,
  TEMPORAL_TLS_CLIENT_CERT_PATH: files.cert,
  TEMPORAL_TLS_CLIENT_KEY_PATH: files.key,
});

describe('Clients and workers connect by', () => {
  test('TLS, with a certificate of an authority that they trust', async () => {
    await callThrough(environment(doors.tls.address, trusting()));
  });

  test('TLS with a certificate for another name, which they know', async () => {
    await callThrough(environment(doors.named.address, { ...trusting(), TEMPORAL_TLS_SERVER_NAME: SERVER_NAME }));
  });

  test('mutual TLS, each with its client certificate', async () => {
    await callThrough(environment(doors.mutual.address, mutual()));
    expect(new Set(doors.mutual.calls.map(({ caller }) => caller))).toEqual(new Set(['alice']));
  });

  test('an API key, which switches TLS on and is sent with every call', async () => {
    await callThrough(environment(doors.keyed.address, { ...trusting(), TEMPORAL_API_KEY: API_KEY }));
    expect(new Set(doors.keyed.calls.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${API_KEY}`]),
    );
  });

  test('a profile with all settings: a worker process emails a bill run that the command line starts', async () => {
    const profiles = write(
      'temporal.toml',
      `[profile.staging]
address = "${doors.keyed.address}"
namespace = "${parts.temporal.namespace}"
api_key = "${API_KEY}"
[profile.staging.tls]
server_ca_cert_path = "${files.authority}"
[profile.production]
address = "${doors.mutual.address}"
[profile.production.tls]
server_ca_cert_path = "${files.authority}"
client_cert_path = "${files.cert}"
client_key_path = "${files.key}"
`,
    );
    const named = (TEMPORAL_PROFILE: string): Environment =>
      environment('', {
        TEMPORAL_ADDRESS: undefined,
        TEMPORAL_NAMESPACE: undefined,
        TEMPORAL_CONFIG_FILE: profiles,
        TEMPORAL_PROFILE,
      });
    await callThrough(named('staging'));
    const { number } = await parts.control<{ number: string }>('POST', '/bill-runs', { status: 'Posted' });
    const worker = await startWorker(named('production'));
    onTestFinished(async () => {
      await worker.stop(60_000);
    });
    expect((await cli(named('staging'), 'start', number)).code).toBe(0);
    await until(
      () => Promise.race([parts.control<object[]>('GET', `/mailbox?billRun=${number}`), endOf(worker)]),
      ({ length }) => length > 0,
    );
    setEnvironment(named('production'));
    const { checks } = await diagnose();
    expect(checks[0]).toMatchObject({ result: 'ok', text: expect.stringContaining(', TLS, no API key') as string });
  });
});

async function endOf(worker: Child): Promise<never> {
  await worker.ended;
  throw new Error(`the worker has ended:\n${worker.lastLines.join('\n')}`);
}

test('An API key that is no longer taken is said to be refused', async () => {
  const revocable = await openDoor(parts.temporal.address, { identity: doorIdentity, apiKey: API_KEY });
  onTestFinished(() => revocable.close());
  const env = environment(revocable.address, { ...trusting(), TEMPORAL_API_KEY: API_KEY });
  setEnvironment(env);
  const emails = await BillRunEmails.connect();
  onTestFinished(() => emails.close());
  revocable.setApiKey('another key');
  await expect(emails.start({ billRunKey: 'BR-00000001' })).rejects.toMatchObject({
    type: 'TemporalUnavailable',
    message: expect.stringMatching(/Temporal refuses .*unauthorized.*TEMPORAL_API_KEY/) as string,
  });
});

const door = (name: keyof typeof doors) => (): string => doors[name].address;
const trusting = (): Environment => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority });
const plain = (): string => parts.temporal.address;

interface Fault {
  readonly address: () => string;
  readonly env: () => Environment;
  /** What `doctor` says; for the others it only has the SDK's reason, after some seconds. */
  readonly explained?: RegExp;
  /** Client and worker do not even try to connect. */
  readonly invalid?: true;
}

const faults: Record<string, Fault> = {
  'an authority that did not sign the certificate': {
    address: door('tls'),
    env: () => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.stranger }),
  },
  'no authority, for a certificate of a private one': {
    address: door('tls'),
    env: () => ({ TEMPORAL_TLS: 'true' }),
  },
  'a certificate that has expired': {
    address: door('expired'),
    env: trusting,
  },
  'a certificate for another name': {
    address: door('named'),
    env: trusting,
  },
  'no client certificate for a server that wants one': {
    address: door('mutual'),
    env: trusting,
  },
  'a client certificate of another authority': {
    address: door('mutual'),
    env: () => ({
      ...mutual(),
      TEMPORAL_TLS_CLIENT_CERT_PATH: files.strangersCert,
      TEMPORAL_TLS_CLIENT_KEY_PATH: files.strangersKey,
    }),
  },
  'another API key': {
    address: door('keyed'),
    env: () => ({ ...trusting(), TEMPORAL_API_KEY: 'hunter2' }),
    explained: /^Temporal cannot be reached at .*: .*[Uu]nauthorized/,
  },
  'TLS for a port without it': {
    // By name: for TLS to an IP address, Node's gRPC prints a warning of its own.
    address: () => plain().replace('127.0.0.1', 'localhost'),
    env: () => ({ TEMPORAL_TLS: 'true' }),
  },
  'no TLS for a port with it': {
    address: door('tls'),
    env: () => ({}),
    explained: /^Temporal cannot be reached at localhost:\d+: .+/,
  },
  'a server that says nothing': {
    address: () => `127.0.0.1:${(mute.address() as AddressInfo).port}`,
    env: () => ({}),
  },
  'a port without a server': {
    address: () => '127.0.0.1:1',
    env: () => ({}),
    explained: /^Temporal cannot be reached at 127\.0\.0\.1:1: .+/,
  },
  'an address that is a URL': {
    address: () => 'https://127.0.0.1',
    env: () => ({}),
  },
  'a client certificate that does not exist': {
    address: door('mutual'),
    env: () => ({ ...mutual(), TEMPORAL_TLS_CLIENT_CERT_PATH: join(folder, 'nobody.pem') }),
    explained: /no such file.*nobody\.pem/,
    invalid: true,
  },
  'a client certificate without its key': {
    address: door('mutual'),
    env: () => ({ ...mutual(), TEMPORAL_TLS_CLIENT_KEY_PATH: undefined }),
    explained: /TEMPORAL_TLS_CLIENT_KEY_PATH go together/,
  },
  'the key of another certificate': {
    address: door('mutual'),
    env: () => ({ ...mutual(), TEMPORAL_TLS_CLIENT_KEY_PATH: files.strangersKey }),
  },
  'an authority that is not a certificate': {
    address: door('tls'),
    env: () => ({ TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'hunter2' }),
  },
  'an API key with a line end': {
    address: door('keyed'),
    env: () => ({ ...trusting(), TEMPORAL_API_KEY: 'hunter2\n' }),
    explained: /API key holds spaces, line ends/,
    invalid: true,
  },
  'another word for TLS': {
    address: door('tls'),
    env: () => ({ ...trusting(), TEMPORAL_TLS: 'True' }),
    explained: /TEMPORAL_TLS must be true, false/,
    invalid: true,
  },
  'a profile that is not in the file': {
    address: plain,
    env: () => ({ TEMPORAL_PROFILE: 'producton' }),
    explained: /'producton' not found/,
    invalid: true,
  },
  'a file of profiles that does not exist': {
    address: () => '127.0.0.1:1',
    env: () => ({ TEMPORAL_CONFIG_FILE: join(folder, 'no.toml') }),
    explained: /TEMPORAL_CONFIG_FILE names .*no\.toml, which does not exist/,
  },
  'a file of profiles that cannot be read, with a key in it': {
    address: plain,
    env: () => ({
      TEMPORAL_CONFIG_FILE: write('broken.toml', '[profile.default]\napi_key = "hunter2\naddress = "x"\n'),
    }),
    explained: /^invalid TEMPORAL_\* variables, or profile: Invalid TOML/,
    invalid: true,
  },
};

describe('With a fault,', () => {
  const explained = Object.entries(faults).filter(([, fault]) => fault.explained !== undefined);
  test.each(explained)('doctor explains %s, without a secret', async (_, { address, env, explained = /./ }) => {
    setEnvironment(environment(address(), env()));
    const diagnosis = await diagnose();
    const found = diagnosis.checks.find(({ result }) => result === 'error');
    expect(found?.name).toMatch(/^temporal(Configuration)?$/);
    expect(found?.text).toMatch(explained);
    expect(found?.text).not.toContain('\n');
    expect(found?.todo).toBeTruthy();
    for (const secret of SECRETS) expect(JSON.stringify(diagnosis)).not.toContain(secret);
  });

  test('clients and workers report what the SDK says in one sentence, without a secret', async () => {
    // All at once, because most of the time is waiting for an answer that does not come.
    const failing = Object.entries(faults).flatMap(([name, { address, env, invalid }]) => {
      const at = address();
      const given = environment(at, env());
      const attempts = within(given, () => [
        connect(),
        // As the worker's process does.
        (async () => connectWorker(connectionSettings()))(),
      ]);
      return attempts.map(async (attempt) => ({
        name,
        expected:
          invalid === true
            ? { type: 'InvalidConfiguration', message: /^invalid TEMPORAL_\* variables, or profile: .+$/ }
            : {
                type: 'TemporalUnavailable',
                message: new RegExp(
                  `^Temporal cannot be reached at ${at.replace(/[[\]]/g, '\\$&')}: .+; bill-run-emails doctor checks the connection$`,
                ),
              },
        error: await attempt.then(
          () => expect.unreachable(`${name} is not noticed`),
          (error: unknown) => error as { type: string; message: string },
        ),
      }));
    });
    for (const { name, expected, error } of await Promise.all(failing)) {
      expect({ name, type: error.type }).toEqual({ name, type: expected.type });
      expect(error.message, name).toMatch(expected.message);
      for (const secret of SECRETS) expect(error.message, name).not.toContain(secret);
    }
  });

  test('worker and command line end with its exit code and one line', async () => {
    const given: [Environment, number, RegExp][] = [
      [environment('127.0.0.1:1', {}), 6, /^Temporal cannot be reached at 127\.0\.0\.1:1: /],
      [environment(plain(), { TEMPORAL_PROFILE: 'producton' }), 2, /^invalid TEMPORAL_\* variables/],
    ];
    await Promise.all(
      given.map(async ([env, code, message]) => {
        const worker = await startWorker(env);
        const [listed, { code: workerCode }] = await Promise.all([cli(env, 'list'), worker.ended]);
        expect([listed.code, workerCode]).toEqual([code, code]);
        for (const text of [
          listed.stderr.replace(/^Error: /, '').trim(),
          worker.lastLines.join('\n').replace(/^Error: /, ''),
        ]) {
          expect(text).toMatch(message);
          expect(text.split('\n')).toHaveLength(1);
        }
      }),
    );
  });
});

describe('A server that refuses the connection is reported at once', () => {
  /** The limit for a connection is five seconds. */
  const AT_ONCE_MS = 2_000;

  async function timed<T>(call: () => Promise<T>): Promise<{ readonly ended: T; readonly ms: number }> {
    const began = performance.now();
    return { ended: await call(), ms: performance.now() - began };
  }

  test.each([
    ['127.0.0.1:1', /: connect ECONNREFUSED 127\.0\.0\.1:1; start Temporal there/],
    ['[::1]:1', /: connect E\w+ ::1:1/],
    ['localhost:1', /: connect ECONNREFUSED/],
    ['nobody.invalid:7233', /: Name resolution failed for target dns:nobody\.invalid:7233; start/],
  ])('by every command: %s', async (address, reason) => {
    for (const args of [['list'], ['status', 'BR-1'], ['start', 'BR-1'], ['start', 'BR-1', 'BR-2', '--json']]) {
      const { ended, ms } = await timed(() => cli({ TEMPORAL_ADDRESS: address }, ...args));
      expect(ended.code).toBe(6);
      expect(ended.stderr).toContain(`Temporal cannot be reached at ${address}: `);
      expect(ended.stderr).toMatch(reason);
      expect(ended.stderr).toContain('npm run dev');
      expect(ended.stderr.trim().split('\n')).toHaveLength(1);
      expect(ms).toBeLessThan(AT_ONCE_MS);
    }
  });

  test.each([
    ['TLS for a port that nobody listens on', '127.0.0.1:1', { TEMPORAL_TLS: 'true' }],
    ['an API key for it', 'localhost:1', { TEMPORAL_API_KEY: API_KEY }],
  ])('with %s', async (_, address, env) => {
    const { ended, ms } = await timed(() => cli({ TEMPORAL_ADDRESS: address, ...env }, 'list', '--json'));
    expect(ended).toMatchObject({ code: 6, stderr: expect.stringContaining('ECONNREFUSED') as string });
    expect(ms).toBeLessThan(AT_ONCE_MS);
  });

  test('and a server that says nothing is waited for', async () => {
    const address = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const { ended, ms } = await timed(() => cli({ TEMPORAL_ADDRESS: address }, 'list'));
    expect(ended).toMatchObject({ code: 6, stderr: expect.stringContaining(address) as string });
    expect(ms).toBeGreaterThan(4_000);
  });

  test('and the default address is said to be one', () => {
    const error = notReached(connectionSettings({ TEMPORAL_CONFIG_FILE: '' }), new Error('refused'));
    expect(error.message).toMatch(
      /^Temporal cannot be reached at localhost:7233 \(the default, TEMPORAL_ADDRESS is not set\): refused; /,
    );
    const named = notReached(connectionSettings({ TEMPORAL_ADDRESS: 'localhost:7233' }), new Error('refused'));
    expect(named.message).not.toContain('default');
  });
});
