import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, SetupFailure } from './failure.mjs';
import { swapIn, temporaryFolder, writeWhole } from './folders.mjs';
import { runTool } from './tool.mjs';

const STAMP = join('dist', '.setup-stamp');
const LIMIT_MS = 10 * 60_000;

/** dist/: the compiled sources, and the workflow bundle made of them. */
export const build = {
  isCurrent: (root) => existsSync(join(root, STAMP)) && readFileSync(join(root, STAMP), 'utf8') === stamp(root),

  async bring(root, say) {
    say('compiling into dist/ and bundling the workflows');
    // Before the sources are read: an edit during the build leads to another build.
    const builtFrom = stamp(root);
    // A new folder, so that nothing of deleted sources stays. It is beside dist/, because source maps have relative paths.
    const dist = temporaryFolder(root, 'dist');
    const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
    await run(root, 'The compiler', [compiler, '--project', 'tsconfig.build.json', '--outDir', dist]);
    swapIn(root, dist, join(root, 'dist'));
    await run(root, 'Bundling the workflows', [join('dist', 'scripts', 'bundle-workflows.js')]);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    writeWhole(join(root, 'dist', 'build-id'), `${version}-${builtFrom.slice(0, 12)}\n`);
    writeWhole(join(root, STAMP), builtFrom);
  },
};

async function run(root, what, args) {
  const result = await runTool(process.execPath, args, { cwd: root, limitMs: LIMIT_MS });
  if (!result.ok) throw new SetupFailure(`${what} failed (${result.why}):\n${lastLines(result.output, 40)}`);
}

/** A hash of the content, so switching to another branch and back needs no build. */
function stamp(root) {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  const sources = include
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => sourcesIn(root, folder));
  const hash = createHash('sha256');
  for (const path of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...sources.sort()]) {
    const content = readFileSync(join(root, path));
    hash.update(`${path} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

function sourcesIn(root, folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((path) => /\.c?ts$/.test(path))
    .map((path) => join(folder, path));
}
