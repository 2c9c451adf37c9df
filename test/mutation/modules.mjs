/** What is mutated, and by which tests. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const filesIn = (folder, end) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`);

/** The modules that decide whether and how emails are sent, and those that report it afterwards. */
export const modules = [
  ...filesIn('workflows/rules', '.ts'),
  ...['zuora/outcome.ts', 'zuora/document-outcome.ts', 'workflows/contract/activity-failures.ts'],
  ...['client/history/attempts.ts', 'client/history/audit.ts', 'client/cli/audit-formats.ts'],
];

/**
 * Tests that need neither a server nor a build. The model searches at random for what the others must say by name, so it takes no
 * part.
 */
export const tests = [
  ...filesIn('test/workflows/rules', '.test.ts').filter((name) => !name.endsWith('/model.test.ts')),
  ...['test/workflows/life.test.ts', 'test/workflows/contract/activity-failures.test.ts'],
  ...['test/zuora/outcome.test.ts', 'test/zuora/document-outcome.test.ts'],
  ...['test/client/cli/audit-formats.test.ts', 'test/client/history/audit-of-histories.test.ts'],
  ...['test/client/history/audit-entries.test.ts', 'test/client/history/attempts.test.ts'],
];
