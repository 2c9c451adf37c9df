import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** For main.mjs, which runs it in a copy of the sources. */
export default defineConfig({
  plugins: [
    {
      name: 'tests are collected',
      enforce: 'pre',
      resolveId: (source, importer) =>
        source === 'vitest' && importer?.endsWith('.test.ts') === true
          ? join(import.meta.dirname, 'registry.ts')
          : undefined,
    },
  ],
  test: {
    include: ['test/mutation/mutants.ts'],
    pool: 'forks',
    // Generated cases are the same each time, so no mutant survives at random.
    env: { SEED: '1' },
    testTimeout: 0,
  },
});
