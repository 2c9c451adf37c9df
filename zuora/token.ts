import { z } from 'zod';
import type { CredentialSource } from './credentials.js';
import { jsonIn } from './json.js';
import { outcomeOf, withoutSecrets } from './outcome.js';
import { NeverLeft, type Transport } from './transport.js';

/** A token, and the secret it was got with. */
interface Access {
  readonly token: string;
  readonly clientSecret: string;
}

/** OAuth client credentials: one token for everybody, renewed shortly before it expires. */
export interface TokenSource {
  /**
   * A token that is good for a while. However many callers wait, one request fetches it.
   *
   * @throws {@link NeverLeft} when there is none to be had: without a token nothing else can be sent.
   */
  access(): Promise<Access>;
  /** Zuora did not take this token: the next caller gets a new one. */
  drop(token: string): void;
}

/** Zuora's own sample renews this long before the end: 300 s, of a life of an hour. */
const RENEW_BEFORE_MS = 300_000;

const tokenAnswer = z.object({
  // Anything else could not be sent back in a header.
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  // A number in the reference, a string in the wild.
  expires_in: z.coerce.number().positive(),
});

interface Held extends Access {
  readonly renewAt: number;
}

export function tokenSource(
  transport: Transport,
  baseUrl: URL,
  credentials: CredentialSource,
  deadlineMs: number,
): TokenSource {
  let held: Held | undefined;
  let pending: Promise<Held> | undefined;

  return {
    async access() {
      if (held !== undefined && Date.now() < held.renewAt) return held;
      pending ??= fetchToken(transport, baseUrl, credentials, deadlineMs)
        .then((fetched) => (held = fetched))
        .finally(() => (pending = undefined));
      return pending;
    },
    drop(token) {
      if (held?.token === token) held = undefined;
    },
  };
}

async function fetchToken(
  transport: Transport,
  baseUrl: URL,
  credentials: CredentialSource,
  deadlineMs: number,
): Promise<Held> {
  const { clientId, clientSecret } = await credentials();
  const startedAt = Date.now();
  const answer = await transport.call({
    endpoint: '/oauth/token',
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
      // A short-lived token is still used for half its life instead of being fetched for every call.
      const renewAt = startedAt + Math.max(lifetimeMs - RENEW_BEFORE_MS, lifetimeMs / 2);
      return { token: parsed.data.access_token, clientSecret, renewAt };
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
