import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SIMULATOR_CREDENTIALS, startSimulator } from '../../simulator/index.js';

const run = promisify(execFile);
const VERSION = '3.21.0';
const TOOLS = '.temporal';
const SDK = join(TOOLS, 'zuora-sdk');

/** The client takes seconds to install and to import. */
const PATIENCE_MS = 300_000;

describe('Zuora’s own Python client', () => {
  it(
    'creates, reads, posts, emails and cancels bill runs on the simulator, and its models accept the answers',
    async () => {
      await installSdk();
      const simulator = await startSimulator({ invoicesPerBillRun: 2, creditMemosPerBillRun: 1 });
      try {
        const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
        const script = ['scripts/check-zuora-sdk.py', simulator.url, clientId, clientSecret];
        const { stdout } = await python(script, { PYTHONPATH: SDK });
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

/** Into a folder of its own first: what stands under the final name is complete, also after an interruption. */
async function installSdk(): Promise<void> {
  const installed = join(SDK, `zuora_sdk-${VERSION}.dist-info`);
  if (existsSync(installed)) return;
  await mkdir(TOOLS, { recursive: true });
  const unfinished = await mkdtemp(join(TOOLS, 'zuora-sdk-'));
  try {
    await python(['-m', 'pip', 'install', '--quiet', '--target', unfinished, `zuora-sdk==${VERSION}`]);
    await rm(SDK, { recursive: true, force: true });
    await rename(unfinished, SDK);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another run was quicker: a folder with something in it is not replaced.
    if (!existsSync(installed)) throw error;
  }
}

async function python(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ stdout: string }> {
  try {
    return await run('python3', args, { env: { ...process.env, ...env } });
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') {
    return 'This test needs python3 3.9 or later with pip: install it (Debian: apt install python3 python3-pip).';
  }
  const said = 'stderr' in error ? String(error.stderr).trim() : '';
  if (said.includes('No module named pip')) {
    return 'This test needs pip for python3: install it (Debian: apt install python3-pip; elsewhere: python3 -m ensurepip).';
  }
  return said === '' ? error.message : said;
}
