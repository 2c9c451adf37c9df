/** A worker for the workflows of the floor, with the settings of ours: the same environment, and as many activities at once. */
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { connectionSettings } from '../../client/connection.js';
import { workerConfiguration } from '../../worker/configuration.js';
import { connectWorker } from '../../worker/connection.js';
import { createFloorActivities } from './activities.js';

const { zuora, limits, taskQueue } = workerConfiguration(process.env);
const settings = connectionSettings();
const worker = await Worker.create({
  connection: await connectWorker(settings),
  namespace: settings.namespace,
  taskQueue,
  workflowsPath: fileURLToPath(new URL('workflows.js', import.meta.url)),
  activities: await createFloorActivities(zuora),
  maxConcurrentActivityTaskExecutions: limits.activitiesAtOnce,
});
await worker.run();
process.exit();
