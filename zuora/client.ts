import { z } from 'zod';
import { billRun, type BillRun } from './bill-run.js';
import type { CredentialSource } from './credentials.js';
import type { Query } from './documents.js';
import { jsonIn } from './json.js';
import { faultsOf } from './members.js';
import { emailNotifications, POSTED_EVENTS } from './notifications.js';
import { outcomeOf, type Answer, type Outcome } from './outcome.js';
import { tokenSource } from './token.js';
import { observed, type OnCall } from './observed.js';
import { paced } from './pace.js';
import { NeverLeft, openTransport, type LastQuestion } from './transport.js';
import { keepable, maskOf, type Mask } from './words.js';

export interface ZuoraSettings {
  /** As checked by {@link zuoraBaseUrl}. */
  readonly baseUrl: URL;
  readonly credentials: CredentialSource;
  /** Concurrent connections. Zuora's default limit is 40 calls for bill runs and 80 for Object Query. */
  readonly connections?: number;
  /** For a read or a token, in milliseconds; an email call has its own deadline. */
  readonly readDeadlineMs?: number;
  /** Called for every call, token requests included. */
  readonly onCall?: OnCall;
}

/** The entity or orgs of a call; only if the tenant has Multi-entity or Multi-Org. */
export interface Scope {
  readonly entityId?: string | undefined;
  readonly orgIds?: readonly string[] | undefined;
}

export interface CallIds {
  /** 1 to 255 printable ASCII characters. Zuora keeps the first answer to a key for 24 hours and repeats it. */
  readonly idempotencyKey: string;
  /** At most 64 ASCII characters, without `: ; " '`. */
  readonly trackId: string;
}

/** Zuora's answer to one call to email the documents. */
export interface EmailAnswer extends Outcome {
  /** Absent without an answer. */
  readonly httpStatus?: number;
  /** `Zuora-Request-Id`: Zuora's own id of the call. */
  readonly zuoraRequestId?: string;
  /** `Zuora-Track-Id` as echoed. If it differs from the one sent, this is the stored answer to an earlier call. */
  readonly echoedTrackId?: string;
}

export interface Zuora {
  /**
   * Gets a token, unless there is a valid one.
   *
   * @throws {@link NeverLeft}
   */
  authenticate(): Promise<void>;
  /**
   * Reads the ID of any one bill run, to prove that reading is allowed.
   *
   * @throws {@link ZuoraFailure}, {@link NeverLeft}
   */
  probe(scope?: Scope): Promise<void>;
  /**
   * Reads a bill run by ID or number.
   *
   * @throws {@link ZuoraFailure} for anything but a bill run
   * @throws {@link NeverLeft} if there is no connection or no token, or the key is not valid
   */
  getBillRun(key: string, scope?: Scope): Promise<BillRun>;
  /**
   * Reads the names of the notifications by which Zuora itself emails documents when they are posted.
   *
   * @throws {@link ZuoraFailure}, {@link NeverLeft}
   */
  postedNotifications(scope?: Scope): Promise<readonly string[]>;
  /**
   * Asks Zuora to email the documents of a bill run: one HTTP call at most, never repeated here.
   *
   * @param deadlineMs for the call and the token before it
   * @param leaveWithinMs how long the call may wait for its turn
   * @param lastQuestion asked once the call could leave; its error passes unchanged
   * @throws {@link NeverLeft} if the request never left: no connection, no token, no time, or an invalid key or ID
   */
  emailBillRunDocuments(
    key: string,
    body: { readonly resend: boolean },
    ids: CallIds,
    options: Scope & {
      readonly deadlineMs: number;
      readonly leaveWithinMs?: number;
      readonly lastQuestion?: LastQuestion;
    },
  ): Promise<EmailAnswer>;
  /**
   * Reads one page by GET, in the same way as all other reads.
   *
   * @param path relative to the base URL, without keys
   * @param turn awaited before each HTTP call; there are two if Zuora withdraws a token. Its error passes unchanged
   * @throws {@link ZuoraFailure}, {@link NeverLeft}
   */
  get<T>(
    path: string,
    query: Query,
    schema: z.ZodType<T>,
    options: { readonly what: string; readonly scope?: Scope; readonly turn?: () => Promise<void> },
  ): Promise<T>;
  close(): Promise<void>;
}

/** A read that failed. */
export class ZuoraFailure extends Error {
  override readonly name = 'ZuoraFailure';
  /** `notFound`, `unauthorized` and `refused` need a person who fixes the cause; `unavailable` may end by itself. */
  readonly kind: 'notFound' | 'unauthorized' | 'refused' | 'unavailable';
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** A permission is missing. */
  readonly isForbidden: boolean;

