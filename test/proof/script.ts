/** A script of scripts/, as people run it, in a folder for temporary files of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

export function startScript(name: 'chaos' | 'soak' | 'explore', args: readonly string[]) {
  const folder = temporaryFolder();
  const script = spawn(process.execPath, [join(projectRoot, 'dist', 'proof', name, 'main.js'), ...args], {
    // All that it starts has this in its environment, so that it can be found.
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const source of ['stdout', 'stderr'] as const) {
    script[source].setEncoding('utf8').on('data', (text: string) => (output[source] += text));
  }
  const ended = once(script, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  onTestFinished(async () => {
    script.kill();
    await ended;
  });
  return { folder, ended, stdout: () => output.stdout, kill: (signal: NodeJS.Signals) => script.kill(signal) };
}

/** The processes that were started with this folder for temporary files; on Linux, where it can be seen. */
export function processesIn(folder: string): readonly string[] {
  if (process.platform !== 'linux') return [];
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`TMPDIR=${folder}\0`);
    } catch {
      return false;
    }
  });
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-chaos-test-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}
