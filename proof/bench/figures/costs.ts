import { freePort } from '../../../scripts/temporal-server.js';
import { atOnce, billRuns, ours, withWorkers, type Parts } from '../parts.js';
import { rounded } from '../statistics.js';
import { actionsIn } from './billable-actions.js';

/** Calls of a worker to Temporal, by name, for each bill run. */
type Calls = Readonly<Record<string, number>>;

/**
 * `costs`: what a bill run costs Temporal. The last question before a call is two of the calls `DescribeWorkflowExecution`, and
 * neither an event nor an action. `orders` is a hold and a release, both by update.
 */
export async function costs(parts: Parts) {
  const count = parts.quick ? 2 : 20;
  return {
    billRuns: count,
    callsOfWorker: await callsOf(parts, count),
    orders: await ordersOf(parts),
  };
}

async function callsOf(parts: Parts, count: number): Promise<Calls> {
  const metrics = `127.0.0.1:${await freePort()}`;
  return withWorkers(parts, { floor: false, env: { METRICS_ADDRESS: metrics } }, async () => {
    const before = await requestsOf(metrics);
    await atOnce(1, await billRuns(parts, count, { status: 'Posted' }), async (number) => {
      await (await ours(parts).start(number)).result();
    });
    const after = await requestsOf(metrics);
    return Object.fromEntries(
      [...after].map(([name, calls]) => [name, rounded((calls - (before.get(name) ?? 0)) / count)] as const),
    );
  });
}

/** Events and actions of a job in which an operator holds and releases, beyond those of a job without. */
async function ordersOf(parts: Parts): Promise<{ readonly events: number; readonly actions: number }> {
  return withWorkers(parts, { floor: false }, async () => {
    const sizes = await Promise.all(
      [false, true].map(async (isHeld) => {
        const [number = ''] = await billRuns(parts, 1, { status: 'Completed' });
        const job = await ours(parts).start(number);
        while ((await parts.emails.status({ billRunKey: number })).billRunStatus !== 'Completed') continue;
        if (isHeld) await parts.emails.hold({ billRunKey: number }, { requestedBy: 'alice' });
        if (isHeld) await parts.emails.release({ billRunKey: number }, { requestedBy: 'alice' });
        await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
        await parts.emails.billRunPosted({ billRunKey: number });
        await job.result();
        const events = (await job.fetchHistory()).events ?? [];
        return { events: events.length, actions: actionsIn(events) };
      }),
    );
    const [without, withOrders] = sizes;
    return {
      events: (withOrders?.events ?? NaN) - (without?.events ?? NaN),
      actions: (withOrders?.actions ?? NaN) - (without?.actions ?? NaN),
    };
  });
}

const REQUEST = /^temporal_(?:long_)?request(?:_total)?\{(.*)\} (\d+)/;

/** From the worker's metrics. */
async function requestsOf(address: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, labels = '', value = ''] = REQUEST.exec(line) ?? [];
    const [, operation] = /operation="(\w+)"/.exec(labels) ?? [];
    if (operation !== undefined) counts.set(operation, (counts.get(operation) ?? 0) + Number(value));
  }
  return counts;
}