  constructor(
    kind: ZuoraFailure['kind'],
    message: string,
    httpStatus?: number,
    retryAfterMs?: number,
    isForbidden = false,
  ) {
    super(message);
    this.kind = kind;
    this.httpStatus = httpStatus;
    this.retryAfterMs = retryAfterMs;
    this.isForbidden = isForbidden;
  }
}

export const BILL_RUNS = '/object-query/billing-runs';
const pageOfAny = z.object({ data: z.array(z.unknown()) });
const EMAILS = '/v1/bill-runs/{billRunKey}/emails';
const DEFINITIONS = '/notifications/notification-definitions';
/** A look at a bill run waits for this read, which it can do without. */
const DEFINITIONS_DEADLINE_MS = 10_000;
/** `Zuora-Version`. From this one on, errors have real HTTP statuses; the verdicts on answers were made for it. */
const VERSION = '2025-08-12';
const READ_DEADLINE_MS = 30_000;

export function createZuora({
  baseUrl,
  credentials,
  connections = 16,
  readDeadlineMs = READ_DEADLINE_MS,
  onCall = () => undefined,
}: ZuoraSettings): Zuora {
  const reads = openTransport({ connections });
  // Reads never take the connection of a send.
  const sends = openTransport({ connections });
  const transport = paced(
    observed(
      {
        call: (call) => (call.lastQuestion === undefined ? reads : sends).call(call),
        close: async () => {
          await Promise.all([reads.close(), sends.close()]);
        },
      },
      onCall,
    ),
  );
  const tokens = tokenSource(transport, baseUrl, credentials, readDeadlineMs);

  async function authorized(
    endpoint: string,
    scope: Scope,
    call: (headers: Record<string, string>) => Promise<Answer>,
  ): Promise<{ answer: Answer; outcome: Outcome; token: string; mask: Mask }> {
    const { token, clientSecret } = await tokens.access();
    const answer = await call({
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'zuora-version': VERSION,
      ...(scope.entityId === undefined ? {} : { 'zuora-entity-ids': scope.entityId }),
      ...(scope.orgIds === undefined || scope.orgIds.length === 0 ? {} : { 'zuora-org-ids': scope.orgIds.join(',') }),
    });
    const mask = maskOf([token, clientSecret]);
    const outcome = outcomeOf(answer, Date.now(), mask);
    if (outcome.tokenRejected) tokens.drop(token, endpoint);
    else if (answer.kind === 'reply' && answer.status >= 200 && answer.status < 300) tokens.worked(token, endpoint);
    return { answer, outcome, token, mask };
  }

  /** Reads again with a new token: one may be withdrawn before it expires, and reading twice does no harm. */
  async function read<T>(
    what: string,
    endpoint: string,
    url: URL,
    scope: Scope,
    schema: z.ZodType<T>,
    deadlineMs = readDeadlineMs,
    turn: () => Promise<void> = () => Promise.resolve(),
  ): Promise<T> {
    const once = async () => {
      await turn();
      return authorized(endpoint, scope, (headers) =>
        transport.call({ endpoint, method: 'GET', url, headers, deadlineMs }),
      );
    };
    let received = await once();
    // A new one may work. The same one again would not.
    if (received.outcome.tokenRejected && (await tokens.access()).token !== received.token) received = await once();
    const { answer, outcome, mask } = received;
    const isWhole = answer.kind === 'reply' && answer.status === 200;
    const found = isWhole ? schema.safeParse(jsonIn(answer.body, mask)) : undefined;
    if (found?.success === true) return found.data;
    throw readFailure(what, answer, outcome, found === undefined ? '' : faultsOf(found.error));
  }

  function urlOf(path: string, query: Query): URL {
    const url = new URL(path, baseUrl);
    for (const [name, value] of query) url.searchParams.append(name, value);
    return url;
  }

  return {
    async authenticate() {
      await tokens.access();
    },

    async probe(scope = {}) {
      const url = new URL('object-query/billing-runs', baseUrl);
      url.searchParams.append('fields[]', 'id');
      url.searchParams.set('pageSize', '1');
      await read('bill runs', BILL_RUNS, url, scope, pageOfAny);
    },

    getBillRun: async (key, scope = {}) =>
      read(
        `bill run ${key}`,
        `${BILL_RUNS}/{key}`,
        new URL(`object-query/billing-runs/${segment(key)}`, baseUrl),
        scope,
        billRun,
      ),

    async postedNotifications(scope = {}) {
      const names = await Promise.all(
        Object.values(POSTED_EVENTS).map((code) => {
          const url = new URL('notifications/notification-definitions', baseUrl);
          url.searchParams.set('eventCategory', code);
          // The largest page. More of one event are not to be expected.
          url.searchParams.set('limit', '100');
          const deadlineMs = Math.min(readDeadlineMs, DEFINITIONS_DEADLINE_MS);
          return read('notification definitions', DEFINITIONS, url, scope, emailNotifications, deadlineMs);
        }),
      );
      return [...new Set(names.flat())];
    },

    get: (path, query, schema, { what, scope = {}, turn }) =>
      read(what, `/${path}`, urlOf(path, query), scope, schema, readDeadlineMs, turn),

    async emailBillRunDocuments(key, { resend }, { idempotencyKey, trackId }, options) {
      const { deadlineMs, leaveWithinMs, lastQuestion, ...scope } = options;
      const url = new URL(`v1/bill-runs/${segment(key)}/emails`, baseUrl);
      assertLegal({ idempotencyKey, trackId });
      const endsAt = performance.now() + deadlineMs;
      const { answer, outcome, mask } = await authorized(EMAILS, scope, (headers) => {
        const leftMs = Math.floor(endsAt - performance.now());
        if (leftMs <= 0) throw new NeverLeft('the token took all the time', 'NO_TIME_LEFT');
        return transport.call({
          endpoint: EMAILS,
          method: 'POST',
          url,
          headers: {
            ...headers,
            'content-type': 'application/json',
            'idempotency-key': idempotencyKey,
            'zuora-track-id': trackId,
          },
          // Zuora's schema requires the body, and a boolean rather than a string.
          body: JSON.stringify({ resend }),
          deadlineMs: leftMs,
          ...(leaveWithinMs === undefined ? {} : { leaveWithinMs }),
          ...(lastQuestion === undefined ? {} : { lastQuestion }),
        });
      });
      return { ...outcome, ...identified(answer, mask) };
    },

    close: () => transport.close(),
  };
}

