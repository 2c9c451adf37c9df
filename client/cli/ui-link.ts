import { ConfigurationError } from '../../environment/configuration-error.js';
import type { BillRunEmails } from '../bill-run-emails.js';
import { linkTo, UI_URL_FAULT, uiRootOf } from '../temporal/ui-link.js';
import type { Found } from './command.js';

export interface Linked {
  /** Where Temporal UI shows the job; absent without `TEMPORAL_UI_URL`. */
  readonly uiUrl?: string;
}

/**
 * Adds the link to what a command found, by `TEMPORAL_UI_URL`. A command calls it before it does anything.
 *
 * @throws ConfigurationError
 */
export function uiLinks(base = process.env['TEMPORAL_UI_URL'] ?? '') {
  const root = uiRootOf(base);
  if (base !== '' && root === undefined) throw new ConfigurationError(`TEMPORAL_UI_URL ${UI_URL_FAULT}`);
  return <F extends Found>({ client }: Pick<BillRunEmails, 'client'>, found: F): F & Linked => {
    return root === undefined ? found : { ...found, uiUrl: linkTo(root, client.options.namespace, found.workflowId) };
  };
}
