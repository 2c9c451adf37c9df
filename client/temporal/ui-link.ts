/** Links to Temporal UI, by `TEMPORAL_UI_URL`. */
import { webUrlOf } from '../../environment/web-url.js';

export const UI_URL_FAULT = 'must be an http or https URL, such as https://temporal.example.com';

/** The address without what links do not need; undefined if it is not one. */
export function uiRootOf(text: string): string | undefined {
  const url = webUrlOf(text);
  return url && `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** The page of a job in Temporal UI. */
export function linkTo(uiUrl: string, namespace: string, workflowId: string): string {
  return `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}`;
}
