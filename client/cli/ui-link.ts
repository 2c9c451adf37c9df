import { ConfigurationError } from '../../environment/configuration-error.js';
import type { BillRunEmails } from '../bill-run-emails.js';
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
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (base !== '' && url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new ConfigurationError('TEMPORAL_UI_URL must be an http or https URL, such as https://temporal.example.com');
  }
  return <F extends Found>({ client }: Pick<BillRunEmails, 'client'>, found: F): F & Linked => {
    if (url === undefined) return found;
    const root = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
    return { ...found, uiUrl: linkTo(root, client.options.namespace, found.workflowId) };
  };
}

/** The page of a job in Temporal UI. */
export function linkTo(uiUrl: string, namespace: string, workflowId: string): string {
  return `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}`;
}
