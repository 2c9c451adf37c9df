import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findBrowser } from './browser.js';

test('the browser is the one that CHROME_PATH names, or else a Chromium or Chrome on PATH', () => {
  const chromium = program('chromium');
  const chrome = program('google-chrome-stable');

  expect(findBrowser({ CHROME_PATH: chrome.path, PATH: chromium.folder })).toBe(chrome.path);
  expect(findBrowser({ PATH: `${chrome.folder}:${chromium.folder}` })).toBe(chromium.path);
  expect(findBrowser({ PATH: chrome.folder })).toBe(chrome.path);
});

test('a CHROME_PATH that names no program is said, and not passed over', () => {
  const { folder } = program('chromium');

  expect(() => findBrowser({ CHROME_PATH: join(folder, 'chrome'), PATH: folder })).toThrow(
    /^CHROME_PATH names .*chrome,/,
  );
});

test.runIf(process.platform === 'linux')('where there is no browser, it is said how to install one', () => {
  expect(() => findBrowser({ PATH: '' })).toThrow(/There is no Chrome or Chromium .* apt-get install chromium/);
});

function program(name: string): { readonly path: string; readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-browser-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, name);
  writeFileSync(path, '');
  chmodSync(path, 0o755);
  return { path, folder };
}
