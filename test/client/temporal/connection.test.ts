/** How worker, command line and library reach a Temporal behind TLS: as its environment says, or a profile, and in words where they do not. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { BillRunEmails, type Diagnosis } from '../../../client/index.js';
import { startChild, type Child } from '../../../scripts/processes.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { environmentFor } from '../../../scripts/temporal-server.js';
import { cliGiven, json, type Ended } from '../../support/command-line.js';
import { openParts, type Parts } from '../../support/parts.js';
import { until } from '../../support/rig.js';
import { createAuthority, openDoor, type Door, type Identity } from '../../support/temporal-door.js';

const API_KEY = 'key-of-the-pipeline';
const SERVER_NAME = 'temporal.example';
/** What may stand in no message: the keys, and how a private key begins. */
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
  BILL_RUN_POLL_INTERVAL: '100ms',
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

/** A worker of this environment emails a bill run. */
async function emailsBy(env: Environment): Promise<void> {
  const { number } = await parts.control<{ number: string }>('POST', '/bill-runs', { status: 'Posted' });
  const worker = await startWorker(env);
  try {
    await json(cli(env, 'start', number, '--json'));
    await until(
      () => Promise.race([parts.emails.status({ billRunKey: number }), endOf(worker)]),
      ({ state }) => state === 'Emailed',
    );
  } finally {
    await worker.stop(60_000);
  }
}

async function endOf(worker: Child): Promise<never> {
  await worker.ended;
  throw new Error(`the worker has ended:\n${worker.lastLines.join('\n')}`);
}

const mutual = (): Environment => ({
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority,
  TEMPORAL_TLS_CLIENT_CERT_PATH: files.cert,
  TEMPORAL_TLS_CLIENT_KEY_PATH: files.key,
});

