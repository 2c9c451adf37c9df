/** Temporal UI with encrypted bill runs, without the codec server of the example and with it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Child } from '../../scripts/processes.js';
import {
  key,
  openEncryptionParts,
  startCodecServer,
  TOKEN,
  type EncryptionParts,
} from '../examples/encryption-parts.js';
import { until } from '../support/rig.js';
import { openTemporalUi, type TemporalUi } from './temporal-ui.js';

const ours = key('ours');

let parts: EncryptionParts;
let ui: TemporalUi;
let codecServer: { url: string; child: Child };
beforeAll(async () => {
  parts = await openEncryptionParts({ ui: true });
  const uiUrl = parts.temporal.uiUrl ?? expect.unreachable('it was started with its UI');
  await parts.worker(ours);
  ui = await openTemporalUi(uiUrl);
  codecServer = await startCodecServer([ours], uiUrl);
});
afterAll(async () => {
  await ui.close();
  await codecServer.child.stop();
  await parts.close();
});

test('Temporal UI shows and sends plain text through the codec server, and without it shows none', async () => {
  const number = await parts.billRun('Completed');
  const workflowId = `email-bill-run/${number}`;
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await parts.cli([ours], ...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };
  await run('start', number, '--requested-by', 'nightly-billing', '--reason', 'month end');
  await until(
    () => run('status', number, '--json'),
    (status) => status.includes('"Completed"'),
  );
  await run('hold', number, '--requested-by', 'alice', '--reason', 'wrong template');

  const words = ['nightly-billing', 'month end', 'wrong template'];
  const expectNoWords = async (): Promise<void> => {
    // User Metadata has frames of its own.
    const texts = await Promise.all(ui.page.frames().map((frame) => frame.locator('body').innerText()));
    for (const word of words) expect(texts.join()).not.toContain(word);
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
  await ui.page.getByText('You are signed in').waitFor();
  await ui.run(workflowId);
  await ui.useCodecServer(codecServer.url);
  await ui.run(workflowId);
  await ui.page.getByText('nightly-billing').first().waitFor();
  expect(await ciphertext.count()).toBe(0);
  await ui.page.getByText('watchBillRun • ').first().waitFor();
  await ui.page.getByText('hold', { exact: true }).filter({ visible: true }).first().click();
  await ui.page.getByText('wrong template').first().waitFor();
  await ui.tab('User Metadata');
  await ui.metadata.details.getByText('nightly-billing').waitFor();
  await ui.metadata.currentDetails.getByText('wrong template').waitFor();

  await ui.run(workflowId);
  await ui.send(await ui.chooseSignal('release'), '{"requestedBy":"bob","reason":"template is fixed"}');
  await until(
    () => run('audit', number),
    (audit) => audit.includes('template is fixed'),
  );
  for (const word of [...words, 'template is fixed']) expect(parts.inDatabase(word), word).toBe(false);
});
