/** Our worker with the workflows and activities of the floor. */
import { join } from 'node:path';
import type { Activities } from '../../../activities/index.js';
import { connectionSettings } from '../../../client/temporal/connection.js';
import { bundleWorkflows } from '../../../scripts/bundle-workflows.js';
import { workerConfiguration } from '../../../worker/configuration.js';
import { connectWorker } from '../../../worker/connection.js';
import { createBillRunWorker } from '../../../worker/worker.js';
import { createFloorActivities } from './activities.js';

const { zuora, activitiesAtOnce, taskQueue } = workerConfiguration(process.env);
const settings = connectionSettings();
const workflowBundlePath = join(import.meta.dirname, 'workflow-bundle.js');
await bundleWorkflows({ workflowsPath: join(import.meta.dirname, 'workflows.js'), outFile: workflowBundlePath });
const worker = await createBillRunWorker({
  connection: await connectWorker(settings),
  namespace: settings.namespace,
  taskQueue,
  workflowBundlePath,
  activities: (await createFloorActivities(zuora)) as object as Activities,
  activitiesAtOnce,
});
await worker.run();
process.exit();
