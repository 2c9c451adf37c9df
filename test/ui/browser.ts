import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { isExecutable } from '../../scripts/processes.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ON_MACOS = ['Google Chrome', 'Chromium'].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`);

const HOW_TO_INSTALL =
  'Install one (Debian and Ubuntu: apt-get install chromium; macOS: brew install --cask chromium), ' +
  'or name one with CHROME_PATH.';

type Environment = Readonly<Record<string, string | undefined>>;

/** The path of a Chrome or Chromium of this machine: the one that `CHROME_PATH` names, or else one on `PATH`. */
export function findBrowser({ CHROME_PATH: named = '', PATH = '' }: Environment = process.env): string {
  if (named !== '') {
    if (isExecutable(named)) return named;
    throw new Error(`CHROME_PATH names ${named}, which is not an executable file. ${HOW_TO_INSTALL}`);
  }
  const onPath = NAMES.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)));
  const found = [...onPath, ...ON_MACOS].find(isExecutable);
  if (found === undefined) throw new Error(`There is no Chrome or Chromium (${NAMES.join(', ')}). ${HOW_TO_INSTALL}`);
  return found;
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findBrowser(),
    // It needs rights that root in a container may not have; and all that is looked at is our own server.
    chromiumSandbox: false,
    args: [
      ...['--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      // Neither the browser nor the page talks to anybody else.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}
