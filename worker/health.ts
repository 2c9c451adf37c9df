/** Whether a worker is alive, and whether it can do its work, for whatever runs many of them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConnection, Worker } from '@temporalio/worker';
import { fastify } from 'fastify';
import type { Zuora } from '../zuora/client.js';
import { ConfigurationError } from '../zuora/configuration.js';
import type { SocketAddress } from '../environment/address.js';

/** For each check; whoever probes should wait longer. */
const DEADLINE_MS = 5_000;
/** A refused login is not tried again for every probe: too many of them may lock a client out. */
const REFUSED_FOR_MS = 30_000;

export interface Checked {
  readonly worker: Pick<Worker, 'getStatus'>;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly zuora: Pick<Zuora, 'authenticate'>;
}

/**
 * Serves `/healthz` and `/readyz`: 200 or 503, with `{ok, checks: {name: 'ok' or why not}}`. A worker that drains is healthy but
 * not ready; one that cannot reach Temporal, or gets no token from Zuora, is healthy too, because a restart would not help.
 *
 * @throws ConfigurationError where the address cannot be had
 */
export async function serveHealth(
  { host, port }: SocketAddress,
  checked: Checked,
): Promise<{ close(): Promise<void> }> {
  const server = fastify({ forceCloseConnections: true });
  const answer = (checks: Readonly<Record<string, string>>) => ({
    ok: Object.values(checks).every((each) => each === 'ok'),
    checks,
  });
  server.get('/healthz', (_request, reply) => {
    const health = answer({ worker: aliveness(checked) });
    return reply.code(health.ok ? 200 : 503).send(health);
  });
  let refused = { zuora: 'ok', until: 0 };
  const tokenCheck = async (): Promise<string> => {
    if (performance.now() < refused.until) return refused.zuora;
    const zuora = await cameOf('Zuora gives no token', checked.zuora.authenticate());
    if (zuora !== 'ok') refused = { zuora, until: performance.now() + REFUSED_FOR_MS };
    return zuora;
  };
  server.get('/readyz', async (_request, reply) => {
    const [temporal, zuora] = await Promise.all([
      cameOf('Temporal does not answer', reachTemporal(checked)),
      tokenCheck(),
    ]);
    const readiness = answer({ worker: aliveness(checked), poller: polling(checked), temporal, zuora });
    return reply.code(readiness.ok ? 200 : 503).send(readiness);
  });
  await server.listen({ host, port }).catch((error: unknown) => {
    throw new ConfigurationError(`HEALTH_ADDRESS cannot be had: ${String(error)}`, { cause: error });
  });
  return { close: () => server.close() };
}

function aliveness({ worker }: Checked): string {
  const { runState } = worker.getStatus();
  return runState === 'FAILED' || runState === 'STOPPED' ? runState : 'ok';
}

/** Said last, so that a signal to stop during the checks counts. */
function polling({ worker }: Checked): string {
  const { runState, workflowPollerState, activityPollerState } = worker.getStatus();
  if (runState !== 'RUNNING') return runState;
  return workflowPollerState === 'POLLING' && activityPollerState === 'POLLING'
    ? 'ok'
    : `workflows ${workflowPollerState}, activities ${activityPollerState}`;
}

async function reachTemporal({ connection, namespace }: Checked): Promise<void> {
  await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
}

async function cameOf(failed: string, check: Promise<unknown>): Promise<string> {
  const timeOut = new AbortController();
  try {
    return await Promise.race([
      check.then(() => 'ok'),
      delay(DEADLINE_MS, `${failed} within ${DEADLINE_MS / 1000} s`, { signal: timeOut.signal }),
    ]);
  } catch (error) {
    return `${failed}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    timeOut.abort();
  }
}
