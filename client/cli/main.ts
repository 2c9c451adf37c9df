#!/usr/bin/env node
/** Imports at the top only what an old Node can load: it checks the version first. */
import { faultOfNode } from './node-version.js';

const fault = faultOfNode(process.versions.node);
if (fault === undefined) {
  const { main } = await import('./program.js');
  await main(process.argv.slice(2));
} else {
  console.error(`Error: ${fault}`);
  process.exitCode = 2;
}
