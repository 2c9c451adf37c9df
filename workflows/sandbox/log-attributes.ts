import { workflowInfo, type WorkflowOutboundCallsInterceptor } from '@temporalio/workflow';
import { searchAttributes } from '../contract/search-attributes.js';

/** Adds the bill run to every log line: its number or, until that is known, the last part of the workflow id. */
export const billRunInLogs: WorkflowOutboundCallsInterceptor = {
  getLogAttributes(input, next) {
    const { workflowId, typedSearchAttributes } = workflowInfo();
    const billRun = typedSearchAttributes.get(searchAttributes.billRunNumber) ?? workflowId.split('/').at(-1);
    return { ...next(input), billRun };
  },
};
