import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
// Without this import the module augmented below is not found.
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import { bundleWorkflows } from '../../scripts/bundle-workflows.js';
import { projectRoot } from '../../scripts/project-root.js';
import { startTemporalServer } from '../../scripts/temporal-server.js';
import { testServer } from './server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A real server for all test files: they keep out of each other's way by workflow ids and task queues. */
    temporalAddress: string;
    /** Only where a browser is to look at it. */
    temporalUiUrl: string;
    /** The workflows as they are in the sources. */
    workflowBundlePath: string;
  }
}

export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return provideParts(project, { ui: false });
}

export async function provideParts(project: TestProject, { ui }: { ui: boolean }): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-tests-'));
  const workflowBundlePath = join(folder, 'workflow-bundle.js');
  const workflows = join(projectRoot, 'workflows');

  const [server] = await Promise.all([
    startTemporalServer({ ...testServer, headless: !ui }),
    bundleWorkflows({
      workflowsPath: join(workflows, 'index.ts'),
      convertersPath: join(workflows, 'sandbox', 'converters.ts'),
      outFile: workflowBundlePath,
    }),
  ]);

  // The development server keeps closed jobs for a day, of which doctor warns.
  const connection = await Connection.connect({ address: server.address });
  const config = { workflowExecutionRetentionTtl: msToTs('90 days') };
  await connection.workflowService.updateNamespace({ namespace: 'default', config });
  await connection.close();

  project.provide('temporalAddress', server.address);
  if (server.uiUrl !== undefined) project.provide('temporalUiUrl', server.uiUrl);
  project.provide('workflowBundlePath', workflowBundlePath);

  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  };
}
