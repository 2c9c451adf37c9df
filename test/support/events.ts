/** Events of an email job, as Temporal writes them, for histories written by hand. */
import type { AttemptReceipt } from '../../workflows/contract/activities.js';
import { payload, payloads } from './histories.js';

export const CANONICAL = 'email-bill-run/BR-1';

export const started = (attributes: object = {}) => ({
  workflowExecutionStartedEventAttributes: { workflowId: CANONICAL, identity: 'p@ci', ...attributes },
});
export const signal = (signalName: string, input?: object) => ({
  workflowExecutionSignaledEventAttributes: { signalName, input, identity: 'cli@desk' },
});
export const timer = (summary: string) => ({
  timerStartedEventAttributes: {},
  userMetadata: { summary: payload(summary) },
});
export const upsert = (indexedFields: object) => ({
  upsertWorkflowSearchAttributesEventAttributes: { searchAttributes: { indexedFields } },
});
export const asking = upsert({ EmailState: payload('NeedsAttention'), EmailReason: payload('unknown') });
export const scheduled = (name: string, input?: unknown) => ({
  activityTaskScheduledEventAttributes: { activityType: { name }, input: payloads(input) },
});
export const completed = (scheduledEventId: number, result: unknown) => ({
  activityTaskCompletedEventAttributes: { scheduledEventId, result: payloads(result), identity: 'worker' },
});
export const failed = (scheduledEventId: number, failure?: object) => ({
  activityTaskFailedEventAttributes: { scheduledEventId, failure },
});
export const timedOut = (scheduledEventId: number, timeoutType: string) => ({
  activityTaskTimedOutEventAttributes: {
    scheduledEventId,
    failure: { message: 'activity timeout', timeoutFailureInfo: { timeoutType: `TIMEOUT_TYPE_${timeoutType}` } },
  },
});
export const copiedUpToHere = (baseRunId: string) => ({
  workflowTaskFailedEventAttributes: { baseRunId, identity: 'op', failure: { message: 'by an operator' } },
});
export const over = { workflowExecutionCompletedEventAttributes: {} };
export const terminated = { workflowExecutionTerminatedEventAttributes: { reason: 'no', identity: 'op' } };

export const FIRST = { resend: false, idempotencyKey: 'bill-run-email/8ad0/first/1', trackId: 'bre-a-1', notAfter: 1 };
export const RESEND = {
  ...FIRST,
  resend: true,
  idempotencyKey: 'bill-run-email/8ad0/resend/T-1/1',
  requestIds: ['T-1'],
};
export const email = (input: unknown = FIRST) => scheduled('emailBillRunDocuments', input);
export const receipt = (fields: Partial<AttemptReceipt> = {}): AttemptReceipt => ({
  called: true,
  startedAt: '1970-01-01T00:00:00.500Z',
  durationMs: 20,
  verdict: 'accepted',
  reasons: [],
  httpStatus: 200,
  zuoraRequestId: 'z-1',
  echoedTrackId: null,
  retryAfterMs: null,
  ...fields,
});

export const CUT_OFF = receipt({
  verdict: 'unknown',
  httpStatus: null,
  zuoraRequestId: null,
  reasons: [{ code: 'ECONNRESET', message: 'read ECONNRESET' }],
});
export const REFUSED = receipt({ verdict: 'refused', httpStatus: 400, reasons: [{ code: '58730030', message: 'no' }] });
