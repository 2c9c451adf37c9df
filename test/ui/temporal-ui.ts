/** Temporal UI 2.54 as a person uses it. Everything here waits for what it needs to see, never for a time. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { openBrowser } from './browser.js';

/** Where pictures for the documentation go; none are made without it. */
const { SCREENSHOTS: screenshots } = process.env;
const LARGEST_SCREENSHOT = 250_000;

/** Bounds a hang: the slowest page takes seconds. */
const PATIENCE_MS = 60_000;

type Tab = 'Timeline' | 'Pending Activities' | 'User Metadata' | 'Search Attributes';

export type TemporalUi = Awaited<ReturnType<typeof openTemporalUi>>;

export async function openTemporalUi(url: string) {
  const browser = await openBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const workflows = `${url}/namespaces/default/workflows`;

  return {
    page,

    /** The list view with a filter, as a saved view or a bookmark opens it. */
    async list(query: string): Promise<void> {
      await page.goto(`${workflows}?query=${encodeURIComponent(query)}`);
    },

    /** Keeps the filter of the list view under a name, in this browser. */
    async saveView(name: string): Promise<void> {
      await page.getByTestId('create-view-button').click();
      const dialog = page.getByRole('dialog').filter({ visible: true });
      await dialog.getByRole('textbox').fill(name);
      await dialog.getByTestId('confirm-modal-button').click();
      await page.getByRole('button', { name }).waitFor();
    },

    async openView(name: string): Promise<void> {
      await page.getByRole('button', { name: 'Saved Views' }).click();
      await page.getByRole('menuitem', { name }).filter({ visible: true }).click();
    },

    /** Tells this browser where the codec server is, and to show it what it has signed in with. */
    async useCodecServer(codecServerUrl: string): Promise<void> {
      await page.getByTestId('data-encoder-status').click();
      const dialog = page.locator('dialog#data-encoder-settings');
      await dialog.getByTestId('use-local-endpoint-input').check();
      await dialog.getByRole('textbox').fill(codecServerUrl);
      await dialog.getByText('Include cross-origin credentials').click();
      await dialog.getByTestId('confirm-modal-button').click();
      await dialog.waitFor({ state: 'hidden' });
    },

    async run(workflowId: string): Promise<void> {
      await page.goto(`${workflows}/${encodeURIComponent(workflowId)}`);
      await page.getByRole('heading', { name: workflowId }).waitFor();
      await page.getByRole('tab', { name: 'Timeline' }).waitFor();
    },

    async tab(name: Tab): Promise<void> {
      await page.getByRole('tab', { name }).click();
    },

    /** The parts of "User Metadata", which the UI renders in frames of their own. */
    metadata: {
      summary: frame(page, 'user-metadata-summary'),
      details: frame(page, 'user-metadata-details'),
      currentDetails: frame(page, 'user-metadata-current-details'),
    },

    /** Opens the dialog that sends a signal, and chooses one: what the UI says about it shows there. */
    async chooseSignal(name: string): Promise<Locator> {
      await page.getByRole('button', { name: 'More Actions' }).click();
      await page.getByTestId('signal-button').filter({ visible: true }).click();
      const dialog = page.getByTestId('signal-confirmation-modal').filter({ visible: true });
      await dialog.getByTestId('signal-select-button').click();
      return page.getByRole('option', { name: new RegExp(`^${name}\\b`) }).filter({ visible: true });
    },

    /** Sends the signal of the dialog that is open, with what is typed as its data. */
    async send(option: Locator, data: string): Promise<void> {
      await option.click();
      const dialog = page.getByTestId('signal-confirmation-modal').filter({ visible: true });
      const field = dialog.getByRole('textbox', { name: 'Data' });
      await field.fill(data);
      // The dialog takes the text when the field is left; a click on Submit before that sends nothing.
      await field.blur();
      const sent = page.waitForResponse((response) => response.url().includes('/signal/'));
      await dialog.getByTestId('confirm-modal-button').click();
      expect((await sent).status()).toBe(200);
    },

    async screenshot(name: string): Promise<void> {
      if (screenshots === undefined || screenshots === '') return;
      mkdirSync(screenshots, { recursive: true });
      const path = join(screenshots, `${name}.png`);
      await page.screenshot({ path, animations: 'disabled' });
      expect(statSync(path).size).toBeLessThan(LARGEST_SCREENSHOT);
    },

    async close(): Promise<void> {
      await browser.close();
    },
  };
}

function frame(page: Page, id: string): Locator {
  return page.locator(`iframe#${id}`).contentFrame().locator('body');
}
