/** The callout service as a process: how it starts, what it logs, and how it ends. */
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { openLink } from '../../proof/chaos/proxy.js';
import { takenPort } from '../scripts/taken-port.js';
import { openRig, until, type Rig } from '../support/rig.js';
import { callout, PASSWORD, spawnCallouts, startCallouts } from './callouts-process.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

test('a callout to the process has its bill run emailed; its log is JSON, without the password; SIGTERM ends it with 0', async () => {
  const { number } = await rig.billRun.create({ status: 'Posted' });
  const { child, url } = await startCallouts({
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    BILL_RUN_TASK_QUEUE: rig.taskQueue,
  });
  const log: string[] = [];
  child.onLine((line) => log.push(line));
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const answer = await callout(url, { billRunNumber: number }, { 'zuora-notification-id': 'n-1' });
  expect([answer.status, await answer.json()]).toEqual([200, { result: 'started' }]);
  await rig.state(rig.own(number), 'Delivering');
  expect((await callout(url, {}, { authorization: `Basic ${btoa('zuora:wrong')}` })).status).toBe(401);
  expect(await child.stop()).toEqual({ code: 0, signal: null });
  expect(log.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'info', msg: 'callout taken', billRun: number, notification: 'n-1', result: 'started' },
    { level: 'warn', msg: 'callout refused', status: 401 },
    { level: 'info', msg: 'callout service has stopped' },
  ]);
  expect(log.join('\n')).not.toContain(PASSWORD);
});

test('what it has begun to take when it is stopped, it answers', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const { child, url } = await startCallouts({
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    BILL_RUN_TASK_QUEUE: rig.taskQueue,
  });
  const answers = Array.from({ length: 20 }, () => callout(url, { billRunNumber: number }));
  await Promise.race(answers);
  const ended = child.stop();
  const statuses = (await Promise.allSettled(answers)).map((each) =>
    each.status === 'fulfilled' ? each.value.status : 'not taken',
  );
  // A connection that it had not taken yet is closed: Zuora calls again.
  expect(statuses.filter((status) => status !== 200 && status !== 503 && status !== 'not taken')).toEqual([]);
  expect(statuses).toContain(200);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(await rig.own(number).describe()).toMatchObject({ status: { name: 'RUNNING' } });
});

test.for<[string, () => Promise<Record<string, string | undefined>>, number, RegExp]>([
  [
    'whose environment is not complete names all that is wrong',
    () =>
      Promise.resolve({
        CALLOUT_USERNAME: undefined,
        CALLOUT_PASSWORD: 'too short',
        CALLOUT_ADDRESS: 'localhost',
      }),
    2,
    /^Error: invalid configuration of the callout service:(?=.*CALLOUT_USERNAME is missing)(?=.*CALLOUT_PASSWORD gives less than 16)(?=.*CALLOUT_ADDRESS is not an IP)/s,
  ],
  [
    'whose password stands in a file that is not there says so',
    () => Promise.resolve({ CALLOUT_PASSWORD: undefined, CALLOUT_PASSWORD_FILE: '/not/there' }),
    2,
    /CALLOUT_PASSWORD_FILE names a file that cannot be read: ENOENT/,
  ],
  [
    'whose port is taken says so',
    async () => ({ CALLOUT_ADDRESS: `127.0.0.1:${await takenPort()}`, TEMPORAL_ADDRESS: inject('temporalAddress') }),
    2,
    /^Error: cannot listen on CALLOUT_ADDRESS 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  ],
  [
    'whose namespace is not there names it',
    () => Promise.resolve({ TEMPORAL_ADDRESS: inject('temporalAddress'), TEMPORAL_NAMESPACE: 'nowhere' }),
    6,
    /^Error: Temporal has no namespace nowhere; TEMPORAL_NAMESPACE names it$/m,
  ],
  [
    'that cannot reach Temporal says where it looked',
    () => Promise.resolve({ TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    6,
    /^Error: Temporal cannot be reached at 127\.0\.0\.1:1: /,
  ],
])('a service %s, and does not start', async ([, env, code, words]) => {
  const child = await spawnCallouts(await env());
  expect(await child.ended).toEqual({ code, signal: null });
  const output = child.lastLines.join('\n');
  expect(output).toMatch(words);
  expect(output).not.toContain('    at ');
  expect(output).not.toContain('too short');
});

test('while Temporal is away it lives, and answers 503; what is sent again then is taken', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const link = await openLink(inject('temporalAddress'));
  const { child, url } = await startCallouts({
    TEMPORAL_ADDRESS: link.address,
    BILL_RUN_TASK_QUEUE: rig.taskQueue,
  });
  link.cut(600_000);
  const send = () => callout(url, { billRunNumber: number }, { 'zuora-notification-id': 'n-1' });
  const refused = await send();
  expect([refused.status, await refused.json()]).toEqual([
    503,
    { message: 'The callout was not taken. It is safe to send it again.' },
  ]);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  link.heal();
  await until(send, ({ status }) => status === 200);
  expect(await child.stop()).toEqual({ code: 0, signal: null });
  await link.close();
});
