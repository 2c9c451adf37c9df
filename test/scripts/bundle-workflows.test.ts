import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { bundleWorkflows } from '../../scripts/bundle-workflows.js';
import { projectRoot } from '../../scripts/project-root.js';

test('the bundle holds the workflows, and neither undici nor zod', () => {
  const bundle = readFileSync(inject('workflowBundlePath'), 'utf8');

  expect(bundle).toContain('workflows/email-bill-run.ts');
  expect(bundle).not.toMatch(/node_modules\/(undici|zod)\//);
});

test('workflow code that uses a Node built-in is not bundled, and the message names it', async () => {
  // In the project, where modules are resolved as for the real workflows.
  const folder = mkdtempSync(join(projectRoot, 'node_modules', '.workflows-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const outFile = join(folder, 'bundle.js');
  writeFileSync(
    join(folder, 'index.ts'),
    `import fs from 'fs';\nexport async function reads() { return fs.readFileSync('x'); }\n`,
  );

  const bundling = bundleWorkflows({
    workflowsPath: join(folder, 'index.ts'),
    convertersPath: join(projectRoot, 'workflows', 'sandbox', 'converters.ts'),
    outFile,
  });

  await expect(bundling).rejects.toThrow(/Bundling .*index\.ts failed:[^]*'fs'/);
  expect(existsSync(outFile)).toBe(false);
});
