import { ZuoraFailure } from '../../zuora/client.js';
import { NeverLeft } from '../../zuora/transport.js';

/** A failure of Zuora's client: what happened, and what a person can do about it. */
export interface ZuoraTrouble {
  readonly kind: ZuoraFailure['kind'];
  readonly text: string;
  readonly todo: string;
}

/** Undefined for an error of another kind. */
export function zuoraTroubleIn(error: unknown): ZuoraTrouble | undefined {
  if (error instanceof ZuoraFailure) return { kind: error.kind, text: error.message, todo: todoOf[error.kind] };
  if (!(error instanceof NeverLeft)) return undefined;
  return error.code === 'TOKEN_REFUSED' || error.code === 'CREDENTIALS_UNREADABLE'
    ? { kind: 'unauthorized', text: error.message, todo: todoOf.unauthorized }
    : { kind: 'unavailable', text: error.message, todo: todoOf.unavailable };
}

export const todoOf: Readonly<Record<ZuoraFailure['kind'], string>> = {
  notFound: 'Check the key, and that ZUORA_BASE_URL and the credentials are those of its tenant',
  unauthorized:
    'Check ZUORA_CLIENT_ID and ZUORA_CLIENT_SECRET, or the files that they are in, and that ZUORA_BASE_URL is the data center of their tenant',
  refused: "Check the permissions of the OAuth client's user, and whether ZUORA_MULTI_ENTITY fits the tenant",
  unavailable: 'Check ZUORA_BASE_URL and the network in between, or try again in a moment',
};
