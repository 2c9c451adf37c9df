import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type LogEntry } from '@temporalio/worker';

export interface WorkflowBundleFiles {
  /** Exports all workflows, and nothing else. TypeScript or its output. */
  readonly workflowsPath: string;
  /** Holds payload converter, failure converter and interceptors. Absent: those of the SDK. */
  readonly intakePath?: string;
  readonly outFile: string;
}

/** Bundles workflow code for a worker, and says nothing unless it fails. The file is there whole or not at all. */
export async function bundleWorkflows({ workflowsPath, intakePath, outFile }: WorkflowBundleFiles): Promise<void> {
  const log: string[] = [];
  const logger = new DefaultLogger('INFO', (entry: LogEntry) => log.push(entry.message));
  try {
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      ...(intakePath === undefined
        ? {}
        : {
            payloadConverterPath: intakePath,
            failureConverterPath: intakePath,
            workflowInterceptorModules: [intakePath],
          }),
      // All of it, once for all runs of a worker: no module may keep anything about one, and lint sees to that. docs/decisions/0018.
      preloadModules: [workflowsPath, ...(intakePath === undefined ? [] : [intakePath])],
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
  for (const [intake, bundle] of [
    ['converters.js', 'workflow-bundle.js'],
    ['converters-encrypted.js', 'workflow-bundle-encrypted.js'],
  ] as const) {
    await bundleWorkflows({
      workflowsPath: join(dist, 'workflows', 'index.js'),
      intakePath: join(dist, 'workflows', 'sandbox', intake),
      outFile: join(dist, bundle),
    });
  }
}
