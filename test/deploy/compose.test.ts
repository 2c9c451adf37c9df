/** deploy/compose.yaml against the Dockerfile and the programs that it runs. It needs no Docker. */
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { From } from 'dockerfile-ast';
import ms, { type StringValue } from 'ms';
import { expect, onTestFinished, test } from 'vitest';
import { parseDocument } from 'yaml';
import { connectionSettings } from '../../client/temporal/connection.js';
import { SERVER_VERSION } from '../../proof/cluster/tools.js';
import { startChild } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { SIMULATOR_CREDENTIALS } from '../../simulator/index.js';
import { workerConfiguration } from '../../worker/configuration.js';
import { SHUTDOWN_GRACE_SECONDS } from '../../worker/worker.js';
import { run } from '../support/command-line.js';
import { instructions } from './image.js';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target?: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly restart?: boolean }>>;
  readonly healthcheck?: { readonly test: readonly string[]; readonly timeout: string };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly network_mode?: string;
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const document = parseDocument(readFileSync(join(projectRoot, 'deploy', 'compose.yaml'), 'utf8'), { merge: true });
const { services, configs, volumes } = document.toJS() as Compose;
const all = Object.entries(services);
const worker = service('worker');
const simulator = service('simulator');
/** Those that end by themselves once they have done their work. */
const ONE_SHOT = ['schema', 'namespace', 'setup'];

function service(name: string): Service {
  return services[name] ?? expect.unreachable(`there is no service ${name}`);
}

/** All services that run before it, directly or not. */
function before(name: string): readonly string[] {
  const direct = Object.keys(service(name).depends_on ?? {});
  return [...direct, ...direct.flatMap(before)];
}

test('it is YAML without faults, and what a service names is there', () => {
  expect([...document.errors, ...document.warnings]).toEqual([]);
  for (const [name, { depends_on: dependencies = {}, network_mode: network, configs: files = [], ...own }] of all) {
    expect(Object.keys(services), name).toEqual(expect.arrayContaining(Object.keys(dependencies)));
    if (network !== undefined) expect(Object.keys(dependencies)).toContain(network.replace(/^service:/, ''));
    expect(Object.keys(configs)).toEqual(expect.arrayContaining(files.map(({ source }) => source)));
    expect(Object.keys(volumes)).toEqual(expect.arrayContaining((own.volumes ?? []).map((each) => each.split(':')[0])));
  }
});

test('each service waits for what it needs: for an end with 0, or for health that is checked', () => {
  for (const [name, { depends_on: dependencies = {} }] of all) {
    for (const [needed, { condition }] of Object.entries(dependencies)) {
      const oneShot = ONE_SHOT.includes(needed);
      expect(condition, `${name} needs ${needed}`).toBe(oneShot ? 'service_completed_successfully' : 'service_healthy');
    }
    expect(service(name).healthcheck === undefined, name).toBe(ONE_SHOT.includes(name));
  }
});

test('`up --wait` does not take the end of a one-shot service for a failure, because another one waits for it', () => {
  const awaited = all.flatMap(([, { depends_on: dependencies = {} }]) => Object.keys(dependencies));
  expect(awaited).toEqual(expect.arrayContaining(ONE_SHOT));
});

test('the worker starts last and so stops first, and gets more time than it takes to drain', () => {
  expect(before('worker')).toEqual(
    expect.arrayContaining(['postgres', 'schema', 'temporal', 'namespace', 'setup', 'simulator']),
  );
  expect(ms((worker.stop_grace_period ?? '') as StringValue)).toBeGreaterThan(SHUTDOWN_GRACE_SECONDS * 1_000);
});

test("every image has a version, and Temporal's is that of the test on a cluster", () => {
  for (const [name, { image, build }] of all) {
    const tag = image.split(':')[1];
    if (build === undefined) expect(tag, name).toMatch(/^\d+\.\d+(\.\d+)?$/);
    if (/^temporalio\/(server|admin-tools):/.test(image)) expect(`v${tag ?? ''}`).toBe(SERVER_VERSION);
  }
});

test('what is built are stages of the Dockerfile, from the root of the checkout', () => {
  const stages = instructions().flatMap((each) => (each instanceof From ? [each.getBuildStage()] : []));
  const built = all.flatMap(([, { build }]) => (build === undefined ? [] : [build]));
  expect(built).toHaveLength(3);
  for (const { context, dockerfile, target } of built) {
    expect({ context, dockerfile }).toEqual({ context: '..', dockerfile: 'deploy/Dockerfile' });
    if (target !== undefined) expect(stages).toContain(target);
  }
  // Without a target it is the last stage: the product.
  expect(stages.at(-1)).toBeNull();
  expect(simulator.build?.target).toBe('simulator');
});

