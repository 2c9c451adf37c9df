/** The reads of one check: counted, and given up where they keep failing. */
import type { z } from 'zod';
import { ZuoraFailure, type Scope, type Zuora } from './client.js';
import type { Query } from './documents.js';
import { NeverLeft } from './transport.js';

/** A read that fails so often is given up until the next check. */
const MOST_FAILURES = 3;

/** Names of reads, as reasons show them. */
export type Read =
  | 'notification definitions'
  | 'communication profiles'
  | 'accounts and contacts'
  | 'accounts of credit memos'
  | 'credit memos'
  | 'bill run'
  | 'email history'
  | 'PDF status';

/** Counts, and keeps which reads failed. */
export class Reader {
  calls = 0;
  readonly failures = new Map<Read, { readonly times: number; readonly message: string }>();
  /** A permission is missing. */
  readonly denied = new Set<Read>();
  readonly #get: <T>(what: string, path: string, query: Query, schema: z.ZodType<T>) => Promise<T>;

  constructor(zuora: Pick<Zuora, 'get'>, scope: Scope = {}, turn?: () => Promise<void>) {
    const counted = async (): Promise<void> => {
      await turn?.();
      this.calls += 1;
    };
    this.#get = (what, path, query, schema) => zuora.get(path, query, schema, { what, scope, turn: counted });
  }

  get<T>(what: Read | 'invoices', path: string, query: Query, schema: z.ZodType<T>): Promise<T> {
    return this.#get(what, path, query, schema);
  }

  /** Undefined: the read failed, or was given up before. */
  async attempt<T>(what: Read, path: string, query: Query, schema: z.ZodType<T>): Promise<T | undefined> {
    if (this.isGivenUp(what)) return undefined;
    return this.get(what, path, query, schema).catch((error: unknown) => {
      // Without a token, no other read works either. Errors of `turn` pass.
      if (!(error instanceof NeverLeft || (error instanceof ZuoraFailure && error.kind !== 'unauthorized')))
        throw error;
      this.failed(what, error);
      return undefined;
    });
  }

  failed(what: Read, failure: unknown): void {
    const message = failure instanceof Error ? failure.message : '';
    this.failures.set(what, { times: (this.failures.get(what)?.times ?? 0) + 1, message });
    if (failure instanceof ZuoraFailure && failure.isForbidden) this.denied.add(what);
  }

  isGivenUp(what: Read): boolean {
    return this.denied.has(what) || (this.failures.get(what)?.times ?? 0) >= MOST_FAILURES;
  }
}
