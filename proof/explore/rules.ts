/** The shipped rules, as compiled into a folder: the explorer runs them as they are, or with one line changed. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as validation from '../../workflows/contract/validation.js';
import type * as jobs from '../../workflows/rules/job.js';
import type * as messages from '../../workflows/rules/messages.js';
import type * as steps from '../../workflows/rules/next-step.js';
import type * as send from '../../workflows/rules/send.js';
import type * as sendStep from '../../workflows/rules/send-step.js';
import type * as sending from '../../workflows/rules/sending.js';
import type * as delivering from '../../workflows/rules/delivering.js';
import type * as documents from '../../workflows/rules/documents.js';
import type * as following from '../../workflows/rules/following.js';
import type * as status from '../../workflows/rules/status.js';
import type * as history from '../../client/history/earlier-sends.js';
import { projectRoot } from '../../scripts/project-root.js';

/** The modules that the explorer calls. Their types are those of the sources. */
export interface Rules {
  readonly validation: typeof validation;
  readonly jobs: typeof jobs;
  readonly messages: typeof messages;
  readonly steps: typeof steps;
  readonly send: typeof send;
  readonly sendStep: typeof sendStep;
  readonly sending: typeof sending;
  readonly delivering: typeof delivering;
  readonly documents: typeof documents;
  readonly following: typeof following;
  readonly status: typeof status;
  readonly history: typeof history;
}

const FILES: Readonly<Record<keyof Rules, string>> = {
  validation: 'workflows/contract/validation.js',
  jobs: 'workflows/rules/job.js',
  messages: 'workflows/rules/messages.js',
  steps: 'workflows/rules/next-step.js',
  send: 'workflows/rules/send.js',
  sendStep: 'workflows/rules/send-step.js',
  sending: 'workflows/rules/sending.js',
  delivering: 'workflows/rules/delivering.js',
  documents: 'workflows/rules/documents.js',
  following: 'workflows/rules/following.js',
  status: 'workflows/rules/status.js',
  history: 'client/history/earlier-sends.js',
};

export const SHIPPED = join(projectRoot, 'dist');

/** @param dist the folder of a build */
export async function rulesIn(dist = SHIPPED): Promise<Rules> {
  const load = async ([name, file]: [string, string]): Promise<[string, unknown]> => {
    return [name, await import(pathToFileURL(join(dist, file)).href)];
  };
  return Object.fromEntries(await Promise.all(Object.entries(FILES).map(load))) as unknown as Rules;
}
