/** deploy/kubernetes.yaml against the image and the worker that it runs. It needs no cluster. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { projectRoot } from '../../scripts/project-root.js';
import { connectionSettings } from '../../client/temporal/connection.js';
import { workerConfiguration } from '../../worker/configuration.js';
import { SHUTDOWN_GRACE_SECONDS } from '../../worker/worker.js';
import { instructions } from './image.js';

/** What Zuora takes of one tenant at once (its documentation of rate limits). */
const ZUORA_CONCURRENCY = 40;

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Deployment {
  readonly spec: {
    readonly replicas: number;
    readonly selector: Selector;
    readonly strategy: { readonly rollingUpdate: object };
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly serviceAccountName: string;
        readonly automountServiceAccountToken: boolean;
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: object;
        readonly containers: readonly [Container];
        readonly volumes: readonly { readonly name: string; readonly secret: { readonly secretName: string } }[];
      };
    };
  };
}

interface Container {
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly: boolean }[];
}

interface Manifested {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const text = readFileSync(join(projectRoot, 'deploy', 'kubernetes.yaml'), 'utf8');
const documents = parseAllDocuments(text, { version: '1.1' });
const objects = documents.map((document) => document.toJS() as Manifested);
const { spec } = of('Deployment') as unknown as Deployment;
const pod = spec.template.spec;
const [container] = pod.containers;
const { data } = of('ConfigMap') as unknown as { readonly data: Readonly<Record<string, string>> };
function of(kind: string): Manifested {
  const found = objects.find((object) => object.kind === kind);
  return found ?? expect.unreachable(`there is no ${kind}`);
}

test('it is YAML without faults, and has each object once', () => {
  expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  expect(objects.map(({ kind }) => kind).sort()).toEqual([
    ...['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'ServiceAccount'],
  ]);
});

test('names and selectors lead to what there is', () => {
  const budget = of('PodDisruptionBudget') as unknown as { readonly spec: { readonly selector: Selector } };
  for (const selector of [spec.selector, budget.spec.selector]) {
    expect(spec.template.metadata.labels).toMatchObject(selector.matchLabels);
  }
  expect(container.envFrom.map(({ configMapRef }) => configMapRef.name)).toEqual([of('ConfigMap').metadata.name]);
  expect(pod.serviceAccountName).toBe(of('ServiceAccount').metadata.name);
});

test("probes and metrics use the addresses that the worker's configuration sets, on any IP family", () => {
  const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
  expect(data['HEALTH_ADDRESS']).toBe(`[::]:${String(ports.get('health'))}`);
  expect(data['METRICS_ADDRESS']).toBe(`[::]:${String(ports.get('metrics'))}`);
  expect(spec.template.metadata.annotations['prometheus.io/port']).toBe(String(ports.get('metrics')));
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
  expect(probes.map(({ httpGet }) => httpGet)).toEqual([
    { path: '/healthz', port: 'health' },
    { path: '/healthz', port: 'health' },
    { path: '/readyz', port: 'health' },
  ]);
});

test('the worker takes its environment, given the files that it must have', () => {
  const mounted = mkdtempSync(join(tmpdir(), 'bill-run-emails-secrets-'));
  for (const file of ['client-id', 'client-secret']) writeFileSync(join(mounted, file), `the ${file}`);
  const files = container.env.map(({ name, value = '' }) => [name, join(mounted, basename(value))]);
  const environment = { ...data, ...Object.fromEntries(files) } as Record<string, string>;
  expect(connectionSettings(environment)).toMatchObject({
    address: data['TEMPORAL_ADDRESS'],
    namespace: data['TEMPORAL_NAMESPACE'],
  });
  expect(workerConfiguration(environment)).toMatchObject({ zuora: { baseUrl: new URL(data['ZUORA_BASE_URL'] ?? '') } });
  rmSync(mounted, { recursive: true });
});

test('a worker that drains is not killed: it gets more time than it takes', () => {
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(SHUTDOWN_GRACE_SECONDS);
});

test('a new version takes work before the old one stops, and both together stay within what Zuora takes', () => {
  expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
  expect(2 * spec.replicas * Number(data['ZUORA_CONNECTIONS'])).toBeLessThanOrEqual(ZUORA_CONCURRENCY);
});

test('secrets are files of mounted secrets, and none stands in the manifest', () => {
  const mounted = container.volumeMounts.map(({ name, mountPath, readOnly }) => {
    expect(readOnly).toBe(true);
    expect(pod.volumes.find((volume) => volume.name === name)?.secret.secretName).toMatch(/^bill-run-emails-/);
    return mountPath;
  });
  expect(container.env.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['ZUORA_CLIENT_ID_FILE', 'ZUORA_CLIENT_SECRET_FILE']),
  );
  for (const { name, value = '' } of container.env) {
    expect(name).toMatch(/_FILE$/);
    expect(mounted).toContain(value.replace(/\/[^/]+$/, ''));
  }
  expect(Object.keys(data).filter((name) => /SECRET|KEY|TOKEN|CLIENT_ID/.test(name))).toEqual([]);
});

test('the container may do no more than it must', () => {
  const user = instructions().find((instruction) => instruction.getKeyword() === 'USER');
  const [uid, gid] = (user?.getArgumentsContent() ?? '').split(':').map(Number);
  expect(uid).toBeGreaterThan(0);
  expect(pod.securityContext).toMatchObject({
    ...{ runAsNonRoot: true, runAsUser: uid, runAsGroup: gid },
    seccompProfile: { type: 'RuntimeDefault' },
  });
  expect(pod.automountServiceAccountToken).toBe(false);
  expect(container.securityContext).toEqual({
    ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
    capabilities: { drop: ['ALL'] },
  });
  expect(container.resources.requests).toMatchObject({ memory: expect.any(String) as string });
  expect(container.resources.limits).toMatchObject({ memory: expect.any(String) as string });
});
