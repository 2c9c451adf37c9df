import { budgetOf, DEFAULT_POLLING, type Polling } from './budget.js';
import { earlierSends } from './earlier-sends.js';
import { createEmailBillRunDocuments } from './email-bill-run-documents.js';
import { handOver } from './hand-over.js';
import { createNotify, type Receiver } from './notify.js';
import { billRunReader } from './look.js';
import { createFindForgotten, startForgotten } from './sweep.js';
import type { Activities } from '../workflows/contract/activities.js';
import { watchHoldAll } from './watch-hold-all.js';
import { createWatchBillRun } from './watch-bill-run.js';
import { createWatchDelivery } from './watch-delivery.js';
import type { Zuora } from '../zuora/client.js';

export type { Activities };

export interface ActivitySettings {
  readonly zuora: Zuora;
  /** Whether the tenant has Zuora Multi-entity: then every bill run belongs to an entity, otherwise none does. */
  readonly multiEntity: boolean;
  readonly polling?: Polling;
  /** From an acceptance to the first check of the documents, in milliseconds. Default: 5 minutes. */
  readonly deliveryIntervalMs?: number;
  /** Checks of documents at the same time. Default: 4. */
  readonly checksAtOnce?: number;
  /** Who is notified of what needs a person. Default: nobody. */
  readonly receiver?: Receiver;
}

/** The activities of one worker, on one connection to Zuora. They reach Temporal by the worker's own connection. */
export function createActivities({
  zuora,
  multiEntity,
  polling = DEFAULT_POLLING,
  deliveryIntervalMs,
  checksAtOnce = 4,
  receiver,
}: ActivitySettings): Activities {
  const readBillRun = billRunReader(zuora);
  const budget = budgetOf(polling);
  return {
    watchBillRun: createWatchBillRun({ readBillRun, multiEntity, polling, budget }),
    emailBillRunDocuments: createEmailBillRunDocuments({ zuora, readBillRun }),
    watchHoldAll,
    earlierSends,
    handOver,
    watchDelivery: createWatchDelivery({ zuora, budget, intervalMs: deliveryIntervalMs, mostAtOnce: checksAtOnce }),
    findForgotten: createFindForgotten({ zuora, multiEntity, budget }),
    startForgotten,
    notify: createNotify(receiver),
  };
}
