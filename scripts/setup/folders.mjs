import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TEMPORARY = /^\.setup-(\d+)-/;

/** A new folder beside the final one: same file system, so that a rename is enough. */
export function temporaryFolder(root, name) {
  const folder = join(root, `.setup-${process.pid}-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return folder;
}

/** Puts a finished folder in the place of another. */
export function swapIn(root, finished, place) {
  for (;;) {
    const old = temporaryFolder(root, 'old');
    if (existsSync(place)) renameSync(place, join(old, 'folder'));
    try {
      renameSync(finished, place);
      break;
    } catch (error) {
      // Another set-up was between our two renames.
      if (!['ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
    }
  }
}

/** A file that is there whole or not at all. */
export function writeWhole(path, text) {
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, path);
}

/** Our own temporary folders, and those of set-ups that were interrupted. */
export function removeLeftovers(root) {
  for (const name of readdirSync(root)) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined) continue;
    const inUse = Number(pid) !== process.pid && isAlive(Number(pid));
    if (!inUse) rmSync(join(root, name), { recursive: true, force: true });
  }
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
