/** A Node that is too old for what the command line imports. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultOfNode } from '../../../client/cli/node-version.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { run } from '../../support/command-line.js';

test.each(['16.20.2', '18.20.4', '20.0.0', '20.18.3'])('Node %s is too old', (version) => {
  expect(faultOfNode(version)).toBe(`bill-run-emails needs Node 20.19 or later; this is ${version}`);
});

test.each(['20.19.0', '20.20.2', '22.12.0', '24.0.0', '25.0.0-nightly20260101'])('Node %s is not', (version) => {
  expect(faultOfNode(version)).toBeUndefined();
});

test('the package asks for the same version', () => {
  const manifest: unknown = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  expect(manifest).toMatchObject({ engines: { node: '>=20.19' } });
});

test('an old Node gets one sentence and exit code 2, before it loads anything else', async () => {
  const pretend = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '18.20.4' });`;
  const cli = join(projectRoot, 'dist', 'client', 'cli');
  expect(await run(process.execPath, ['--import', pretend, join(cli, 'main.js'), '--help'])).toEqual({
    ...{ code: 2, stdout: '' },
    stderr: 'Error: bill-run-emails needs Node 20.19 or later; this is 18.20.4\n',
  });
  const imports = (file: string) => readFileSync(join(cli, file), 'utf8').match(/^import .*$/gm) ?? [];
  expect(imports('main.js')).toEqual(["import { faultOfNode } from './node-version.js';"]);
  expect(imports('node-version.js')).toEqual([]);
});
