import { describe, expect, test } from 'vitest';
import { workerConfiguration } from '../../worker/configuration.js';
import { ConfigurationError } from '../../zuora/configuration.js';

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
    const { zuora, multiEntity, polling } = workerConfiguration(complete);
    expect(zuora.baseUrl.href).toBe('https://rest.zuora.com/');
    expect(multiEntity).toBe(false);
    expect(polling).toEqual({ first: 10_000, longest: 60_000, afterAnHour: 900_000 });
  });

  test('names all faults together, and no value of a secret', () => {
    const faults = faultsOf({
      ...complete,
      ZUORA_CLIENT_ID: '',
      ZUORA_MULTI_ENTITY: 'maybe',
      ZUORA_CONNECTIONS: '0',
      BILL_RUN_POLL_INTERVAL: 'often',
      LOG_LEVEL: 'loud',
    });
    for (const name of [
      'ZUORA_CLIENT_ID is missing',
      'ZUORA_MULTI_ENTITY',
      'ZUORA_CONNECTIONS',
      'BILL_RUN_POLL_INTERVAL',
      'LOG_LEVEL',
    ]) {
      expect(faults).toContain(name);
    }
    expect(faults).not.toContain('hunter2');
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

  test('takes a host that an operator allows', () => {
    const env = {
      ...complete,
      ZUORA_BASE_URL: 'https://gateway.example',
      ZUORA_ALLOWED_HOSTS: 'other.example, gateway.example',
    };
    expect(workerConfiguration(env).zuora.baseUrl.host).toBe('gateway.example');
  });
});
