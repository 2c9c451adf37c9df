/** What an operator reads in Temporal UI of encrypted bill runs, with the codec server and without. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BillRunEmails } from '../../client/index.js';
import { codecServerConfiguration } from '../../encryption/configuration.js';
import { startCodecServer, type CodecServer } from '../../encryption/server.js';
import { key, keysInEnvironment, openEncryptionParts, type EncryptionParts } from '../encryption/parts.js';
import { until } from '../support/rig.js';
import { openTemporalUi, type TemporalUi } from './temporal-ui.js';

const ours = key('ours');
const TOKEN = 'a-token-of-this-test-only';

let parts: EncryptionParts;
let emails: BillRunEmails;
let ui: TemporalUi;
let codecServer: CodecServer;
beforeAll(async () => {
  parts = await openEncryptionParts({ ui: true });
  const uiUrl = parts.temporal.uiUrl ?? expect.unreachable('it was started with its UI');
  await parts.worker(ours);
  emails = await parts.emails(ours);
  ui = await openTemporalUi(uiUrl);
  codecServer = await startCodecServer(
    codecServerConfiguration({
      ...keysInEnvironment(ours),
      CODEC_SERVER_ADDRESS: '127.0.0.1:0',
      CODEC_SERVER_TOKEN: TOKEN,
      CODEC_SERVER_ORIGINS: uiUrl,
    }),
  );
});
afterAll(async () => {
  await ui.close();
  await codecServer.close();
  await parts.close();
});

test('operators read and write plain text through the codec server, and without it nobody reads any', async () => {
  const number = await parts.billRun('Completed');
  const { workflowId } = await emails.start({
    billRunKey: number,
    requestedBy: 'nightly-billing',
    reason: 'month end',
  });
  await until(
    () => emails.status({ billRunKey: number }),
    ({ billRunStatus }) => billRunStatus === 'Completed',
  );
  await emails.signal({ billRunKey: number }, 'hold', { requestedBy: 'alice', reason: 'wrong template' });
  await until(
    () => emails.status({ billRunKey: number }),
    ({ held }) => held,
  );

  const words = ['nightly-billing', 'month end', 'wrong template'];
  const expectNoWords = async (): Promise<void> => {
    // User Metadata has frames of its own.
    const shown = await Promise.all(ui.page.frames().map((frame) => frame.locator('body').innerText()));
    for (const word of words) expect(shown.join()).not.toContain(word);
  };
  const ciphertext = ui.page.getByText(/^"[\w+/]{80}/).first();
  await ui.run(workflowId);
  await ciphertext.waitFor();
  await expectNoWords();
  await ui.page.getByText('hold', { exact: true }).filter({ visible: true }).first().click();
  await ui.page.getByText('Workflow Execution Signaled').first().waitFor();
  await expectNoWords();
  await ui.tab('User Metadata');
  await expectNoWords();

  const { host } = new URL(codecServer.url);
  await ui.page.goto(`http://operator:${TOKEN}@${host}/`);
  await ui.page.getByText('you are signed in').waitFor();
  await ui.run(workflowId);
  await ui.useCodecServer(codecServer.url);
  await ui.run(workflowId);
  await ui.page.getByText('nightly-billing').first().waitFor();
  expect(await ciphertext.count()).toBe(0);
  await ui.page.getByText('watchBillRun • wait while it is Completed').waitFor();
  await ui.page.getByText('hold', { exact: true }).filter({ visible: true }).first().click();
  await ui.page.getByText('wrong template').first().waitFor();
  await ui.tab('User Metadata');
  await ui.metadata.details.getByText('nightly-billing').waitFor();
  await ui.metadata.currentDetails.getByText('wrong template').waitFor();

  await ui.run(workflowId);
  await ui.send(await ui.chooseSignal('release'), '{"requestedBy":"bob","reason":"template is mended"}');
  await until(
    () => emails.status({ billRunKey: number }),
    ({ held }) => !held,
  );
  expect(JSON.stringify((await emails.audit({ billRunKey: number })).entries)).toContain('template is mended');
  for (const word of [...words, 'template is mended']) expect(parts.inDatabase(word), word).toBe(false);
});
