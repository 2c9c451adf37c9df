import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type LogEntry } from '@temporalio/worker';

export interface WorkflowBundleFiles {
  /** Exports all workflows, and nothing else. TypeScript or its output. */
  readonly workflowsPath: string;
  readonly payloadConverterPath: string;
  readonly outFile: string;
}

/** Bundles workflow code for a worker, and says nothing unless it fails. The file is there whole or not at all. */
export async function bundleWorkflows({
  workflowsPath,
  payloadConverterPath,
  outFile,
}: WorkflowBundleFiles): Promise<void> {
  const log: string[] = [];
  const logger = new DefaultLogger('INFO', (entry: LogEntry) => log.push(entry.message));
  try {
    const { code } = await bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger });
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
    payloadConverterPath: join(dist, 'workflows', 'payload-converter.js'),
    outFile: join(dist, 'workflow-bundle.js'),
  });
}
