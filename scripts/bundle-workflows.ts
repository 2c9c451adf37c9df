import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type LogEntry } from '@temporalio/worker';

export interface WorkflowBundleFiles {
  /** A module that exports all workflows and nothing else, in TypeScript or compiled. */
  readonly workflowsPath: string;
  /** A module with payload converter, failure converter and interceptors. Default: those of the SDK. */
  readonly convertersPath?: string;
  readonly outFile: string;
}

/**
 * Bundles workflow code for a worker. It logs only if it fails, and writes the file completely or not at all.
 */
export async function bundleWorkflows({ workflowsPath, convertersPath, outFile }: WorkflowBundleFiles): Promise<void> {
  const log: string[] = [];
  const logger = new DefaultLogger('INFO', (entry: LogEntry) => log.push(entry.message));
  try {
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      ...(convertersPath === undefined
        ? {}
        : {
            payloadConverterPath: convertersPath,
            failureConverterPath: convertersPath,
            workflowInterceptorModules: [convertersPath],
          }),
      // Shared by all workflows of a worker, so no module may hold state; lint checks that. docs/decisions/0018.
      preloadModules: [workflowsPath, ...(convertersPath === undefined ? [] : [convertersPath])],
      logger,
    });
    mkdirSync(dirname(outFile), { recursive: true });
    const unfinished = `${outFile}.${process.pid}`;
    writeFileSync(unfinished, code);
    renameSync(unfinished, outFile);
  } catch (error) {
    log.push(error instanceof Error ? error.message : String(error));
    throw new Error(`Bundling ${workflowsPath} failed:\n${log.join('\n')}`, { cause: error });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = dirname(import.meta.dirname);
  await bundleWorkflows({
    workflowsPath: join(dist, 'workflows', 'index.js'),
    convertersPath: join(dist, 'workflows', 'sandbox', 'converters.js'),
    outFile: join(dist, 'workflow-bundle.js'),
  });
}
