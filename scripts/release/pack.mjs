/** `npm run pack [-- FOLDER]`: both packages of this checkout, and the notes of its version. Default folder: release/. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { notesOf } from './changelog.mjs';
import { packClient } from './client-package.mjs';

const root = join(import.meta.dirname, '..', '..');
const folder = resolve(process.argv[2] ?? join(root, 'release'));
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const notes = notesOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version);
if (notes === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);

rmSync(folder, { recursive: true, force: true });
console.log(packClient(root, folder));
execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
console.log(join(folder, `${name}-${version}.tgz`));
const notesFile = join(folder, 'notes.md');
writeFileSync(notesFile, `${notes}\n`);
console.log(notesFile);
