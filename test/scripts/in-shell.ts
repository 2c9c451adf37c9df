import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

/** Runs lines as a person pastes them. Rejects if the last one fails. */
export function inShell(lines: string, folder: string): Promise<{ readonly stdout: string }> {
  return runFile('/bin/sh', ['-e', '-c', lines], { cwd: folder });
}
