/** Our worker with a constant poll interval, so that it waits as long as the poll loop. */
import { createActivities } from '../../../activities/index.js';
import { connectionSettings } from '../../../client/temporal/connection.js';
import { workerConfiguration } from '../../../worker/configuration.js';
import { connectWorker } from '../../../worker/connection.js';
import { createBillRunWorker, SHIPPED_BUNDLE } from '../../../worker/worker.js';
import { createZuora } from '../../../zuora/client.js';

const { zuora, activitiesAtOnce, multiEntity, polling } = workerConfiguration(process.env);
const settings = connectionSettings();
const { first } = polling;
const worker = await createBillRunWorker({
  connection: await connectWorker(settings),
  namespace: settings.namespace,
  activities: createActivities({
    zuora: createZuora(zuora),
    multiEntity,
    polling: { first, longest: first, afterAnHour: first },
  }),
  workflowBundlePath: SHIPPED_BUNDLE,
  activitiesAtOnce,
});
await worker.run();
process.exit();
