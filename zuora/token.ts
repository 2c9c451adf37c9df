import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { CredentialSource } from './credentials.js';
import { jsonIn } from './json.js';
import { outcomeOf, withoutSecrets } from './outcome.js';
import { NeverLeft, type Transport } from './transport.js';

/** A token, and the client secret that it was requested with. */
interface Access {
  readonly token: string;
  readonly clientSecret: string;
}

/** OAuth client credentials: one token for all callers, renewed before it expires. */
export interface TokenSource {
  /**
   * A token that is valid for a while. One request serves all concurrent callers.
   *
   * @throws {@link NeverLeft} if there is no token, because nothing else can be sent without one
   */
  access(): Promise<Access>;
  /** Zuora has refused this token, so the next caller gets a new one. */
  drop(token: string): void;
}

export const TOKEN = '/oauth/token';
/** Zuora's own sample renews a token of an hour this long before its end. */
const RENEW_BEFORE_MS = 300_000;

const tokenAnswer = z.object({
  // A header can hold nothing else.
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  // A number in Zuora's reference, and a string in practice.
  expires_in: z.coerce.number().positive(),
});

export function tokenSource(
  transport: Transport,
  baseUrl: URL,
  credentials: CredentialSource,
  deadlineMs: number,
): TokenSource {
  const cache = new LRUCache<'access', Access>({
    max: 1,
    // The lifetime goes by the wall clock, which is read each time.
    perf: Date,
    ttlResolution: 0,
    async fetchMethod(_key, _stale, { options }) {
      const { renewAfterMs, ...access } = await fetchToken(transport, baseUrl, credentials, deadlineMs);
      options.ttl = renewAfterMs;
      return access;
    },
  });
  return {
    access: () => cache.forceFetch('access'),
    drop(token) {
      if (cache.peek('access')?.token === token) cache.delete('access');
    },
  };
}

async function fetchToken(
  transport: Transport,
  baseUrl: URL,
  credentials: CredentialSource,
  deadlineMs: number,
): Promise<Access & { readonly renewAfterMs: number }> {
  const { clientId, clientSecret } = await credentials();
  const startedAt = Date.now();
  const answer = await transport.call({
    endpoint: TOKEN,
    method: 'POST',
    url: new URL('oauth/token', baseUrl),
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: 'client_credentials',
    }).toString(),
    deadlineMs,
  });
  if (answer.kind === 'reply' && answer.status === 200) {
    const parsed = tokenAnswer.safeParse(jsonIn(answer.body));
    if (parsed.success) {
      const lifetimeMs = parsed.data.expires_in * 1000;
      // A short-lived token serves for half its life, instead of one call.
      const usableMs = Math.max(lifetimeMs - RENEW_BEFORE_MS, lifetimeMs / 2);
      // The life may have begun when the request left. For the cache, 0 means forever.
      const renewAfterMs = Math.max(1, startedAt + usableMs - Date.now());
      return { token: parsed.data.access_token, clientSecret, renewAfterMs };
    }
    // The body is not quoted: it may hold a token.
    throw new NeverLeft('no token: Zuora answered the token request with an unexpected body', 'TOKEN_UNREADABLE');
  }
  const { reasons, retryAfterMs } = outcomeOf(withoutSecrets(answer, [clientSecret]), Date.now());
  const words = reasons.map(({ code, message }) => `${code} ${message}`).join('; ');
  const refused = answer.kind !== 'silence' && answer.status >= 400 && answer.status < 500 && answer.status !== 429;
  throw refused
    ? new NeverLeft(`no token: Zuora does not take the client id or secret (${words})`, 'TOKEN_REFUSED', retryAfterMs)
    : new NeverLeft(`no token: ${words}`, 'TOKEN_UNAVAILABLE', retryAfterMs);
}
