import { defineConfig } from 'vitest/config';

/** Not part of `npm test`, because it installs all packages twice. */
export default defineConfig({
  test: {
    include: ['test/deploy/*.deploy.ts'],
    pool: 'forks',
    // Generous: these bound a hang on a slow machine, no test measures time with them.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
