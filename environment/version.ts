import { createRequire } from 'node:module';

/** The version of this package. */
export function versionHere(): string {
  const manifest: unknown = createRequire(import.meta.url)('bill-run-emails/package.json');
  return (manifest as { version: string }).version;
}
