/** Temporal and the simulator for tests of worker processes: `rig.ts` runs its worker in the process of the test. */
import { Client, Connection } from '@temporalio/client';
import { BillRunEmails } from '../../client/index.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { startTemporalServer, type TemporalServerOptions } from '../../scripts/temporal-server.js';
import { startSimulator } from '../../simulator/index.js';
import { testServer } from './server.js';

export type Parts = Awaited<ReturnType<typeof openParts>>;

export async function openParts(dynamicConfig: TemporalServerOptions['dynamicConfig'] = {}) {
  const temporal = await startTemporalServer({
    ...testServer,
    dynamicConfig: { ...testServer.dynamicConfig, ...dynamicConfig },
  });
  const simulator = await startSimulator();
  const connection = await Connection.connect({ address: temporal.address });
  return {
    temporal,
    simulator,
    control: controlOf(simulator.url),
    connection,
    emails: new BillRunEmails(new Client({ connection })),

    async close(): Promise<void> {
      await connection.close();
      await simulator.close();
      await temporal.stop();
    },
  };
}
