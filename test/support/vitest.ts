/** What `npm test` and `npm run test:long` share. */
import type { TestUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that wait for a minute or more. One that comes last leaves the other processes without work. */
const LONGEST = [
  'workflows/sending-table',
  'workflows/waiting',
  'workflows/resets',
  'worker/kills',
  'worker/process',
  'worker/versions',
  'client/cli/operators',
  'workflows/sandbox/limits',
  'workflows/sandbox/hostile',
  'proof/explore/explore',
  'worker/secrets',
  'simulator/zuora-sdk',
  'client/history/audit.test',
  'examples/pipelines',
  'scripts/try',
];

class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = LONGEST.findIndex((name) => moduleId.includes(`/test/${name}`));
      return index === -1 ? LONGEST.length : index;
    };
    const others = await super.sort(specifications);
    return others.toSorted((one, other) => place(one) - place(other));
  }
}

/** CI's machine is shared. A test that passes on its second try is listed at the end, with its error: it is a race to fix. */
export const retries = process.env['CI'] === undefined ? 0 : 1;

export const shared: TestUserConfig = {
  // Threads crash with the SDK's native module as soon as two files load it.
  pool: 'forks',
  // On two cores: much of the time goes into waiting, as for a heartbeat time-out of 30 s.
  maxWorkers: 3,
  sequence: { sequencer: LongestFirst },
  // The same processes for all files: to load the SDK and the sources costs more than a second of CPU time for each.
  isolate: false,
  globalSetup: ['test/support/global-setup.ts'],
  setupFiles: ['test/support/costs/measure.ts'],
  reporters: ['default', './test/support/costs/report.ts'],
  // Generous: these bound a hang on a slow machine, no test measures time with them. A task that gets lost on its way to a worker is
  // repeated by Temporal after 90 s.
  testTimeout: 240_000,
  hookTimeout: 120_000,
  retry: retries,
};
