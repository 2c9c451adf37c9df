/** Explores one space in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { explore } from './explore.js';
import { rulesIn } from './rules.js';
import type { Space } from './spaces.js';

export interface Order {
  readonly space: Space;
  /** The folder of the build whose rules are explored. */
  readonly dist: string;
}

const { space, dist } = workerData as Order;
parentPort?.postMessage(explore(await rulesIn(dist), space.beginning, space.bounds));
