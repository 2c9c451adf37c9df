/** Faults of the simulator for email calls, by name. */
const lock = { success: false, reasons: [{ code: 58730050, message: 'locked' }] };
const no = { success: false, reasons: [{ code: 58730020, message: 'no' }] };
const broken = { reasons: [{ code: 'SystemError', message: 'broken' }] };

/** After these nobody knows whether the call was executed. */
export const unknownFaults = {
  'reset before': { when: 'before', fault: 'reset' },
  'reset after': { when: 'after', fault: 'reset' },
  '500 before': { when: 'before', fault: 'respond', status: 500, body: broken },
  '500 before, stored': { when: 'before', fault: 'respond', status: 500, body: broken, stored: true },
  '500 after': { when: 'after', fault: 'respond', status: 500, body: broken },
  '500 after, stored': { when: 'after', fault: 'respond', status: 500, body: broken, stored: true },
  '502 before': { when: 'before', fault: 'respond', status: 502, body: '<html>' },
  '502 after': { when: 'after', fault: 'respond', status: 502, body: '<html>' },
  'in progress': { when: 'before', fault: 'respond', status: 409, body: { message: 'in progress' } },
  'half a body before': {
    ...{ when: 'before', fault: 'respond', status: 200, body: '{"success": tr' },
    headers: { 'content-length': 500 },
  },
  'half a body after': {
    ...{ when: 'after', fault: 'respond', status: 200, body: '{"success": tr' },
    headers: { 'content-length': 500 },
  },
  'no JSON after': { when: 'after', fault: 'respond', status: 200, body: 'OK' },
  'of somebody else': {
    ...{ when: 'before', fault: 'respond', status: 200, body: { success: true } },
    headers: { 'zuora-track-id': 'of-somebody-else' },
  },
} as const;

/** Replies that say that nothing was executed. */
export const clearFaults = {
  '401': { when: 'before', fault: 'respond', status: 401, body: { message: 'Authentication error' } },
  '409 lock': { when: 'before', fault: 'respond', status: 409, body: lock },
  'lock as 200': { when: 'before', fault: 'respond', status: 200, body: lock },
  'lock as 200, stored': { when: 'before', fault: 'respond', status: 200, body: lock, stored: true },
  '429': { when: 'before', fault: 'respond', status: 429 },
  '429, wait 1 s': { when: 'before', fault: 'respond', status: 429, headers: { 'retry-after': 1 } },
  '429, wait 1 s, stored': {
    ...{ when: 'before', fault: 'respond', status: 429, headers: { 'retry-after': 1 } },
    stored: true,
  },
  'refused as 200': { when: 'before', fault: 'respond', status: 200, body: no },
  'refused, stored': { when: 'before', fault: 'respond', status: 400, body: no, stored: true },
  '403': { when: 'before', fault: 'respond', status: 403, body: { code: 58730010, message: 'no permission' } },
} as const;

export const emailFaults: Readonly<Record<string, object>> = { ...unknownFaults, ...clearFaults };
