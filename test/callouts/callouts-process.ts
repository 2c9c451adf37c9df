/** The callout service as it runs in production: a process of its own. */
import { join } from 'node:path';
import { startChild, type Child } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';

export const USER = 'zuora';
export const PASSWORD = 'a-password-of-the-callouts';
export const AUTHORIZATION = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;

export interface CalloutsProcess {
  readonly child: Child;
  readonly url: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function spawnCallouts(env: Environment, logFile?: string): Promise<Child> {
  return startChild({
    name: 'the callout service',
    command: process.execPath,
    args: ['--enable-source-maps', join(projectRoot, 'dist', 'callouts', 'main.js')],
    env: { CALLOUT_ADDRESS: '127.0.0.1:0', CALLOUT_USERNAME: USER, CALLOUT_PASSWORD: PASSWORD, ...env },
    ...(logFile === undefined ? {} : { logFile }),
  });
}

/** Starts it, and waits until it listens. */
export async function startCallouts(env: Environment, logFile?: string): Promise<CalloutsProcess> {
  const child = await spawnCallouts(env, logFile);
  const url = await new Promise<string>((resolve, reject) => {
    child.onLine((line) => {
      const listening = /"url":"([^"]+)".*"callout service is ready"/.exec(line)?.[1];
      if (listening !== undefined) resolve(listening);
    });
    void child.ended.then(() => {
      reject(new Error(`The callout service does not start:\n${child.lastLines.join('\n')}`));
    });
  });
  return { child, url };
}

export function callout(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/bill-run-posted`, {
    method: 'POST',
    headers: { authorization: AUTHORIZATION, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}