test('ports are published on the loopback interface only, because nothing asks for a login', () => {
  const published = all.flatMap(([, { ports = [] }]) => ports);
  expect(published).toHaveLength(3);
  for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test('the worker takes its environment, in which each variable is one that it reads', () => {
  const { environment = {} } = worker;
  const address = services['temporal']?.ports?.[0]?.split(':').at(-1);
  expect(connectionSettings(environment)).toMatchObject({ address: `temporal:${address ?? ''}`, namespace: 'default' });
  expect(service('setup').environment).toEqual({
    TEMPORAL_ADDRESS: environment['TEMPORAL_ADDRESS'],
    TEMPORAL_NAMESPACE: environment['TEMPORAL_NAMESPACE'],
  });
  const pair = { clientId: environment['ZUORA_CLIENT_ID'], clientSecret: environment['ZUORA_CLIENT_SECRET'] };
  expect(pair).toEqual(SIMULATOR_CREDENTIALS);
  expect(workerConfiguration(environment)).toMatchObject({ healthAddress: { host: '127.0.0.1', port: 8080 } });
  // A test of the pages compares its tables with the code.
  const documented = readFileSync(join(projectRoot, 'docs', 'configuration.md'), 'utf8');
  for (const name of Object.keys(environment)) expect(documented).toContain(`\`${name}\``);
});

test("no secret stands in it but the simulator's own, which are public", () => {
  const values = all.flatMap(([, { environment = {} }]) => Object.entries(environment));
  const secrets = values.filter(([name]) => /SECRET|PASSWORD|PWD|TOKEN|API_KEY/.test(name));
  expect(secrets).toEqual([['ZUORA_CLIENT_SECRET', SIMULATOR_CREDENTIALS.clientSecret]]);
});

test('the worker reaches the simulator on loopback, and goes with its network', () => {
  expect(worker.network_mode).toBe('service:simulator');
  expect(worker.depends_on?.['simulator']).toMatchObject({ restart: true });
  expect(worker.ports).toBeUndefined();
  const { port } = new URL(worker.environment?.['ZUORA_BASE_URL'] ?? '');
  expect(simulator.ports).toEqual([`127.0.0.1:${port}:${port}`]);
});

test('the link to a job leads to the port of Temporal UI', () => {
  const { host } = new URL(worker.environment?.['TEMPORAL_UI_URL'] ?? '');
  expect(service('temporal-ui').ports).toEqual([`${host}:8080`]);
});

test("Temporal reads the file of its dynamic configuration, and takes a worker's word that it drains", () => {
  const { environment = {}, configs: files } = service('temporal');
  expect(files).toEqual([{ source: 'dynamic-config', target: environment['DYNAMIC_CONFIG_FILE_PATH'] }]);
  const content = parseDocument(configs['dynamic-config']?.content ?? '').toJS() as Record<string, unknown>;
  expect(content['frontend.enableCancelWorkerPollsOnShutdown']).toEqual([{ value: true }]);
});

test("the worker's check asks whether it is ready, for longer than that takes", async () => {
  const address = worker.environment?.['HEALTH_ADDRESS'] ?? '';
  expect(worker.healthcheck?.test.join(' ')).toContain(`http://${address}/readyz`);
  expect(ms((worker.healthcheck?.timeout ?? '') as StringValue)).toBeGreaterThan(5_000);
  const answers = [200, 503];
  const server = createServer((_request, response) => response.writeHead(answers.shift() ?? 500).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  expect(await check(worker, '8080', port)).toBe(0);
  expect(await check(worker, '8080', port)).toBe(1);
});

test('the simulator starts by its command, and its check finds it', async () => {
  const child = await startChild({
    ...{ name: 'the simulator', command: process.execPath, cwd: projectRoot },
    args: [...(simulator.command ?? []), '--port', '0'],
  });
  onTestFinished(() => void child.stop(0));
  const [, port] = await new Promise<readonly string[]>((resolve, reject) => {
    child.onLine((line) => {
      resolve(/^Zuora simulator: http:\/\/0\.0\.0\.0:(\d+)/.exec(line) ?? []);
    });
    void child.ended.then(() => {
      reject(new Error(child.lastLines.join('\n')));
    });
  });
  expect(await check(simulator, '9700', Number(port))).toBe(0);
  expect(await child.stop()).toEqual({ code: 0, signal: null });
  expect(await check(simulator, '9700', Number(port))).toBe(1);
});

test('setup runs by its command, and can be repeated', async () => {
  const { command = [] } = service('setup');
  for (let times = 1; times <= 2; times++) {
    const { code, stdout } = await run(process.execPath, [...command, '--json']);
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, namespace: 'default' });
  }
});

/** The exit code of the check of a service, which listens on another port here. */
async function check({ healthcheck }: Service, own: string, port: number): Promise<number> {
  const [kind, command = '', ...args] = healthcheck?.test ?? [];
  expect([kind, command]).toEqual(['CMD', 'node']);
  const { code } = await run(
    process.execPath,
    args.map((arg) => arg.replace(`:${own}/`, `:${port}/`)),
  );
  return code;
}
