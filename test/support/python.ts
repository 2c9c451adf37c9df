/** Python programs, with packages from PyPI that are installed once for each checkout. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../../scripts/project-root.js';

const run = promisify(execFile);
const TOOLS = join(projectRoot, '.temporal');

/** What `PYTHONPATH` must say for programs that import the package. */
export async function pythonPackage(name: string, version: string): Promise<{ PYTHONPATH: string }> {
  const folder = join(TOOLS, name);
  const installed = join(folder, `${name.replace('-', '_')}-${version}.dist-info`);
  if (existsSync(installed)) return { PYTHONPATH: folder };
  await mkdir(TOOLS, { recursive: true });
  // Into a folder of its own first: what stands under the final name is complete, also after an interruption.
  const unfinished = await mkdtemp(join(TOOLS, `${name}-`));
  try {
    await python(['-m', 'pip', 'install', '--quiet', '--target', unfinished, `${name}==${version}`]);
    await rm(folder, { recursive: true, force: true });
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another run was quicker: a folder with something in it is not replaced.
    if (!existsSync(installed)) throw error;
  }
  return { PYTHONPATH: folder };
}

export async function python(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ stdout: string }> {
  try {
    return await run('python3', args, { env: { ...process.env, ...env } });
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') {
    return 'This test needs python3 3.10 or later with pip: install it (Debian: apt install python3 python3-pip).';
  }
  const output = 'stderr' in error ? String(error.stderr).trim() : '';
  if (output.includes('No module named pip')) {
    return 'This test needs pip for python3: install it (Debian: apt install python3-pip; elsewhere: python3 -m ensurepip).';
  }
  return output === '' ? error.message : output;
}
