import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { zuoraConfiguration } from '../../zuora/configuration.js';
import { email, inTurn, json, neverLeft, openLoopbackZuora, openZuora } from '../support/loopback-zuora.js';

async function mounted(files: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  const write = (name: string, text: string): Promise<void> => writeFile(path(name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { path, write };
}

const withdrawn = json(401, { message: 'Authentication error' });
const accepted = json(200, { success: true });

test('credentials in files are read for each token, so that new ones need no restart', async () => {
  const { path, write } = await mounted({ id: 'id-1\n', secret: 'secret-1\n' });
  const { baseUrl, tokenRequests } = await openLoopbackZuora({ call: inTurn(accepted, withdrawn, accepted) });
  const { zuora: settings } = zuoraConfiguration({
    ZUORA_BASE_URL: baseUrl.href,
    ZUORA_CLIENT_ID_FILE: path('id'),
    ZUORA_CLIENT_SECRET_FILE: path('secret'),
  });
  const zuora = openZuora(baseUrl, settings);
  expect(await email(zuora)).toMatchObject({ verdict: 'accepted' });
  await write('secret', 'secret-2');
  expect(await email(zuora)).toMatchObject({ verdict: 'notExecuted', tokenRejected: true });
  expect(await email(zuora)).toMatchObject({ verdict: 'accepted' });
  const sent = tokenRequests.map(({ body }) => Object.fromEntries(new URLSearchParams(body.toString())));
  expect(sent).toMatchObject([
    { client_id: 'id-1', client_secret: 'secret-1' },
    { client_id: 'id-1', client_secret: 'secret-2' },
  ]);
});

test('a secret that was replaced is kept out of an answer to a call that was made with the older one', async () => {
  const { path, write } = await mounted({ secret: 's3cr3t-1' });
  const leak = json(400, { success: false, reasons: [{ code: 58730030, message: 'bad: s3cr3t-1' }] });
  const { baseUrl } = await openLoopbackZuora({ call: leak });
  const { zuora: settings } = zuoraConfiguration({
    ZUORA_BASE_URL: baseUrl.href,
    ZUORA_CLIENT_ID: 'id-1',
    ZUORA_CLIENT_SECRET_FILE: path('secret'),
  });
  const zuora = openZuora(baseUrl, settings);
  await zuora.authenticate();
  await write('secret', 's3cr3t-2');
  const answer = await email(zuora);
  expect(answer.verdict).toBe('refused');
  expect(JSON.stringify(answer)).not.toContain('s3cr3t');
});

test.each(['secret\n', 'secret\r\n', '\nsecret', ' secret', 'secret ', 'sec\nret', 'sec\tret', '\u00a0secret'])(
  'a secret that was copied badly into its variable is named, and not shown: %j',
  (secret) => {
    const env = { ZUORA_BASE_URL: 'https://rest.zuora.com', ZUORA_CLIENT_ID: 'id-1', ZUORA_CLIENT_SECRET: secret };
    const wrong = 'begins or ends with a space, or holds a line break';
    expect(() => zuoraConfiguration(env)).toThrow(`invalid Zuora configuration:\n  ZUORA_CLIENT_SECRET ${wrong}`);
    expect(() => zuoraConfiguration({ ...env, ZUORA_CLIENT_ID: secret })).toThrow(`  ZUORA_CLIENT_ID ${wrong}`);
    expect(() => zuoraConfiguration({ ...env, ZUORA_CLIENT_SECRET: 'a secret+é%' })).not.toThrow();
  },
);

test('a file with more than one line is named', async () => {
  const { path } = await mounted({ secret: 'id-1\nsecret-1\n' });
  const { baseUrl, tokenRequests } = await openLoopbackZuora();
  const { zuora: settings } = zuoraConfiguration({
    ZUORA_BASE_URL: baseUrl.href,
    ZUORA_CLIENT_ID: 'id-1',
    ZUORA_CLIENT_SECRET_FILE: path('secret'),
  });
  expect(await neverLeft(email(openZuora(baseUrl, settings)))).toMatchObject({
    code: 'CREDENTIALS_UNREADABLE',
    message: `no token: the file ${path('secret')} holds more than one line`,
  });
  expect(tokenRequests).toEqual([]);
});

test.for([
  ['is gone', async (path: string) => rm(path)],
  ['is empty', async (path: string) => writeFile(path, '\n')],
] as const)('while a file %s, nothing is sent; when it is back, all goes on', async ([, spoil]) => {
  const { path, write } = await mounted({ id: 'id-1', secret: 'secret-1' });
  const { baseUrl, calls, tokenRequests } = await openLoopbackZuora({ call: accepted });
  const { zuora: settings } = zuoraConfiguration({
    ZUORA_BASE_URL: baseUrl.href,
    ZUORA_CLIENT_ID_FILE: path('id'),
    ZUORA_CLIENT_SECRET_FILE: path('secret'),
  });
  const zuora = openZuora(baseUrl, settings);
  await spoil(path('secret'));
  const failure = await neverLeft(email(zuora));
  expect(failure.code).toBe('CREDENTIALS_UNREADABLE');
  expect(failure.message).toContain(path('secret'));
  expect([...calls, ...tokenRequests]).toEqual([]);
  await write('secret', 'secret-1');
  expect(await email(zuora)).toMatchObject({ verdict: 'accepted' });
});
