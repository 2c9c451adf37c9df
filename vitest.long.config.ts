import { defineConfig } from 'vitest/config';
import { shared } from './test/support/vitest.js';

/** What takes minutes by its nature: chaos, soak, bench, and made-up lives, very many or on a server. */
export default defineConfig({
  test: { ...shared, include: ['test/**/*.long.ts'] },
});
