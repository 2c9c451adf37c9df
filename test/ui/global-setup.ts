import type { TestProject } from 'vitest/node';
import { provideParts } from '../support/global-setup.js';
import { findBrowser } from './browser.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // First, so that nothing is started in vain.
  findBrowser();
  return provideParts(project, { ui: true });
}
