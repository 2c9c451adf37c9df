import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

const CONFIG = join(projectRoot, 'rooms.config.js');

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

/** File, import, and the rule that it breaks; without a rule it is allowed. */
const IMPORTS = [
  [
    'workflows/rules/plan.ts',
    "import { readFile } from 'node:fs/promises';",
    'workflows/rules: imports a Node built-in',
  ],
  ['workflows/rules/seal.ts', "import { Pool } from 'undici';", 'workflows/rules: imports a package that it may not'],
  ['zuora/start.ts', "import { Client } from '@temporalio/client';", 'zuora: imports a package that it may not'],
  ['client/run.ts', "import { main } from '../worker/main.js';", 'client: imports a room that it may not'],
  ['client/failures/shape.ts', "import { list } from '../list.js';", 'client/failures: imports a room that it may not'],
  ['client/history/read.ts', "import { list } from '../list.js';", 'client/history: imports a room that it may not'],
  [
    'simulator/reply.ts',
    "import type { Verdict } from '../zuora/outcome.js';",
    'simulator: imports a room that it may not',
  ],
  ['worker/prove.ts', "import { chaos } from '../proof/chaos/chaos.js';", 'worker: imports a room that it may not'],
  [
    'workflows/contract/verdict.ts',
    "import { verdict } from '../../zuora/outcome.js';",
    'workflows/contract: imports more than types from zuora',
  ],
  ['workflows/contract/names.ts', "import type { Verdict } from '../../zuora/outcome.js';", undefined],
  ['services/send.ts', "import { verdict } from '../zuora/outcome.js';", 'every folder is a room'],
  ['client/one.ts', "import { two } from './two.js';", 'no circles'],
  ['client/two.ts', "import type { one } from './one.js';", undefined],
  ['client/doctor/check.ts', "import { shape } from '../failures/shape.js';", undefined],
  ['activities/start.ts', "import { list } from '../client/list.js';", undefined],
] as const;

const TARGETS = ['worker/main.ts', 'client/list.ts', 'zuora/outcome.ts', 'proof/chaos/chaos.ts'];

describe('the check of imports', () => {
  let folder: string;
  let violations: readonly Violation[];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rooms-'));
    cpSync(join(projectRoot, 'tsconfig.json'), join(folder, 'tsconfig.json'));
    symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
    for (const file of TARGETS) write(file, 'export {};\n');
    for (const [file, line] of IMPORTS) write(file, `${line}\n`);

    const main = join(projectRoot, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
    const args = [main, '--config', CONFIG, '--output-type', 'json', '.'];
    const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    ({ violations } = (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test.each(IMPORTS.filter(([, , rule]) => rule !== undefined))('rejects, in %s, %s', (file, _, rule) => {
    expect(violations.filter(({ from }) => from === file).map(({ rule: { name } }) => name)).toContain(rule);
  });

  test.each(IMPORTS.filter(([, , rule]) => rule === undefined))('allows, in %s, %s', (file) => {
    const names = violations.filter(({ from }) => from === file).map(({ rule: { name } }) => name);
    expect(names.filter((name) => name !== 'no circles')).toEqual([]);
  });

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
});

test('CONTRIBUTING lists the rooms, with the same sentences', async () => {
  const { rooms } = (await import(pathToFileURL(CONFIG).href)) as { rooms: readonly { room: string; is: string }[] };
  const rows = readFileSync(join(projectRoot, 'CONTRIBUTING.md'), 'utf8').matchAll(
    /^\| `([a-z/]+)\/` +\| (.+?) +\|$/gm,
  );

  expect([...rows].map(([, room, is]) => ({ room, is }))).toEqual(rooms.map(({ room, is }) => ({ room, is })));
});
