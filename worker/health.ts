/** Liveness and readiness of a worker, for Kubernetes or another supervisor. */
import type { NativeConnection, Worker } from '@temporalio/worker';
import { fastify } from 'fastify';
import pTimeout from 'p-timeout';
import type { Zuora } from '../zuora/client.js';
import type { SocketAddress } from '../environment/address.js';
import { hostAndPort } from '../environment/address.js';
import { ConfigurationError } from '../environment/configuration-error.js';

/** For each check. Probes should wait longer. */
const DEADLINE_MS = 5_000;

export interface Probed {
  readonly worker: Pick<Worker, 'getStatus'>;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly zuora: Pick<Zuora, 'authenticate'>;
}

/**
 * Serves `/healthz` and `/readyz`: 200 or 503, with `{ok, checks: {name: 'ok' or the reason}}`. A draining worker is healthy but
 * not ready. One that cannot reach Temporal, or gets no token from Zuora, is healthy too, because a restart would not help.
 *
 * @throws ConfigurationError if it cannot listen on the address
 */
export async function serveHealth(address: SocketAddress, probed: Probed): Promise<{ close(): Promise<void> }> {
  const server = fastify({ forceCloseConnections: true });
  const answer = (checks: Readonly<Record<string, string>>) => ({
    ok: Object.values(checks).every((each) => each === 'ok'),
    checks,
  });
  server.get('/healthz', (_request, reply) => {
    const health = answer({ worker: aliveness(probed) });
    return reply.code(health.ok ? 200 : 503).send(health);
  });
  server.get('/readyz', async (_request, reply) => {
    const [temporal, zuora] = await Promise.all([
      outcomeOf('Temporal does not answer', reachTemporal(probed)),
      outcomeOf('Zuora gives no token', probed.zuora.authenticate()),
    ]);
    const readiness = answer({ worker: aliveness(probed), poller: polling(probed), temporal, zuora });
    return reply.code(readiness.ok ? 200 : 503).send(readiness);
  });
  await server.listen({ ...address }).catch((error: unknown) => {
    const message = `cannot listen on HEALTH_ADDRESS ${hostAndPort(address)}: ${String(error)}`;
    throw new ConfigurationError(message, { cause: error });
  });
  return { close: () => server.close() };
}

function aliveness({ worker }: Probed): string {
  const { runState } = worker.getStatus();
  return runState === 'FAILED' || runState === 'STOPPED' ? runState : 'ok';
}

/** Read after the other checks, so that a signal to stop during them counts. */
function polling({ worker }: Probed): string {
  const { runState, workflowPollerState, activityPollerState } = worker.getStatus();
  if (runState !== 'RUNNING') return runState;
  return workflowPollerState === 'POLLING' && activityPollerState === 'POLLING'
    ? 'ok'
    : `workflows ${workflowPollerState}, activities ${activityPollerState}`;
}

async function reachTemporal({ connection, namespace }: Probed): Promise<void> {
  await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
}

/** 'ok', or the reason. */
async function outcomeOf(failure: string, check: Promise<unknown>): Promise<string> {
  try {
    await pTimeout(check, { milliseconds: DEADLINE_MS, message: `no answer within ${DEADLINE_MS / 1000} s` });
    return 'ok';
  } catch (error) {
    return `${failure}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
