import { defineConfig } from 'vitest/config';
import { retries } from '../support/vitest.js';

/** Not part of `npm test`, because it needs a browser. */
export default defineConfig({
  test: {
    include: ['test/ui/*.ui.ts'],
    pool: 'forks',
    globalSetup: ['test/ui/global-setup.ts'],
    // Generous: these bound a hang on a slow machine, no test measures time with them.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    retry: retries,
  },
});
