import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../workflows/contract/activities.js';
import { ZuoraFailure, type Zuora } from '../zuora/client.js';
import { NeverLeft } from '../zuora/transport.js';

export function createCountEmailedInvoices({ zuora }: { zuora: Zuora }): Activities['countEmailedInvoices'] {
  return async ({ billRunKey, since, ...scope }) => {
    try {
      return await zuora.countEmailedInvoices(billRunKey, since, scope);
    } catch (error) {
      if (!(error instanceof ZuoraFailure) && !(error instanceof NeverLeft)) throw error;
      throw ApplicationFailure.retryable(error.message, 'Unreadable');
    }
  };
}
