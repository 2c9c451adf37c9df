import proto from '@temporalio/proto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createActivities } from '../../../activities/index.js';
import { BillRunEmails } from '../../../client/index.js';
import { billRunSearchAttributes, startTemporalServer } from '../../../scripts/temporal-server.js';
import { skipsTime, timeSkipping, withoutJumps } from '../../../scripts/time-skipping.js';
import { createBillRunWorker, SHIPPED_BUNDLE } from '../../../worker/worker.js';
import { SIMULATOR_CREDENTIALS } from '../../../simulator/index.js';
import { createZuora } from '../../../zuora/client.js';
import { billRuns, type Parts } from '../parts.js';
import { actionsIn } from './billable-actions.js';

const WAITS = { '10 minutes': 10 * 60_000, '1 day': 86_400_000, '30 days': 30 * 86_400_000 } as const;

/** What becomes of one of the documents of a bill run that is posted and followed, and after how long its PDF is there. */
const FOLLOWED = {
  'all sent at the first check': { change: {}, pdfAfterMs: 0 },
  'one not sent': { change: { email: 'failed', reason: 'mailbox full' }, pdfAfterMs: 0 },
  'one PDF after five hours': { change: { pdf: 'pending' }, pdfAfterMs: 5 * 3_600_000 },
} as const;
const NOT_FOLLOWED = 'posted, not followed';

type Life = keyof typeof WAITS | keyof typeof FOLLOWED | typeof NOT_FOLLOWED;

/** The history of a job that has emailed. */
interface Size {
  readonly events: number;
  /** Encoded as Temporal stores them. */
  readonly bytes: number;
  /** Reads of the bill run and of its documents, including those that found nothing new. */
  readonly reads: number;
  /** Billable on Temporal Cloud. */
  readonly actions: number;
}

/** `history`: the size of a job's history after such a wait for the post, or for the documents, of which Temporal skips the time. */
export async function history(parts: Parts): Promise<Readonly<Record<Life, Size>>> {
  // Otherwise the SDK's core would write warnings to stdout, where the figures go.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
  const sizes: Partial<Record<Life, Size>> = {};

  /** From the start to the end of a job. */
  async function measure(
    life: Life,
    { number, openFor }: { readonly number: string; readonly openFor: string },
    meanwhile: (pass: (ms: number) => Promise<void>) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    await withWorker(parts, async (client) => {
      const time = timeSkipping(client);
      const readsBefore = await reads(parts);
      const input = { billRunKey: number, postDeadline: '60 days', openFor };
      const { workflowId } = await new BillRunEmails(client).start(input);
      const job = client.workflow.getHandle(workflowId);
      await meanwhile((ms) => time.forward(job, ms));
      await time.freely(job);
      await job.result();
      const events = withoutJumps(await job.fetchHistory());
      sizes[life] = {
        events: events.length,
        bytes: proto.temporal.api.history.v1.History.encode({ events: [...events] }).finish().length,
        reads: (await reads(parts)) - readsBefore,
        actions: actionsIn(events),
      };
      parts.report(`  ${life}: ${events.length} events`);
    });
  }

  const billRun = async (wanted: object): Promise<string> =>
    (await billRuns(parts, 1, { invoices: 2, creditMemos: 1, ...wanted }))[0] ?? '';
  for (const [wait, ms] of Object.entries(WAITS)) {
    const number = await billRun({});
    await measure(wait as Life, { number, openFor: '0s' }, async (pass) => {
      await pass(ms);
      await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
    });
  }
  await measure(NOT_FOLLOWED, { number: await billRun({ status: 'Posted' }), openFor: '0s' });
  for (const [life, { change, pdfAfterMs }] of Object.entries(FOLLOWED)) {
    const number = await billRun({ status: 'Posted' });
    const { documents } = await parts.control<{ documents: { number: string }[] }>('GET', `/bill-runs/${number}`);
    const document = `/documents/${documents[0]?.number ?? ''}`;
    await parts.control('PATCH', document, change);
    await measure(life as Life, { number, openFor: '7 days' }, async (pass) => {
      if (pdfAfterMs === 0) return;
      await pass(pdfAfterMs);
      await parts.control('PATCH', document, { pdf: 'generated' });
    });
  }
  return sizes as Record<Life, Size>;
}

async function withWorker({ simulatorUrl }: Parts, act: (client: Client) => Promise<void>): Promise<void> {
  const server = await startTemporalServer({
    headless: true,
    searchAttributes: billRunSearchAttributes,
    dynamicConfig: skipsTime,
  });
  const { address } = server;
  const connection = await Connection.connect({ address });
  const nativeConnection = await NativeConnection.connect({ address });
  const zuora = createZuora({
    baseUrl: new URL(`${simulatorUrl}/`),
    credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  const worker = await createBillRunWorker({
    connection: nativeConnection,
    namespace: server.namespace,
    activities: createActivities({ zuora, multiEntity: false }),
    workflowBundlePath: SHIPPED_BUNDLE,
  });
  await worker.runUntil(() => act(new Client({ connection, namespace: server.namespace })));
  await zuora.close();
  await nativeConnection.close();
  await connection.close();
  await server.stop();
}

/** So far, and of whatever kind. */
async function reads({ control }: Parts): Promise<number> {
  const requests = await control<{ method: string }[]>('GET', '/requests');
  return requests.filter(({ method }) => method === 'GET').length;
}
