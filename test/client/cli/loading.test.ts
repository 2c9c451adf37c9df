/** What the library loads when it is imported, from the build that pipelines get. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { projectRoot } from '../../../scripts/project-root.js';

const library = pathToFileURL(join(projectRoot, 'dist', 'client', 'index.js')).href;

/** The packages among `wanted` of which some file is loaded after an import of the library, and after what is done with it. */
async function loaded(wanted: readonly string[], doing = ''): Promise<unknown> {
  const program = `
    import { createRequire } from 'node:module';
    const library = await import(${JSON.stringify(library)});
    ${doing}
    const files = Object.keys(createRequire(import.meta.url).cache);
    const wanted = ${JSON.stringify(wanted)};
    console.log(JSON.stringify(wanted.filter((name) => files.some((file) => file.includes('/node_modules/' + name + '/')))));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return JSON.parse(stdout);
}

test('a pipeline that starts bill runs loads neither the worker nor what speaks to Zuora, until it asks Zuora', async () => {
  const packages = ['@temporalio/client', '@temporalio/worker', 'undici'];
  expect(await loaded(packages)).toEqual(['@temporalio/client']);
  const documents = `await library.documents({ billRunKey: 'BR-1' }, {}).catch(() => undefined);`;
  expect(await loaded(packages, documents)).toEqual(['@temporalio/client', 'undici']);
});

test('the help of the command line loads commander alone', async () => {
  const main = pathToFileURL(join(projectRoot, 'dist', 'client', 'cli', 'main.js')).href;
  const program = `
    import { createRequire } from 'node:module';
    console.log = () => undefined;
    process.argv = [process.argv[0], 'bill-run-emails', '--version'];
    process.stdout.write = () => true;
    await import(${JSON.stringify(main)});
    const files = Object.keys(createRequire(import.meta.url).cache);
    const names = files.map((file) => /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(file)?.[1]);
    process.stderr.write(JSON.stringify([...new Set(names)].sort()));`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  // Of CommonJS packages, such as Temporal's client and cli-table3.
  expect(JSON.parse(stderr)).toEqual(['commander']);
});
