/** Links to Temporal UI. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { uiLinks } from '../../../client/cli/ui-link.js';
import { cliGiven, json } from '../../support/command-line.js';
import { openRig, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

test.each([
  ['http://127.0.0.1:8233', 'http://127.0.0.1:8233/namespaces/'],
  ['https://temporal.example/', 'https://temporal.example/namespaces/'],
  ['https://example.com/temporal//', 'https://example.com/temporal/namespaces/'],
  ['HTTPS://Example.com/ui?x=1#y', 'https://example.com/ui/namespaces/'],
])('by %s', (base, start) => {
  const found = uiLinks(base)(rig.emails, { workflowId: 'email-bill-run/8ad0/BR-1' });
  expect(found.uiUrl).toBe(`${start}default/workflows/email-bill-run%2F8ad0%2FBR-1`);
});

test('status and start of one bill run print it, and have it in JSON', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const given = { env: { TEMPORAL_UI_URL: 'https://temporal.example/', BILL_RUN_TASK_QUEUE: rig.taskQueue } };
  const uiUrl = `https://temporal.example/namespaces/default/workflows/email-bill-run%2F${number}`;
  expect(await json(cliGiven(given, 'start', number, '--json'))).toMatchObject({ result: 'started', uiUrl });
  expect((await cliGiven(given, 'start', number)).stdout).toMatch(new RegExp(`\nTemporal UI: ${uiUrl}\n$`));
  expect(await json(cliGiven(given, 'status', number, '--json'))).toMatchObject({ billRunKey: number, uiUrl });
  expect((await cliGiven(given, 'status', number)).stdout).toMatch(new RegExp(`^Temporal UI   ${uiUrl}$`, 'm'));
  await cliGiven(given, 'finish', number);
});

test.each(['temporal.example', 'ftp://temporal.example', 'javascript:alert(1)', ' '])(
  '%j is a fault of the configuration, and nothing is started',
  async (base) => {
    const { number } = await rig.billRun.create();
    const given = { env: { TEMPORAL_UI_URL: base, BILL_RUN_TASK_QUEUE: rig.taskQueue } };
    for (const command of ['start', 'status']) {
      expect(await cliGiven(given, command, number)).toMatchObject({
        ...{ code: 2, stdout: '' },
        stderr: expect.stringMatching(/^Error: TEMPORAL_UI_URL must be an http or https URL/) as string,
      });
    }
    expect((await cliGiven({}, 'status', number)).code).toBe(3);
    // An order does not print the link, so it goes out all the same.
    expect((await cliGiven(given, 'hold', number)).code).toBe(3);
  },
);
