import { activityInfo, Context } from '@temporalio/activity';
import type { Activities } from './types.js';
import { earlierSends as find } from '../client/earlier-sends.js';

export const earlierSends: Activities['earlierSends'] = async ({ requestIds }) => {
  const { workflowExecution } = activityInfo();
  return workflowExecution === undefined ? [] : find(Context.current().client, workflowExecution, requestIds);
};
