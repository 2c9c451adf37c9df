import proto from '@temporalio/proto';
import type { WorkflowHandle } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { createActivities } from '../../../activities/index.js';
import { BillRunEmails } from '../../../client/index.js';
import { indexedTypes } from '../../../client/temporal/setup.js';
import type { HistoryEvent } from '../../../client/history/history.js';
import { temporalBinaries } from '../../../scripts/temporal-server.js';
import { createBillRunWorker, SHIPPED_BUNDLE } from '../../../worker/worker.js';
import { SIMULATOR_CREDENTIALS } from '../../../simulator/index.js';
import { createZuora } from '../../../zuora/client.js';
import { billRuns, type Parts, type Variant } from '../parts.js';
import { actionsIn } from './billable-actions.js';

const WAITS = { '10 minutes': 10 * 60_000, '1 day': 86_400_000, '30 days': 30 * 86_400_000 } as const;

export type Wait = keyof typeof WAITS;

/** What is left of a run that has emailed. */
export interface Left {
  readonly events: number;
  /** As Temporal stores them. */
  readonly bytes: number;
  /** Reads of the bill run, those that found it unchanged included. */
  readonly reads: number;
  /** On Temporal Cloud. */
  readonly actions: number;
}

async function eventsOf(run: WorkflowHandle): Promise<readonly HistoryEvent[]> {
  return (await run.fetchHistory()).events ?? [];
}

/** All that is left of one bill run, when it has emailed. */
export async function lifeOf(parts: Parts, variant: Variant, wanted: object): Promise<readonly HistoryEvent[]> {
  const [number = ''] = await billRuns(parts, 1, wanted);
  const run = await variant.start(number);
  await run.result();
  return eventsOf(run);
}

/** `history`: what a run leaves that waits so long before its bill run posts, by Temporal's time-skipping server. */
export async function history(parts: Parts): Promise<Readonly<Record<Wait, Left>>> {
  // The core of the SDK would write its warnings to stdout, where the figures go.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: temporalBinaries().testServer } },
  });
  parts.onStop(() => environment.teardown());
  const { connection, nativeConnection, client } = environment;
  await connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes: indexedTypes() });
  const zuora = createZuora({
    baseUrl: new URL(`${parts.simulatorUrl}/`),
    credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  parts.onStop(() => zuora.close());
  const worker = await createBillRunWorker({
    connection: nativeConnection,
    namespace: 'default',
    activities: createActivities({ zuora, multiEntity: false }),
    workflowBundlePath: SHIPPED_BUNDLE,
  });
  const emails = new BillRunEmails(client);
  return worker.runUntil(async () => {
    const left: Partial<Record<Wait, Left>> = {};
    for (const [wait, ms] of Object.entries(WAITS)) {
      const [number = ''] = await billRuns(parts, 1, { invoices: 2, creditMemos: 1 });
      const { workflowId } = await emails.start({
        billRunKey: number,
        postDeadline: '60 days',
        escalationWindow: '0s',
      });
      await environment.sleep(ms);
      await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
      const run = client.workflow.getHandle(workflowId);
      await run.result();
      const events = await eventsOf(run);
      left[wait as Wait] = {
        events: events.length,
        bytes: proto.temporal.api.history.v1.History.encode({ events: [...events] }).finish().length,
        reads: await readsOf(parts, number),
        actions: actionsIn(events),
      };
      parts.tell(`  ${wait}: ${events.length} events`);
    }
    return left as Record<Wait, Left>;
  });
}

async function readsOf({ control }: Parts, number: string): Promise<number> {
  const seen = await control<{ method: string }[]>('GET', `/requests?billRun=${number}`);
  return seen.filter(({ method }) => method === 'GET').length;
}
