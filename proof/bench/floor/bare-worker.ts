/** The minimum before a worker polls: load the SDK, connect, load our bundle. Without configuration and Zuora. */
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
