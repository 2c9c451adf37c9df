import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, appendFileSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  /** For messages: "Temporal", "the worker". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: ours. */
  readonly cwd?: string;
  /** Another account to run as, which only root may choose. */
  readonly account?: Account | undefined;
  /** Gets all output; emptied at each start. */
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
  /** Resolves when the process has ended and its output is read; never rejects. */
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
/** When our parent ends, the system gives us another one. */
const PARENT = process.ppid;

/**
 * Starts a process that never outlives this one. It has its own process group, so Ctrl-C in a terminal reaches only
 * this process, which chooses the order in which things stop.
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
 * @throws an error with its last lines of output unless it ends with 0
 */
export async function runToEnd(options: ChildOptions): Promise<void> {
  const child = await startChild(options);
  const { code, signal } = await child.ended;
  if (code === 0) return;
  throw new Error(
    `${options.name} ended with ${signal ?? `exit code ${code ?? 'unknown'}`}:\n${child.lastLines.join('\n')}`,
  );
}

/** For `ChildOptions.env`: removes every variable except PATH, HOME and TMPDIR. */
export function bareEnvironment(): Readonly<Record<string, undefined>> {
  const others = Object.keys(process.env).filter((name) => !['PATH', 'HOME', 'TMPDIR'].includes(name));
  return Object.fromEntries(others.map((name) => [name, undefined]));
}

/**
 * Resolves when this process should stop: Ctrl-C, SIGTERM, a closed terminal, or the end of the npm that started it. npm
 * runs scripts through a shell that does not forward signals, so killing npm would otherwise leave this process running.
 */
export async function untilSignaledToStop(): Promise<void> {
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
 * A shell that kills the process group when this process ends unexpectedly, also by SIGKILL, which no handler can catch.
 * It notices by the end of its standard input.
 */
function guard(pid: number): () => void {
  const script = 'read -r word; [ "$word" = ended ] || kill -s KILL -- "-$1"';
  const shell = spawn('/bin/sh', ['-c', script, 'guard', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  // If the guard was killed, writing to it fails with EPIPE, which must not end this process.
  shell.stdin.on('error', () => undefined);
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return () => {
    shell.stdin.end('ended\n');
  };
}

function writeTo(logFile: string): (line: string) => void {
  mkdirSync(dirname(logFile), { recursive: true });
  writeFileSync(logFile, '');
  // Synchronous, so that the log is complete when a message about the end of the process refers to it.
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
