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

test('the help of the command line loads two small packages, and neither Temporal nor zod', async () => {
  const main = join(projectRoot, 'dist', 'client', 'cli', 'main.js');
  const hooks = 'export const load = (url, context, next) => (process._rawDebug(url), next(url, context));';
  const loader = `data:text/javascript,${encodeURIComponent(hooks)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(loader)});`;
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(register)}`];
  const { stderr } = await promisify(execFile)(process.execPath, [...flags, main, '--help']);
  const names = [...stderr.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].map(([, name]) => name);
  expect([...new Set(names)].sort()).toEqual(['commander', 'ms']);
});