/** The key as one segment of a path. An empty segment or dots, even encoded ones, would lead to another path. */
function segment(key: string): string {
  if (/^\.{0,2}$/.test(key) || /\p{Surrogate}/u.test(key)) {
    throw new NeverLeft('the key is neither an ID nor a number of a bill run', 'ILLEGAL_BILL_RUN_KEY');
  }
  return encodeURIComponent(key);
}

/** The limits of Zuora's documentation. If Zuora cut off or ignored a key, a repeated call would be a second send. */
function assertLegal({ idempotencyKey, trackId }: CallIds): void {
  if (!/^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(idempotencyKey)) {
    throw new NeverLeft('the idempotency key is not 1 to 255 printable ASCII characters', 'ILLEGAL_IDEMPOTENCY_KEY');
  }
  if (!/^[\x21-\x7e]{1,64}$/.test(trackId) || /[:;"']/.test(trackId)) {
    throw new NeverLeft('the track id is not 1 to 64 ASCII characters without : ; " or \'', 'ILLEGAL_TRACK_ID');
  }
}

function identified(answer: Answer, mask: Mask): Pick<EmailAnswer, 'httpStatus' | 'zuoraRequestId' | 'echoedTrackId'> {
  if (answer.kind === 'silence') return {};
  const identifier = (header: string | readonly string[] | undefined): string | undefined =>
    typeof header === 'string' && header !== '' ? keepable(mask(header)).slice(0, 100) : undefined;
  const zuoraRequestId = identifier(answer.headers['zuora-request-id']);
  const echoedTrackId = identifier(answer.headers['zuora-track-id']);
  return {
    httpStatus: answer.status,
    ...(zuoraRequestId === undefined ? {} : { zuoraRequestId }),
    ...(echoedTrackId === undefined ? {} : { echoedTrackId }),
  };
}

function readFailure(
  what: string,
  answer: Answer,
  { verdict, reasons, tokenRejected, retryAfterMs }: Outcome,
  faults: string,
): ZuoraFailure {
  // Zuora ends its messages with a full stop; ours go on after it.
  const words = reasons.map(({ code, message }) => `${code} ${message.replace(/\.$/, '')}`).join('; ');
  if (answer.kind === 'silence') return new ZuoraFailure('unavailable', `Zuora did not answer: ${words}`);
  const status = answer.status;
  if (tokenRejected) return new ZuoraFailure('unauthorized', `Zuora refuses our token: ${words}`, status);
  // Zuora answers some failures as HTTP 200; category 40 is "not found".
  const notFound = status === 404 || (verdict === 'refused' && reasons.some(({ code }) => /^\d{6}40$/.test(code)));
  if (notFound) return new ZuoraFailure('notFound', `Zuora has no ${what}: ${words}`, status);
  if (status === 200 && (verdict === 'unknown' || verdict === 'accepted')) {
    return new ZuoraFailure('unavailable', `Zuora's answer has an unexpected body: ${faults || words}`, status);
  }
  const isForbidden =
    status === 403 || (verdict === 'refused' && reasons.some(({ code }) => /^(\d{6})?10$/.test(code)));
  const refused = verdict === 'refused' || (status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status));
  return new ZuoraFailure(
    refused ? 'refused' : 'unavailable',
    `Zuora answered HTTP ${status}: ${words}`,
    status,
    retryAfterMs,
    isForbidden,
  );
}
