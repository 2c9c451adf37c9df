/** The least that a worker process does before it polls: it loads the SDK, connects, and takes our bundle. No configuration, no Zuora. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';

const worker = await Worker.create({
  connection: await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' }),
  taskQueue: process.env['BILL_RUN_TASK_QUEUE'] ?? '',
  workflowBundle: { codePath: fileURLToPath(new URL('../../../workflow-bundle.js', import.meta.url)) },
  activities: { none: () => Promise.resolve() },
});
await worker.run();
process.exit();
