/** What the worker registers: every export is a workflow type. */
export { emailBillRun } from './email-bill-run.js';
export { holdAll } from './hold-all.js';
export { sweepBillRuns } from './sweep-bill-runs.js';
export { notifyPeople } from './notify-people.js';
