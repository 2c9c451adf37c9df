/**
 * What Zuora keeps under an Idempotency-Key (developer.zuora.com: docs/guides/idempotent-requests): status, headers and
 * body of the first reply, success or failure, for 24 hours after the key was set. While the first request is in
 * progress others with its key get a 409; another method or URL under the same key gets a 422.
 */
import type { SimulatorClock } from './clock.js';
import type { Reply } from './wire.js';

const KEY_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** What a repetition is compared by. */
export interface KeyUse {
  readonly key: string;
  /** Keys of different scopes know nothing of each other. */
  readonly scope: string;
  readonly method: string;
  readonly url: string;
  readonly bodyDigest: string;
}

export type Claim =
  | { readonly kind: 'first'; readonly store: (reply: Reply) => void; readonly giveUp: () => void }
  | { readonly kind: 'repeated'; readonly reply: Reply }
  | { readonly kind: 'inProgress' }
  | { readonly kind: 'mismatch'; readonly of: 'method or URL' | 'body' };

interface KeptKey {
  readonly use: KeyUse;
  readonly setAt: number;
  readonly reply: Reply | undefined;
}

export class IdempotencyKeys {
  readonly #clock: SimulatorClock;
  readonly #kept = new Map<string, KeptKey>();

  constructor(clock: SimulatorClock) {
    this.#clock = clock;
  }

  claim(use: KeyUse, compareBodies: boolean): Claim {
    this.#forgetOld();
    const name = JSON.stringify([use.scope, use.key]);
    const kept = this.#kept.get(name);
    if (kept !== undefined) return repetition(kept, use, compareBodies);

    const claimed: KeptKey = { use, setAt: this.#clock.now(), reply: undefined };
    this.#kept.set(name, claimed);
    return {
      kind: 'first',
      // A day may have gone by over a stalled request: the key then belongs to somebody else, or to nobody.
      store: (reply) => {
        if (this.#kept.get(name) === claimed) this.#kept.set(name, { ...claimed, reply });
      },
      giveUp: () => {
        if (this.#kept.get(name) === claimed) this.#kept.delete(name);
      },
    };
  }

  #forgetOld(): void {
    const forgottenBefore = this.#clock.now() - KEY_LIFETIME_MS;
    for (const [name, { setAt }] of this.#kept) {
      // The map keeps them in the order they were set in.
      if (setAt > forgottenBefore) return;
      this.#kept.delete(name);
    }
  }
}

function repetition(kept: KeptKey, use: KeyUse, compareBodies: boolean): Claim {
  if (kept.use.method !== use.method || kept.use.url !== use.url) return { kind: 'mismatch', of: 'method or URL' };
  if (compareBodies && kept.use.bodyDigest !== use.bodyDigest) return { kind: 'mismatch', of: 'body' };
  return kept.reply === undefined ? { kind: 'inProgress' } : { kind: 'repeated', reply: kept.reply };
}
