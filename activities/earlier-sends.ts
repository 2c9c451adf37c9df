import { activityInfo, Context } from '@temporalio/activity';
import type { Activities } from '../workflows/contract/activities.js';
import { earlierSends as find } from '../client/history/earlier-sends.js';
import { whileAlive } from './alive.js';

/** For all histories together, below start-to-close (90 s). The SDK's calls to Temporal have no deadline of their own. */
const DEADLINE_MS = 60_000;

export const earlierSends: Activities['earlierSends'] = async (input) => {
  const { workflowExecution = { workflowId: '', runId: '' } } = activityInfo();
  const { client } = Context.current();
  return whileAlive(() => client.withDeadline(Date.now() + DEADLINE_MS, () => find(client, workflowExecution, input)));
};
