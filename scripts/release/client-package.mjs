/**
 * The package for pipelines and operators: the library and the command line, without the worker and the SDK's native part. It has the
 * name, the import path and the command of the whole package, so either can be installed.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { rooms } from '../../rooms.config.js';

const CLIENT = ['client', 'client/cli'];
const KEPT = ['name', 'version', 'description', 'license', 'type', 'private', 'engines', 'exports', 'bin'];

/** Packs what `dist/` of the checkout holds. Returns the path of the tarball. */
export function packClient(root, destination) {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-client-'));
  try {
    const manifest = clientManifest(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
    for (const name of ['LICENSE', 'README.md', ...foldersOfClient()]) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    mkdirSync(destination, { recursive: true });
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination];
    const [{ filename }] = JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }));
    const path = join(destination, filename.replace(manifest.name, `${manifest.name}-client`));
    renameSync(join(destination, filename), path);
    return path;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `npm run check` holds imports to the table of rooms, so the table names all packages that the client loads. */
function clientManifest(manifest) {
  const packages = new Set(roomsOfClient().flatMap(({ packages = [] }) => packages));
  return {
    ...Object.fromEntries(KEPT.map((name) => [name, manifest[name]])),
    files: [...foldersOfClient(), '!**/*.map'],
    dependencies: Object.fromEntries(Object.entries(manifest.dependencies).filter(([name]) => packages.has(name))),
  };
}

function roomsOfClient() {
  const names = new Set(CLIENT);
  // A set also visits what is added meanwhile.
  for (const name of names) for (const imported of roomOf(name).imports) names.add(imported);
  return [...names].map(roomOf);
}

function foldersOfClient() {
  const names = roomsOfClient().map(({ room }) => room);
  const isInside = (name) => names.some((other) => name.startsWith(`${other}/`));
  return names.filter((name) => !isInside(name)).map((name) => `dist/${name}`);
}

function roomOf(name) {
  return rooms.find(({ room }) => room === name);
}
