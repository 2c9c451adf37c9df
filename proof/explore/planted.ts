/** Bugs of one line, planted into a copy of the build: the explorer must find each, by the rule that it breaks. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflows } from '../../scripts/bundle-workflows.js';
import { projectRoot } from '../../scripts/project-root.js';
import { SHIPPED } from './rules.js';
import type { Rule } from './ten-rules.js';

export interface Bug {
  readonly name: string;
  readonly rule: Rule;
  /** The small space that has a life by which it is found. */
  readonly within: string;
  /** In `dist/`. */
  readonly file: string;
  /** What stands there once, and what it becomes. */
  readonly patch: readonly [right: string, wrong: string];
}

const rules = (name: string): string => `workflows/rules/${name}.js`;

export const BUGS: readonly Bug[] = [
  {
    ...{ name: 'a bill run counts as posted once it is seen', rule: 1, within: 'one send', file: rules('waiting') },
    patch: ["return billRun?.status === 'Posted';", 'return billRun != null;'],
  },
  {
    ...{ name: 'no wait between two attempts', rule: 2, within: 'one send', file: rules('send') },
    patch: ['pauseFrom(result, startedAt) + pause(', 'pauseFrom(result, startedAt) + 0 * pause('],
  },
  {
    ...{ name: 'each attempt takes a new key', rule: 3, within: 'one send', file: rules('send') },
    patch: ['idempotencyKey(send.intent, send.keyNumber)', 'idempotencyKey(send.intent, send.attempts.length + 1)'],
  },
  {
    ...{ name: 'no retry asks for sendAnyway', rule: 3, within: 'one send', file: rules('send') },
    patch: ['return isUsedUp(send, now) || verdictOfKey(', 'return false && verdictOfKey('],
  },
  {
    ...{ name: 'a key lives for 25 hours', rule: 4, within: 'one send', file: rules('send') },
    patch: ['const KEY_LIFETIME_MS = 23 * HOUR;', 'const KEY_LIFETIME_MS = 25 * HOUR;'],
  },
  {
    ...{ name: 'attempts go on after the budget', rule: 4, within: 'one send', file: rules('send-step') },
    patch: ['return hasUnknown(send) ? Math.min(end, keyExpiry(send)) : end;', 'return keyExpiry(send);'],
  },
  {
    ...{ name: 'the deadline for the post closes a held job', rule: 4, within: 'one send', file: rules('waiting') },
    patch: ['return isOnHold(job) ? Infinity : job.startedAt', 'return job.startedAt'],
  },
  {
    ...{ name: 'a fresh refusal settles an unknown outcome', rule: 5, within: 'one send', file: rules('verdict') },
    patch: ["verdict !== 'unknown'", 'true'],
  },
  {
    ...{ name: 'autoEmail does not matter', rule: 6, within: 'Zuora shows autoEmail', file: rules('send-step') },
    patch: ['billRun.autoEmail === true && !missing', 'false && !missing'],
  },
  {
    ...{ name: 'a look stays fresh for a day', rule: 6, within: 'Zuora shows emailsAtPost', file: rules('send-step') },
    patch: ['LOOK_IS_FRESH_MS = MINUTE', 'LOOK_IS_FRESH_MS = 24 * HOUR'],
  },
  {
    ...{ name: 'a lost attempt is not recorded', rule: 7, within: 'documents', file: rules('job') },
    patch: ["if (result === 'neverTaken') {", "if (result === 'neverTaken' || !('called' in result)) {"],
  },
  {
    ...{ name: 'a hold keeps no attempt back', rule: 8, within: 'one send', file: rules('sending') },
    patch: ['if (job.held)', 'if (false)'],
  },
  {
    ...{ name: 'an email on its way counts as sent', rule: 9, within: 'documents', file: rules('documents') },
    patch: ['return isAccountedFor(check) && check.documents.notSent', 'return check.documents.notSent'],
  },
  {
    ...{
      name: 'what was missed is sent while emails are on their way',
      rule: 10,
      within: 'Zuora shows autoEmail',
      file: rules('documents'),
    },
    patch: ['if (check === null || !isAccountedFor(check))', 'if (check === null)'],
  },
  {
    ...{
      name: 'what was missed is sent as if no attempt had been made',
      rule: 10,
      within: 'what was not sent',
      file: rules('sending'),
    },
    patch: ['return Math.max(0, ...ends);', 'return 0;'],
  },
];

type Patch = Pick<Bug, 'name' | 'file' | 'patch'>;

/** Copies the build into an empty folder, and changes one line. */
export function plant({ name, file, patch: [right, wrong] }: Patch, folder: string): string {
  const dist = join(folder, 'dist');
  cpSync(SHIPPED, dist, { recursive: true });
  cpSync(join(projectRoot, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  const path = join(dist, file);
  const parts = readFileSync(path, 'utf8').split(right);
  if (parts.length !== 2) throw new Error(`${name}: the line to change stands in ${file} ${parts.length - 1} times`);
  writeFileSync(path, parts.join(wrong));
  return dist;
}

/** The same, with a worker that can be started. @returns its main file */
export async function plantWorker(bug: Patch, folder: string): Promise<string> {
  const dist = plant(bug, folder);
  await bundleWorkflows({
    workflowsPath: join(dist, 'workflows', 'index.js'),
    convertersPath: join(dist, 'workflows', 'sandbox', 'converters.js'),
    outFile: join(dist, 'workflow-bundle.js'),
  });
  return join(dist, 'worker', 'main.js');
}