describe('Worker and command line work through', () => {
  test('TLS, with a certificate of an authority that they are told', async () => {
    const env = environment(doors.tls.address, { TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority });
    await json(cli(env, 'setup', '--json'));
    await emailsBy(env);
  });

  test('TLS with a certificate for another name, when they are told the name', async () => {
    const env = { TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority, TEMPORAL_TLS_SERVER_NAME: SERVER_NAME };
    await emailsBy(environment(doors.named.address, env));
  });

  test('mutual TLS, each with its client certificate', async () => {
    const env = environment(doors.mutual.address, mutual());
    const { checks } = JSON.parse((await cli(env, 'doctor', '--json')).stdout) as Diagnosis;
    expect(checks).toContainEqual(
      expect.objectContaining({
        name: 'temporalConfiguration',
        text: expect.stringContaining(', TLS, no API key') as string,
      }),
    );
    await emailsBy(env);
    expect(new Set(doors.mutual.calls.map(({ caller }) => caller))).toEqual(new Set(['alice']));
  });

  test('an API key, which brings TLS with it and is sent with every call', async () => {
    const env = { TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority, TEMPORAL_API_KEY: API_KEY };
    await emailsBy(environment(doors.keyed.address, env));
    expect(new Set(doors.keyed.calls.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${API_KEY}`]),
    );
  });

  test('a profile that holds all of it, and so does the library', async () => {
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
    await emailsBy(named('production'));
    await emailsBy(named('staging'));
    for (const [name, value] of Object.entries(named('staging'))) vi.stubEnv(name, value);
    const emails = await BillRunEmails.connect();
    onTestFinished(() => emails.close());
    await expect(emails.status({ billRunKey: 'BR-99999999' })).rejects.toMatchObject({ type: 'NotFound' });
  });
});

test('An API key that is no longer taken is said to be refused', async () => {
  const revocable = await openDoor(parts.temporal.address, { identity: doorIdentity, apiKey: API_KEY });
  onTestFinished(() => revocable.close());
  const env = environment(revocable.address, { ...trusting(), TEMPORAL_API_KEY: API_KEY });
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const emails = await BillRunEmails.connect();
  onTestFinished(() => emails.close());
  revocable.setApiKey('another key');
  await expect(emails.start({ billRunKey: 'BR-00000001' })).rejects.toMatchObject({
    type: 'TemporalUnavailable',
    message: expect.stringMatching(/Temporal refuses .*unauthorized.*TEMPORAL_API_KEY/) as string,
  });
});

interface Ill {
  readonly address: () => string;
  readonly env: () => Environment;
  readonly code: 2 | 6;
  readonly says: RegExp;
}

const door = (name: keyof typeof doors) => (): string => doors[name].address;
const trusting = (): Environment => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.authority });
const plain = (): string => parts.temporal.address;

const ills: Record<string, Ill> = {
  'an authority that did not sign the certificate': {
    ...{ address: door('tls'), env: () => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.stranger }), code: 6 },
    says: /authority that is not known here; TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
  },
  'no authority, for a certificate of an own one': {
    ...{ address: door('tls'), env: () => ({ TEMPORAL_TLS: 'true' }), code: 6 },
    says: /authority that is not known here; TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
  },
  'a certificate that has expired': {
    address: door('expired'),
    env: trusting,
    code: 6,
    says: /certificate has expired/,
  },
  'a certificate for another name': {
    address: door('named'),
    env: trusting,
    code: 6,
    says: /TEMPORAL_TLS_SERVER_NAME/,
  },
  'no client certificate where one is wanted': {
    ...{ address: door('mutual'), env: trusting, code: 6 },
    says: /wants a client certificate \(TEMPORAL_TLS_CLIENT_CERT_PATH/,
  },
  "a stranger's client certificate": {
    address: door('mutual'),
    env: () => ({
      ...mutual(),
      TEMPORAL_TLS_CLIENT_CERT_PATH: files.strangersCert,
      TEMPORAL_TLS_CLIENT_KEY_PATH: files.strangersKey,
    }),
    code: 6,
    says: /does it take this client certificate\?/,
  },
  'another API key': {
    ...{ address: door('keyed'), env: () => ({ ...trusting(), TEMPORAL_API_KEY: 'hunter2' }), code: 6 },
    says: /[Uu]nauthorized.*TEMPORAL_API_KEY/,
  },
  'TLS for a port without it': {
    // By name: of TLS to an address, Node's gRPC prints a warning of its own.
    ...{ address: () => plain().replace('127.0.0.1', 'localhost'), code: 6 },
    env: () => ({ TEMPORAL_TLS: 'true' }),
    says: /does not speak TLS/,
  },
  'no TLS for a port with it': {
    address: door('tls'),
    env: () => ({}),
    code: 6,
    says: /want TLS \(TEMPORAL_TLS=true\)/,
  },
  'an address that says nothing': {
    address: () => `127.0.0.1:${(mute.address() as AddressInfo).port}`,
    env: () => ({}),
    code: 6,
    says: /says nothing; is the server there/,
  },
  'an address that nobody listens on': { address: () => '127.0.0.1:1', env: () => ({}), code: 6, says: /ECONNREFUSED/ },
  'an address that is a URL': { address: () => 'https://127.0.0.1', env: () => ({}), code: 2, says: /host:port/ },
  'a client certificate that is not there': {
    ...{ address: door('mutual'), code: 2 },
    env: () => ({ ...mutual(), TEMPORAL_TLS_CLIENT_CERT_PATH: join(folder, 'nobody.pem') }),
    says: /no such file.*nobody\.pem/,
  },
  'a client certificate without its key': {
    ...{ address: door('mutual'), code: 2 },
    env: () => ({ ...mutual(), TEMPORAL_TLS_CLIENT_KEY_PATH: undefined }),
    says: /TEMPORAL_TLS_CLIENT_KEY_PATH go together/,
  },
  'the key of another certificate': {
    ...{ address: door('mutual'), code: 2 },
    env: () => ({ ...mutual(), TEMPORAL_TLS_CLIENT_KEY_PATH: files.strangersKey }),
    says: /no pair in PEM: .*mismatch/,
  },
  'an authority that is no certificate': {
    ...{ address: door('tls'), code: 2 },
    env: () => ({ TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'hunter2' }),
    says: /no certificate in PEM/,
  },
  'an API key with a line end': {
    ...{ address: door('keyed'), code: 2 },
    env: () => ({ ...trusting(), TEMPORAL_API_KEY: 'hunter2\n' }),
    says: /API key holds spaces, line ends/,
  },
  'a word for TLS that is none': {
    ...{ address: door('tls'), env: () => ({ ...trusting(), TEMPORAL_TLS: 'True' }), code: 2 },
    says: /TEMPORAL_TLS must be true, false/,
  },
  'a profile that is not in the file': {
    ...{ address: plain, env: () => ({ TEMPORAL_PROFILE: 'producton' }), code: 2 },
    says: /'producton' not found/,
  },
  'a file of profiles that is not there': {
    ...{ address: plain, env: () => ({ TEMPORAL_CONFIG_FILE: join(folder, 'no.toml') }), code: 2 },
    says: /TEMPORAL_CONFIG_FILE names .*no\.toml, which is not there/,
  },
  'a file of profiles without a profile': {
    ...{ address: plain, env: () => ({ TEMPORAL_CONFIG_FILE: write('empty.toml', '') }), code: 2 },
    says: /no table such as \[profile\.default\]/,
  },
  'a file of profiles that cannot be read, with a key in it': {
    ...{ address: plain, code: 2 },
    env: () => ({
      TEMPORAL_CONFIG_FILE: write('broken.toml', '[profile.default]\napi_key = "hunter2\naddress = "x"\n'),
    }),
    says: /cannot be followed: Invalid TOML/,
  },
};

describe('Worker, command line and doctor say what is wrong, without a secret, and end with it:', () => {
  // Together, because most of their time is waiting for an answer that does not come.
  test.concurrent.for(Object.entries(ills))('%s', async ([, { address, env, code, says }]) => {
    const given = environment(address(), env());
    const worker = await startWorker(given);
    const [ended, diagnosed, { code: workerCode }] = await Promise.all([
      cli(given, 'list', '--json'),
      cli(given, 'doctor', '--json'),
      worker.ended,
    ]);
    const found = (JSON.parse(diagnosed.stdout) as Diagnosis).checks.find(({ result }) => result === 'error');
    expect(found?.todo).toBeTruthy();
    const told = { cli: ended.stderr, worker: worker.lastLines.join('\n'), doctor: found?.text ?? '' };
    for (const words of Object.values(told)) {
      expect(words).toMatch(says);
      // One line, and no stack trace.
      expect(words.trim().split('\n')).toHaveLength(1);
    }
    expect({ cli: ended.code, worker: workerCode, doctor: diagnosed.code }).toEqual({
      cli: code,
      worker: code,
      doctor: code,
    });
    for (const secret of SECRETS) expect(JSON.stringify([ended, diagnosed, worker.lastLines])).not.toContain(secret);
  });
});
