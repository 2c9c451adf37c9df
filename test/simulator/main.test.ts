import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

let compiled: string;

/** Compiled as it stands, inside the checkout where its packages are found: these tests do not depend on a build. */
beforeAll(async () => {
  await mkdir('.temporal', { recursive: true });
  compiled = await mkdtemp('.temporal/simulator-');
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true };
  for (const file of await readdir('simulator', { recursive: true })) {
    if (!file.endsWith('.ts')) continue;
    const { outputText } = ts.transpileModule(await readFile(join('simulator', file), 'utf8'), {
      compilerOptions: options,
    });
    const target = join(compiled, file.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
});

afterAll(() => rm(compiled, { recursive: true, force: true }));

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function simulator(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(compiled, 'main.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => (output[stream] += chunk.toString()));
  }
  return { child, ended: once(child, 'close').then(([code]: unknown[]) => ({ code, ...output })) };
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.trim();
}

describe('the simulator’s command', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('says its address in one line, serves, and closes on %s', async (signal) => {
    const { child, ended } = simulator('--port', '0', '--email-delay-ms', '1234', '--seed', '5');
    const line = await firstLine(child);
    const [, url = ''] = /(http:\/\/127\.0\.0\.1:\d+) /.exec(line) ?? [];
    const settings = await (await fetch(`${url}/simulator/settings`)).json();
    expect(settings).toMatchObject({ emailDelayMs: 1234 });
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('names a port in use in one line, with exit code 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => {
      taken.close();
    });
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await simulator('--port', String(port)).ended;
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(`Port ${port} on 127.0.0.1 is in use`)]);
  });

  it('refuses a flag that is not a number, with the flag’s name', async () => {
    const { code, stderr } = await simulator('--posting-ms', 'soon').ended;
    expect(code).toBe(1);
    expect(stderr).toContain('--posting-ms');
  });
});
