/** A script of dist/ as a process of its own, in a folder of its own. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

export interface ScriptProcess {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  /** All it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
}

interface How {
  readonly folder: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export function startScript(name: string, { folder, args = [], env }: How): ScriptProcess {
  const main = join(projectRoot, 'dist', 'scripts', `${name}.js`);
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  return { process: child, stdout: () => output.stdout, stderr: () => output.stderr, ended };
}

/** Removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-script-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}
