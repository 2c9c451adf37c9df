import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TEMPORARY = /^\.setup-(\d+)-/;

/** A new folder beside the final one: a rename works within one file system only. */
export function temporaryFolder(root, name) {
  const folder = join(root, `.setup-${process.pid}-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return folder;
}

/** Replaces a folder by a finished one. */
export function swapIn(root, finished, place) {
  for (;;) {
    const old = temporaryFolder(root, 'old');
    if (existsSync(place)) renameSync(place, join(old, 'folder'));
    try {
      renameSync(finished, place);
      break;
    } catch (error) {
      // Another setup renamed its folder between our two renames.
      if (!['ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
    }
  }
}

/** Writes a file atomically. */
export function writeWhole(path, text) {
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, path);
}

/** Removes our own temporary folders and those of interrupted setups. */
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
