import { defineConfig } from 'vitest/config';
import { shared } from './test/support/vitest.js';

export default defineConfig({
  test: { ...shared, include: ['test/**/*.test.ts'] },
});
