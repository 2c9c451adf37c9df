/** The package as pipelines get it: packed, judged, and used from a folder of its own, where nothing but it emails a bill run. */
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Child } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { emailsByDocument } from '../../scripts/simulator-control.js';
import { environmentFor } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { openParts, type Parts } from '../support/parts.js';
import { until } from '../support/rig.js';

const execute = promisify(execFile);

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let pipeline: string;
let installed: string;
let packed: Packed;
let parts: Parts;
let worker: Child;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'bill-run-emails-package-')));
  pipeline = join(folder, 'pipeline');
  installed = join(pipeline, 'node_modules', 'bill-run-emails');
  await mkdir(installed, { recursive: true });
  // As an installation would bring them.
  await symlink(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  // Without prepack: the build is there, and other tests run on it.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await execute('npm', args, { cwd: projectRoot });
  [packed] = JSON.parse(stdout) as [Packed];
  await execute('tar', ['-xzf', join(folder, packed.filename), '-C', installed, '--strip-components=1']);

  parts = await openParts();
  worker = await startWorker({
    temporal: parts.temporal,
    simulatorUrl: parts.simulator.url,
    main: join(installed, 'dist', 'worker', 'main.js'),
  });
});
afterAll(async () => {
  await worker.stop();
  await parts.close();
  await rm(folder, { recursive: true });
});

test('holds what runs, and nothing else', () => {
  const kinds = packed.files.map(({ path }) => path.replace(/^(dist\/\w+\/).*?((\.d)?\.c?[jt]s)$/, '$1*$2'));
  const libraries = ['activities', 'callouts', 'environment', 'worker', 'workflows', 'zuora'];
  expect([...new Set(kinds)].sort()).toEqual(
    [
      ...['LICENSE', 'README.md', 'package.json'],
      ...['dist/build-id', 'dist/workflow-bundle.js'],
      ...['client', ...libraries].flatMap((name) => [`dist/${name}/*.js`, `dist/${name}/*.d.ts`]),
    ].sort(),
  );
});

test('publint and are-the-types-wrong find nothing', async () => {
  const { messages } = await publint({ pkgDir: installed, pack: false });
  const tarball = createPackageFromTarballData(await readFile(join(folder, packed.filename)));
  const types = await checkPackage(tarball);

  expect(messages).toEqual([]);
  expect(types).toMatchObject({ types: { kind: 'included' } });
  // An ES module: Node 20.19 and up can require() it, and the rules for Node 10 and 16 do not know that.
  const modern = ['bundler', 'node16-esm'];
  const problems = types.types === false ? [] : types.problems;
  expect(problems.filter((each) => !('resolutionKind' in each) || modern.includes(each.resolutionKind))).toEqual([]);
});

/** Fails to compile where types are missing, or are `any`. */
const PROGRAM = `
  async function main(): Promise<void> {
    const emails: BillRunEmails = await BillRunEmails.connect();
    const started: StartResult = await emails.start({ billRunKey: process.argv[2] ?? '' });
    // @ts-expect-error: a word, not a number.
    const wrong: number = started.result;
    const error: unknown = await emails.status({ billRunKey: 'BR-NONE' }).catch((caught: unknown) => caught);
    const type = error instanceof BillRunEmailsError ? error.type : 'another error';
    // The other kind of module gets the same classes.
    const { BillRunEmailsError: imported } = await import('bill-run-emails/client');
    console.log(JSON.stringify({ result: wrong, type, one: error instanceof imported }));
    await emails.close();
  }`;
const NAMES = '{ BillRunEmails, BillRunEmailsError, type StartResult }';
const IMPORT = `import ${NAMES} from 'bill-run-emails/client';`;

test('pipelines in TypeScript start bill runs, as ES modules and as CommonJS, with both kinds of modules of Node', async () => {
  await writeFile(join(pipeline, 'pipeline.mts'), `${IMPORT}${PROGRAM}\nawait main();`);
  await writeFile(join(pipeline, 'pipeline.cts'), `${IMPORT}${PROGRAM}\nvoid main();`);
  const compile = compiler();
  const programs = compile(ts.ModuleKind.NodeNext);
  expect([...programs.keys()].sort()).toEqual(['pipeline.cjs', 'pipeline.mjs']);
  expect(compile(ts.ModuleKind.Node20)).toEqual(programs);

  for (const [name, code] of programs) {
    await writeFile(join(pipeline, name), code);
    const { number } = await parts.control<{ number: string }>('POST', '/bill-runs', { status: 'Posted' });
    const { stdout } = await runHere(join(pipeline, name), number);
    expect(JSON.parse(stdout)).toEqual({ result: 'started', type: 'NotFound', one: true });
    await emailed(number);
  }
});

/** Returns the code of the pipelines by file name. It finds no fault in them, nor in the declarations of the package. */
function compiler(): (module: ts.ModuleKind) => ReadonlyMap<string, string> {
  // The SDK has hundreds of declarations, which are the same for each kind of module.
  const parsed = new Map<string, ts.SourceFile | undefined>();
  return (module) => {
    const options = { module, strict: true, target: ts.ScriptTarget.ES2023, types: ['node'] };
    const host = ts.createCompilerHost(options);
    const parse = host.getSourceFile.bind(host);
    host.getCurrentDirectory = () => pipeline;
    host.getSourceFile = (file, ...about) => {
      if (!parsed.has(file)) parsed.set(file, parse(file, ...about));
      return parsed.get(file);
    };
    const sources = ['pipeline.mts', 'pipeline.cts'].map((name) => join(pipeline, name));
    const program = ts.createProgram(sources, options, host);
    // Without those of the SDK, which a pipeline skips by skipLibCheck: they need types of ms, and hide them.
    const own = program.getSourceFiles().filter(({ fileName }) => !relative(pipeline, fileName).startsWith('..'));
    expect(own.length, 'the pipelines, and several files of the package').toBeGreaterThan(sources.length + 3);
    const faults = [
      ...program.getOptionsDiagnostics(),
      ...program.getGlobalDiagnostics(),
      ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
    ];
    expect(ts.formatDiagnostics(faults, host)).toBe('');
    const programs = new Map<string, string>();
    // File by file: at once, it would check the SDK.
    for (const source of sources) {
      program.emit(program.getSourceFile(source), (file, code) => programs.set(basename(file), code));
    }
    return programs;
  };
}

test('the command line of the package starts a bill run', async () => {
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    readonly bin: Readonly<Record<string, string>>;
    readonly version: string;
  };
  const cli = join(installed, manifest.bin['bill-run-emails'] ?? '');
  expect((await runHere(cli, '--version')).stdout).toBe(`${manifest.version}\n`);
  const { number } = await parts.control<{ number: string }>('POST', '/bill-runs', { status: 'Posted' });
  await runHere(cli, 'start', number);
  await emailed(number);
});

function runHere(file: string, ...args: string[]): Promise<{ stdout: string }> {
  const env = { ...process.env, ...environmentFor(parts.temporal) };
  return execute(process.execPath, [file, ...args], { cwd: pipeline, env });
}

async function emailed(number: string): Promise<void> {
  await until(
    () => parts.emails.status({ billRunKey: number }),
    ({ state }) => state === 'Delivering',
  );
  expect(new Set((await emailsByDocument(parts.control, number)).values())).toEqual(new Set([1]));
}
