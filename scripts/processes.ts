import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, appendFileSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  /** What people call it, for messages: "Temporal", "the worker". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** On top of this process's environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: ours. */
  readonly cwd?: string;
  /** Somebody else, which only root can ask for. */
  readonly account?: Account | undefined;
  /** All its output, anew for each start. */
  readonly logFile?: string;
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

type LineSource = 'stdout' | 'stderr';

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process is gone and its output is read; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** The newest lines of stdout and stderr, for a message that says why it ended. */
  readonly lastLines: readonly string[];
  /** Calls the listener for each line from now on. */
  onLine(listener: (line: string, source: LineSource) => void): void;
  /** SIGTERM, and SIGKILL when it has not ended after `graceMs` (0: at once). */
  stop(graceMs?: number): Promise<ChildEnd>;
}

const REMEMBERED_LINES = 20;
const DEFAULT_GRACE_MS = 10_000;
/** Whoever started us. When it ends, another process takes its place. */
const PARENT = process.ppid;

/**
 * Starts a process that never outlives this one. It gets a process group of its own, so Ctrl-C in a terminal reaches
 * only us and we choose the order in which things stop.
 *
 * @throws the error of the system when it cannot be started, such as ENOENT
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = spawn(options.command, options.args, {
    detached: true,
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...options.account,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child, 'spawn');
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.name} started without a process id`);

  const release = guard(pid);
  const lastLines: string[] = [];
  const listeners: ((line: string, source: LineSource) => void)[] = [
    (line) => {
      lastLines.push(line);
      if (lastLines.length > REMEMBERED_LINES) lastLines.shift();
    },
  ];
  if (options.logFile !== undefined) listeners.push(writeTo(options.logFile));
  for (const source of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[source] }).on('line', (line) => {
      for (const listener of listeners) listener(line, source);
    });
  }

  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('close', (code, signal) => {
      release();
      resolve({ code, signal });
    });
  });

  return {
    name: options.name,
    pid,
    ended,
    lastLines,
    onLine: (listener) => void listeners.push(listener),
    async stop(graceMs = DEFAULT_GRACE_MS) {
      child.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
      const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const end = await ended;
      clearTimeout(force);
      return end;
    },
  };
}

/**
 * Runs a process to its end.
 *
 * @throws an error with its last words unless it ends with 0
 */
export async function runToEnd(options: ChildOptions): Promise<void> {
  const child = await startChild(options);
  const { code, signal } = await child.ended;
  if (code === 0) return;
  throw new Error(
    `${options.name} ended with ${signal ?? `exit code ${code ?? 'unknown'}`}:\n${child.lastLines.join('\n')}`,
  );
}

/** For `ChildOptions.env`: takes away all of our environment but where programs, a home and temporary files are. */
export function bareEnvironment(): Readonly<Record<string, undefined>> {
  const others = Object.keys(process.env).filter((name) => !['PATH', 'HOME', 'TMPDIR'].includes(name));
  return Object.fromEntries(others.map((name) => [name, undefined]));
}

/**
 * Resolves when this process should stop: Ctrl-C, SIGTERM, a closed terminal, or the end of the npm that ran it. npm
 * runs scripts through a shell, which does not pass signals on: whoever ends npm would leave us behind.
 */
export async function untilToldToStop(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        resolve();
      });
    }
    if (process.env['npm_lifecycle_event'] !== undefined) {
      const look = setInterval(() => {
        if (process.ppid === PARENT) return;
        clearInterval(look);
        resolve();
      }, 500);
      look.unref();
    }
  });
}

/**
 * A shell that outlives us and ends the process group when we are gone without having said so, whatever ended us:
 * SIGKILL included, which no handler of ours would see. It learns of our end by the end of its standard input.
 */
function guard(pid: number): () => void {
  const script = 'read -r word; [ "$word" = ended ] || kill -s KILL -- "-$1"';
  const shell = spawn('/bin/sh', ['-c', script, 'guard', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  // A guard that somebody killed must not take us with it (EPIPE).
  shell.stdin.on('error', () => undefined);
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return () => {
    shell.stdin.end('ended\n');
  };
}

function writeTo(logFile: string): (line: string) => void {
  mkdirSync(dirname(logFile), { recursive: true });
  writeFileSync(logFile, '');
  // At once: a line that is still on its way when the process has ended would be missing from a message about its end.
  return (line) => {
    appendFileSync(logFile, `${line}\n`);
  };
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
