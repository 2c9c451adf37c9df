/** What `npm test` and `npm run test:long` share. */
import type { TestUserConfig } from 'vitest/config';

export const shared: TestUserConfig = {
  // Threads crash with the SDK's native module as soon as two files load it.
  pool: 'forks',
  maxWorkers: 2,
  // Two processes for all files: to load the SDK and the sources costs more than a second of CPU time for each.
  isolate: false,
  globalSetup: ['test/support/global-setup.ts'],
  setupFiles: ['test/support/costs/measure.ts'],
  reporters: ['default', './test/support/costs/report.ts'],
  // Generous: these bound a hang on a slow machine, no test measures time with them. A task that gets lost on its way to a worker is
  // repeated by Temporal after 90 s.
  testTimeout: 240_000,
  hookTimeout: 120_000,
};
