import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, SetupFailure } from './failure.mjs';
import { swapIn, temporaryFolder, writeWhole } from './folders.mjs';
import { runTool } from './tool.mjs';

const STAMP = join('node_modules', '.setup-stamp');
const LIMIT_MS = 15 * 60_000;

/** The npm packages of package-lock.json, for this Node version and machine. */
export const packages = {
  isCurrent: (root) => read(join(root, STAMP)) === stamp(root),

  async bring(root, say) {
    if (installedByHand(root)) {
      writeWhole(join(root, STAMP), stamp(root));
      return;
    }

    say('installing the packages of package-lock.json with npm ci');
    const folder = temporaryFolder(root, 'packages');
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
      if (existsSync(join(root, name))) copyFileSync(join(root, name), join(folder, name));
    }
    const result = await runTool('npm', ['ci', '--include=dev'], { cwd: folder, limitMs: LIMIT_MS });
    if (!result.ok) {
      throw new SetupFailure(
        `npm ci failed (${result.why}):\n${lastLines(result.output)}\n` +
          '  By hand: run `npm ci` in this folder where the npm registry, or a mirror named by\n' +
          '  `npm config set registry`, can be reached. Then repeat the command.',
      );
    }
    writeFileSync(join(folder, STAMP), stamp(root));
    swapIn(root, join(folder, 'node_modules'), join(root, 'node_modules'));
  },
};

/** Native modules depend on Node's version and the machine. */
function stamp(root) {
  return `${machine()} ${createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')}`;
}

function machine() {
  return `node-${process.versions.node.split('.')[0]}-${process.platform}-${process.arch}`;
}

/**
 * Whether `npm ci` or `npm install` by hand installed exactly what package-lock.json says. npm writes its own record last;
 * packages for other machines are missing from it.
 */
function installedByHand(root) {
  const earlier = read(join(root, STAMP));
  const record = read(join(root, 'node_modules', '.package-lock.json'));
  if (record === undefined || !(earlier?.startsWith(`${machine()} `) ?? true)) return false;

  const installed = JSON.parse(record).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  delete wanted[''];
  return (
    Object.entries(wanted).every(([path, { version, optional }]) =>
      path in installed ? installed[path].version === version : optional === true,
    ) && Object.keys(installed).every((path) => path in wanted)
  );
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
