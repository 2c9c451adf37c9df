import { describe, expect, it } from 'vitest';
import { SIMULATOR_CREDENTIALS, startSimulator } from '../../simulator/index.js';
import { python, pythonPackage } from '../support/python.js';

const VERSION = '3.21.0';

/** The client takes seconds to install and to import. */
const PATIENCE_MS = 300_000;

describe('Zuora’s own Python client', () => {
  it(
    'creates, reads, posts, emails and cancels bill runs on the simulator, and its models accept the answers',
    async () => {
      const sdk = await pythonPackage('zuora-sdk', VERSION);
      const simulator = await startSimulator({ invoicesPerBillRun: 2, creditMemosPerBillRun: 1 });
      try {
        const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
        const script = ['scripts/check-zuora-sdk.py', simulator.url, clientId, clientSecret];
        const { stdout } = await python(script, sdk);
        expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
          sdk: VERSION,
          billRunId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
          billRunNumber: 'BR-00000001',
          statuses: ['Pending', 'Completed', 'PostInProgress', 'Posted'],
          numberOfInvoices: 2,
          numberOfCreditMemos: 1,
          invoicesEmailed: true,
          lastEmailSentTime: expect.stringMatching(/^\d{4}-/) as string,
          invoiceNumbers: ['INV00000001', 'INV00000002'],
          emailsInHistory: 3,
          canceled: 'Canceled',
        });
      } finally {
        await simulator.close();
      }
    },
    PATIENCE_MS,
  );
});
