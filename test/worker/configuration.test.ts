import { describe, expect, test } from 'vitest';
import { workerConfiguration } from '../../worker/configuration.js';
import { ConfigurationError } from '../../environment/configuration-error.js';

const complete = { ZUORA_BASE_URL: 'https://rest.zuora.com', ZUORA_CLIENT_ID: 'id', ZUORA_CLIENT_SECRET: 'hunter2' };

function faultsOf(env: NodeJS.ProcessEnv): string {
  try {
    workerConfiguration(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
  }
  return expect.unreachable('the configuration was taken');
}

describe('The configuration of a worker', () => {
  test('is complete with an address and credentials of Zuora', () => {
    const { zuora, multiEntity, polling, deliveryIntervalMs, activitiesAtOnce, ...rest } =
      workerConfiguration(complete);
    expect(zuora.baseUrl.href).toBe('https://rest.zuora.com/');
    expect(multiEntity).toBe(false);
    expect(polling).toEqual({ first: 10_000, longest: 60_000, afterAnHour: 900_000, perMinute: 1_200 });
    expect(deliveryIntervalMs).toBe(300_000);
    expect(activitiesAtOnce, 'as many as connections').toBe(16);
    expect(rest, 'neither metrics nor health are served, and there is no version').toEqual({
      logLevel: 'info',
      taskQueue: 'bill-run-emails',
    });
  });

  test('names all faults together, and no value of a secret', () => {
    const faults = faultsOf({
      ...complete,
      ZUORA_CLIENT_ID: '',
      ZUORA_MULTI_ENTITY: 'maybe',
      ZUORA_CONNECTIONS: '0',
      BILL_RUN_POLL_INTERVAL: 'often',
      BILL_RUN_DELIVERY_INTERVAL: '9 hours',
      LOG_LEVEL: 'loud',
    });
    for (const name of [
      'ZUORA_CLIENT_ID is missing',
      'ZUORA_MULTI_ENTITY',
      'ZUORA_CONNECTIONS',
      'BILL_RUN_POLL_INTERVAL',
      'BILL_RUN_DELIVERY_INTERVAL',
      'LOG_LEVEL',
    ]) {
      expect(faults).toContain(name);
    }
    expect(faults).not.toContain('hunter2');
  });

  test('bounds what the workers ask of Zuora', () => {
    const { polling, zuora, activitiesAtOnce } = workerConfiguration({
      ...complete,
      ZUORA_CONNECTIONS: '4',
      BILL_RUN_POLLS_PER_MINUTE: '4',
    });
    expect(polling.perMinute).toBe(4);
    expect([zuora.connections, activitiesAtOnce]).toEqual([4, 4]);
    for (const name of ['BILL_RUN_POLLS_PER_MINUTE', 'ZUORA_CONNECTIONS']) {
      for (const value of ['0', '-1', 'many', 'Infinity']) {
        expect(faultsOf({ ...complete, [name]: value })).toContain(name);
      }
    }
  });

  test('takes IP addresses with a port for metrics and health, and the names of a version', () => {
    expect(
      workerConfiguration({
        ...complete,
        METRICS_ADDRESS: '0.0.0.0:9464',
        HEALTH_ADDRESS: '[::1]:8080',
        TEMPORAL_DEPLOYMENT_NAME: 'bill-run-emails',
        TEMPORAL_WORKER_BUILD_ID: '1.2.3-abc',
      }),
    ).toMatchObject({
      metricsAddress: { host: '0.0.0.0', port: 9464 },
      healthAddress: { host: '::1', port: 8080 },
      deployment: { name: 'bill-run-emails', buildId: '1.2.3-abc' },
    });
    expect(faultsOf({ ...complete, METRICS_ADDRESS: 'localhost:9464' })).toContain(
      'METRICS_ADDRESS is not an IP address with a port',
    );
    expect(faultsOf({ ...complete, TEMPORAL_DEPLOYMENT_NAME: 'a.b' })).toContain('TEMPORAL_DEPLOYMENT_NAME');
  });

  test('takes another task queue', () => {
    expect(workerConfiguration({ ...complete, BILL_RUN_TASK_QUEUE: 'sandbox' }).taskQueue).toBe('sandbox');
    expect(faultsOf({ ...complete, BILL_RUN_TASK_QUEUE: 'a b' })).toContain('BILL_RUN_TASK_QUEUE');
  });

  test.for([
    'http://rest.zuora.com',
    'https://zuora.com.example',
    'ftp://127.0.0.1',
    'rest.zuora.com',
    'https://u:p@rest.zuora.com',
  ])('refuses %s as an address of Zuora', (url) => {
    expect(faultsOf({ ...complete, ZUORA_BASE_URL: url })).toContain('ZUORA_BASE_URL');
  });

  test('takes each half of the credentials once, from a variable or from a file that can be read', () => {
    const { ZUORA_CLIENT_SECRET: _, ...rest } = complete;
    expect(faultsOf(rest)).toContain('ZUORA_CLIENT_SECRET is missing, and so is ZUORA_CLIENT_SECRET_FILE');
    const both = faultsOf({ ...complete, ZUORA_CLIENT_SECRET_FILE: import.meta.filename });
    expect(both).toContain('ZUORA_CLIENT_SECRET and ZUORA_CLIENT_SECRET_FILE exclude each other');
    expect(both).not.toContain('hunter2');
    expect(faultsOf({ ...rest, ZUORA_CLIENT_SECRET_FILE: '/no/such/file' })).toMatch(
      /ZUORA_CLIENT_SECRET_FILE names a file that cannot be read: ENOENT/,
    );
    expect(workerConfiguration({ ...rest, ZUORA_CLIENT_SECRET_FILE: import.meta.filename })).toBeDefined();
  });

  test('notifies a web address, by a variable or a file, and shows it in no fault', () => {
    const notified = { ...complete, NOTIFY_URL: 'https://hooks.example/T0/hunter2' };
    const { receiver } = workerConfiguration({ ...notified, TEMPORAL_UI_URL: 'https://temporal.example/' });
    expect([receiver?.url(), receiver?.uiUrl]).toEqual([notified.NOTIFY_URL, 'https://temporal.example']);
    for (const url of ['hooks.example/hunter2', 'ftp://hooks.example/hunter2', 'https://hunter2@hooks.example']) {
      const faults = faultsOf({ ...complete, NOTIFY_URL: url });
      expect(faults).toContain('NOTIFY_URL must be an http or https URL, without a user');
      expect(faults).not.toContain('hunter2');
    }
    expect(faultsOf({ ...complete, NOTIFY_URL_FILE: import.meta.filename })).toContain('NOTIFY_URL must be');
    expect(faultsOf({ ...complete, NOTIFY_URL_FILE: '/no/such/file' })).toContain('NOTIFY_URL_FILE names a file');
    expect(faultsOf({ ...complete, TEMPORAL_UI_URL: 'temporal.example' })).toContain('TEMPORAL_UI_URL must be');
  });

  test('takes a host that an operator allows', () => {
    const env = {
      ...complete,
      ZUORA_BASE_URL: 'https://gateway.example',
      ZUORA_ALLOWED_HOSTS: 'other.example, gateway.example',
    };
    expect(workerConfiguration(env).zuora.baseUrl.host).toBe('gateway.example');
  });
});
