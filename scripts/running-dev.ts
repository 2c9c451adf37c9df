import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Where the parts of a running `npm run dev` are. */
export interface RunningDev {
  readonly temporalAddress: string;
  readonly uiUrl: string;
  readonly simulatorUrl: string;
}

/** What `npm run try` can show. */
export const SCENES = ['refused', 'lost-answer', 'half-sent', 'held', 'waiting'] as const;

/** From where `npm run try` knows the ports. */
const FILE = '.dev/dev.json';

export function announceDev(dev: RunningDev): void {
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(dev));
}

export async function withdrawDev(): Promise<void> {
  await rm(FILE, { force: true });
}

/** Undefined if none runs. After a crash of `npm run dev`, it names one that is gone. */
export function announcedDev(): RunningDev | undefined {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as RunningDev;
  } catch {
    return undefined;
  }
}
