import { spawn } from 'node:child_process';

/**
 * Runs a tool to its end. Never throws; returns `{ ok, output, why }` with the text of stdout and stderr, and the reason of a
 * failure in words.
 */
export function runTool(command, args, { cwd, limitMs, env = process.env }) {
  return new Promise((resolve) => {
    // A separate process group, so that the time limit or our own end stops all of it.
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const endIt = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    };
    let output = '';
    let limitReached = false;
    const limit = setTimeout(() => {
      limitReached = true;
      endIt();
    }, limitMs);
    if (child.pid !== undefined) process.on('exit', endIt);

    const finish = (result) => {
      clearTimeout(limit);
      process.off('exit', endIt);
      resolve({ output, ...result });
    };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => {
      finish({ ok: false, why: error.code === 'ENOENT' ? `there is no ${command} here` : error.message });
    });
    child.once('close', (code, signal) => {
      const why = limitReached ? `not done after ${limitMs / 60_000} minutes` : (signal ?? `exit code ${code}`);
      finish({ ok: code === 0, why });
    });
  });
}
