import { z } from 'zod';
import type { Credentials, CredentialSource } from './credentials.js';
import { jsonIn } from './json.js';
import { faultsOf } from './members.js';
import { outcomeOf } from './outcome.js';
import { NeverLeft, type Transport } from './transport.js';
import { maskOf } from './words.js';

/** A token, and the client secret that it was requested with. */
interface Access {
  readonly token: string;
  readonly clientSecret: string;
}

/** OAuth client credentials: one token for all callers, renewed before it expires. */
export interface TokenSource {
  /**
   * A token that is valid for a while. One request serves all concurrent callers. A refused token may come again: {@link drop}.
   *
   * @throws {@link NeverLeft} if there is no token, because nothing else can be sent without one
   */
  access(): Promise<Access>;
  /** Zuora has taken this token at this endpoint. */
  worked(token: string, endpoint: string): void;
  /** Zuora has refused this token, so the next caller gets a new one, unless the one before was refused as well. */
  drop(token: string, endpoint: string): void;
}

export const TOKEN = '/oauth/token';

interface Held extends Access {
  /** The client id and secret. */
  readonly credentials: string;
  /** By the wall clock, because the machine may sleep. */
  readonly renewAt: number;
  /** When it may be replaced though the one before was refused as well, by `performance.now()`. */
  readonly replaceAt: number;
  hasWorked: boolean;
  /** `again`: new tokens do not help for now. */
  refused: 'no' | 'withdrawn' | 'again';
}

/** Zuora's own sample renews a token of an hour this long before its end. */
const RENEW_BEFORE_MS = 300_000;
/** A refused client id and secret is not tried again so long: many logins that fail may lock the client out. */
const REMEMBERED_MS = 30_000;
/** Where Zuora gives tokens and refuses them, it is asked for one this often: 15 times in ten minutes. */
const REPLACED_EVERY_MS = 40_000;

/** Of a token that does not say how long it lives. One that dies earlier is replaced when Zuora refuses it. */
const DEFAULT_LIFE_S = 300;

const tokenAnswer = z.object({
  // A header can hold nothing else.
  access_token: z.string().regex(/^[\x21-\x7e]+$/, 'does not fit into a header'),
  // In seconds: a number in Zuora's reference, and a string in practice.
  expires_in: z.coerce.number().positive().catch(DEFAULT_LIFE_S),
});

export function tokenSource(
  transport: Transport,
  baseUrl: URL,
  source: CredentialSource,
  deadlineMs: number,
): TokenSource {
  let refused: { readonly credentials: string; readonly until: number; readonly error: NeverLeft } | undefined;
  /** Endpoints that refused the last token they were given. */
  const refusing = new Set<string>();
  let held: Held | undefined;
  let pending: Promise<Access> | undefined;

  async function renew(): Promise<Access> {
    const { clientId, clientSecret } = await source();
    const credentials = JSON.stringify([clientId, clientSecret]);
    if (refused?.credentials === credentials && performance.now() < refused.until) throw refused.error;
    const last = held?.credentials === credentials ? held : undefined;
    if (last?.refused === 'again' && performance.now() < last.replaceAt) return last;
    try {
      const fetched = await fetchToken(transport, baseUrl, { clientId, clientSecret }, deadlineMs);
      const replaceAt = performance.now() + REPLACED_EVERY_MS;
      held = { ...fetched, clientSecret, credentials, replaceAt, hasWorked: false, refused: 'no' };
      return held;
    } catch (error) {
      if (error instanceof NeverLeft && error.code === 'TOKEN_REFUSED') {
        refused = { credentials, until: performance.now() + REMEMBERED_MS, error };
      }
      throw error;
    }
  }

  return {
    async access() {
      if (held?.refused === 'no' && Date.now() < held.renewAt) return held;
      pending ??= renew().finally(() => (pending = undefined));
      return pending;
    },
    worked(token, endpoint) {
      if (held?.token !== token) return;
      held.hasWorked = true;
      refusing.delete(endpoint);
    },
    drop(token, endpoint) {
      // A late answer to a call with an older token says nothing.
      if (held?.token !== token) return;
      const isSecond = refusing.has(endpoint) || (refusing.size > 0 && !held.hasWorked);
      if (!isSecond) held.refused = 'withdrawn';
      else if (held.refused === 'no') held.refused = 'again';
      refusing.add(endpoint);
    },
  };
}

async function fetchToken(
  transport: Transport,
  baseUrl: URL,
  { clientId, clientSecret }: Credentials,
  deadlineMs: number,
): Promise<Pick<Held, 'token' | 'renewAt'>> {
  const path = baseUrl.pathname === '/' ? '' : `; is the path ${baseUrl.pathname} of ZUORA_BASE_URL right?`;
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
      // The life may have begun when the request left.
      return { token: parsed.data.access_token, renewAt: startedAt + usableMs };
    }
    // The body is not quoted: it may hold a token.
    const faults = faultsOf(parsed.error) || 'no JSON object';
    throw new NeverLeft(
      `no token: Zuora answered the token request with an unexpected body (${faults})${path}`,
      'TOKEN_UNREADABLE',
    );
  }
  const { reasons, retryAfterMs } = outcomeOf(answer, Date.now(), maskOf([clientSecret]));
  const words = reasons.map(({ code, message }) => `${code} ${message}`).join('; ');
  const refused =
    answer.kind !== 'silence' &&
    answer.status >= 400 &&
    answer.status < 500 &&
    ![408, 425, 429].includes(answer.status);
  throw refused
    ? new NeverLeft(
        `no token: Zuora does not take the client id or secret (${words})${path}`,
        'TOKEN_REFUSED',
        retryAfterMs,
      )
    : new NeverLeft(`no token: ${words}`, 'TOKEN_UNAVAILABLE', retryAfterMs);
}
