import { earlierSends } from './earlier-sends.js';
import { createEmailBillRunDocuments } from './email-bill-run-documents.js';
import { handOver } from './hand-over.js';
import { billRunReader } from './look.js';
import type { Activities } from '../workflows/contract/activities.js';
import { watchHoldAll } from './watch-hold-all.js';
import { createWatchBillRun, type Polling } from './watch-bill-run.js';
import type { Zuora } from '../zuora/client.js';

export type { Activities };

export interface ActivitySettings {
  readonly zuora: Zuora;
  /** Whether the tenant has Zuora Multi-entity: then every bill run belongs to an entity, otherwise none does. */
  readonly multiEntity: boolean;
  readonly polling?: Polling;
}

/** The activities of one worker, on one connection to Zuora. They reach Temporal by the worker's own connection. */
export function createActivities({ zuora, multiEntity, polling }: ActivitySettings): Activities {
  const readBillRun = billRunReader(zuora);
  return {
    watchBillRun: createWatchBillRun({ readBillRun, multiEntity, ...(polling === undefined ? {} : { polling }) }),
    emailBillRunDocuments: createEmailBillRunDocuments({ zuora, readBillRun }),
    watchHoldAll,
    earlierSends,
    handOver,
  };
}
