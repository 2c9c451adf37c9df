import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { createActivities } from '../../../activities/index.js';
import { BillRunEmails } from '../../../client/index.js';
import { indexedTypes } from '../../../client/temporal/setup.js';
import { temporalBinaries } from '../../../scripts/temporal-server.js';
import { createBillRunWorker, SHIPPED_BUNDLE } from '../../../worker/worker.js';
import { SIMULATOR_CREDENTIALS } from '../../../simulator/index.js';
import { createZuora } from '../../../zuora/client.js';
import { billRuns, type Parts } from '../parts.js';
import { actionsIn } from './billable-actions.js';
import { eventsOf } from './life.js';

const WAITS = { '10 minutes': 10 * 60_000, '1 day': 86_400_000, '30 days': 30 * 86_400_000 } as const;

type Wait = keyof typeof WAITS;

/** The history of a job that has emailed. */
interface Size {
  readonly events: number;
  /** Encoded as Temporal stores them. */
  readonly bytes: number;
  /** Reads of the bill run, including those that found it unchanged. */
  readonly reads: number;
  /** Billable on Temporal Cloud. */
  readonly actions: number;
}

/** `history`: the size of a job's history after such a wait for the post, on Temporal's time-skipping server. */
export async function history(parts: Parts): Promise<Readonly<Record<Wait, Size>>> {
  // Otherwise the SDK's core would write warnings to stdout, where the figures go.
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
    const sizes: Partial<Record<Wait, Size>> = {};
    for (const [wait, ms] of Object.entries(WAITS)) {
      const [number = ''] = await billRuns(parts, 1, { invoices: 2, creditMemos: 1 });
      const { workflowId } = await emails.start({
        billRunKey: number,
        postDeadline: '60 days',
        openFor: '0s',
      });
      await environment.sleep(ms);
      await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
      const job = client.workflow.getHandle(workflowId);
      await job.result();
      const events = await eventsOf(job);
      sizes[wait as Wait] = {
        events: events.length,
        bytes: proto.temporal.api.history.v1.History.encode({ events: [...events] }).finish().length,
        reads: await readsOf(parts, number),
        actions: actionsIn(events),
      };
      parts.report(`  ${wait}: ${events.length} events`);
    }
    return sizes as Record<Wait, Size>;
  });
}

async function readsOf({ control }: Parts, number: string): Promise<number> {
  const requests = await control<{ method: string }[]>('GET', `/requests?billRun=${number}`);
  return requests.filter(({ method }) => method === 'GET').length;
}
