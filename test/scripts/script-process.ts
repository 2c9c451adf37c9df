/** A script of dist/ as a process of its own, in a folder of its own. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Client, Connection } from '@temporalio/client';
import { expect, onTestFinished, vi } from 'vitest';
import { BillRunEmails } from '../../client/index.js';
import { projectRoot } from '../../scripts/project-root.js';
import { freePort } from '../../scripts/temporal-server.js';

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
  /** What runs Node. */
  readonly command?: string;
  readonly before?: readonly string[];
}

export function startScript(name: string, { folder, args = [], env, command, before = [] }: How): ScriptProcess {
  const main = join(projectRoot, 'dist', 'scripts', `${name}.js`);
  const child = spawn(command ?? process.execPath, [...before, main, ...args], {
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

export interface Dev extends ScriptProcess {
  readonly folder: string;
  readonly ports: { readonly temporal: number; readonly ui: number; readonly simulator: number };
}

export async function startDev({
  ports: chosen = {},
  folder = newFolder(),
  args = [],
  ...how
}: Partial<How> & { readonly ports?: Partial<Dev['ports']> } = {}): Promise<Dev> {
  const ports = { temporal: await freePort(), ui: await freePort(), simulator: await freePort(), ...chosen };
  const flags = ['--temporal-port', ports.temporal, '--ui-port', ports.ui, '--simulator-port', ports.simulator];
  const env = { npm_lifecycle_event: 'dev' };
  return { ...startScript('dev', { folder, env, args: [...flags.map(String), ...args], ...how }), folder, ports };
}

/** It prints last what to try. */
export async function untilDevIsUp(dev: Dev): Promise<void> {
  await vi.waitFor(() => {
    if (dev.process.exitCode !== null) throw new Error(`dev ended: ${dev.stderr()}`);
    expect(dev.stdout()).toMatch(/\nScenes .*\n/);
  }, 60_000);
}

/** The library at the Temporal of a dev. */
export async function emailsIn({ ports }: Dev): Promise<BillRunEmails> {
  const connection = await Connection.connect({ address: `127.0.0.1:${ports.temporal}` });
  onTestFinished(() => connection.close());
  return new BillRunEmails(new Client({ connection }));
}
