import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Threads crash with the SDK's native module as soon as two files load it.
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['test/support/global-setup.ts'],
    // Generous: these bound a hang on a slow machine, no test measures time with them. A task that gets lost on its way to a worker is
    // repeated by Temporal after 90 s.
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
});
