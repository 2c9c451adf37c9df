/**
 * A Zuora tenant to develop and test against: the public API of bill runs and their emails with Zuora's documented
 * behaviour, faults on request, and a control interface under /simulator. It listens on one port, keeps everything in
 * memory, and stands alone: nothing of the product is imported here, so the two cannot share a mistake.
 */
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { SimulatorClock } from './clock.js';
import { controlRoutes } from './control.js';
import { Faults } from './faults.js';
import { frameworkRefusal } from './framework-refusal.js';
import type { Simulation } from './front-door.js';
import { IdempotencyKeys } from './idempotency.js';
import { seededRandom } from './random.js';
import { RequestLog } from './request-log.js';
import { zuoraRoutes } from './routes.js';
import { defaultSettings, settingsChangeSchema, SettingsInForce, type SettingsChange } from './settings.js';
import { Tenant } from './tenant.js';
import { Tokens, type Credentials } from './tokens.js';

export interface SimulatorOptions extends SettingsChange, Partial<Credentials> {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly host?: string;
  /** Fixes the IDs of new objects, and when random faults occur. */
  readonly seed?: number;
}

export interface Simulator {
  /** Without a slash at its end. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** The pair that is accepted unless another is given. Zuora's Python client wants an ID of 36 characters. */
export const SIMULATOR_CREDENTIALS: Credentials = {
  clientId: '5e1f0000-0000-4000-8000-51a1a70b0001',
  clientSecret: 'simulator-client-secret',
};

/** Faults may carry large bodies; a real request is far below. */
const LARGEST_REQUEST_BYTES = 64 * 1024 * 1024;

/** Rejects with the error of the socket (EADDRINUSE, EACCES, …) if it cannot listen. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, host = '127.0.0.1', seed = 1, clientId, clientSecret, ...settings } = options;
  const simulation = createSimulation(seed, settingsChangeSchema.parse(settings));
  const server = fastify({
    bodyLimit: LARGEST_REQUEST_BYTES,
    // The router must not refuse a long key, because that is the product's task.
    routerOptions: { maxParamLength: 8192 },
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) => {
      void frameworkRefusal(error, reply);
    },
  });
  server.setErrorHandler((error, _request, reply) => frameworkRefusal(error, reply));
  // Bodies stay as they were sent: the simulator, not the framework, judges gzip, forms and broken JSON.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  zuoraRoutes(simulation, {
    clientId: clientId ?? SIMULATOR_CREDENTIALS.clientId,
    clientSecret: clientSecret ?? SIMULATOR_CREDENTIALS.clientSecret,
  })(server);
  await server.register(controlRoutes(simulation), { prefix: '/simulator' });
  await server.listen({ port, host });

  return {
    url: addressOf(server.server.address() as AddressInfo),
    close: async () => {
      simulation.clock.stop();
      await server.close();
    },
  };
}

function createSimulation(seed: number, change: SettingsChange): Simulation {
  const clock = new SimulatorClock();
  const settings = new SettingsInForce(defaultSettings);
  settings.change(change);
  return {
    clock,
    settings,
    // Separate streams, so that random faults do not change later IDs.
    tenant: new Tenant(clock, settings, seededRandom(seed)),
    faults: new Faults(seededRandom(seed ^ 0x5f356495)),
    tokens: new Tokens(clock, settings),
    keys: new IdempotencyKeys(clock),
    log: new RequestLog(clock),
  };
}

function addressOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
