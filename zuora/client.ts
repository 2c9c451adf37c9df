import { billRunIn, type BillRun } from './bill-run.js';
import type { CredentialSource } from './credentials.js';
import { listings, namesOf, type BillingDocument, type DocumentKind, type DocumentList } from './documents.js';
import { invoicePageIn, maybeSince, type InvoiceCount } from './invoices.js';
import { jsonIn } from './json.js';
import { outcomeOf, withoutSecrets, type Answer, type Headers, type Outcome } from './outcome.js';
import { tokenSource } from './token.js';
import { observed, type OnCall } from './observed.js';
import { paced } from './pace.js';
import { NeverLeft, openTransport } from './transport.js';
import { keepable } from './words.js';

export interface ZuoraSettings {
  /** As checked by {@link zuoraBaseUrl}. */
  readonly baseUrl: URL;
  readonly credentials: CredentialSource;
  /** `Zuora-Version`: the default makes errors carry real HTTP statuses; without one Zuora answers many as 200. */
  readonly version?: string;
  /** Connections to Zuora at once. Zuora's default limit is 40 calls for bill runs and 80 for Object Query. */
  readonly connections?: number;
  /** Sends request bodies compressed. */
  readonly gzipRequests?: boolean;
  /** How long a read, or a token, may take; an email call brings a deadline of its own. */
  readonly readDeadlineMs?: number;
  /** Hears of every call, tokens included. */
  readonly onCall?: OnCall;
}

/** Which entity or orgs a call is about: only where the tenant has Multi-entity or Multi-Org. */
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

/** One call to email the documents: what Zuora answered, and who it says answered whom. */
export interface EmailAnswer extends Outcome {
  /** Absent where no status came back. */
  readonly httpStatus?: number;
  /** `Zuora-Request-Id`: Zuora's own name for the call. */
  readonly zuoraRequestId?: string;
  /** `Zuora-Track-Id` as echoed: another than the one sent marks the stored answer to an earlier call. */
  readonly echoedTrackId?: string;
}

export interface Zuora {
  /**
   * Gets a token, unless one is at hand.
   *
   * @throws {@link NeverLeft}
   */
  authenticate(): Promise<void>;
  /**
   * Reads the ID of one bill run, of whichever there are: a proof that reading is allowed.
   *
   * @throws {@link ZuoraFailure}, {@link NeverLeft}
   */
  probe(scope?: Scope): Promise<Probe>;
  /**
   * Reads a bill run by ID or number.
   *
   * @throws {@link ZuoraFailure} for anything but a bill run
   * @throws {@link NeverLeft} when there is no connection or no token, or when the key names nothing
   */
  getBillRun(key: string, scope?: Scope): Promise<BillRun>;
  /**
   * Counts the invoices of a bill run that show an email since then (epoch, ms); of a large one, the first 1,980.
   *
   * @param number the bill run's number, for invoices do not know its ID as their source
   * @throws {@link ZuoraFailure}, {@link NeverLeft}
   */
  countEmailedInvoices(number: string, since: number, scope?: Scope): Promise<InvoiceCount>;
  /**
   * Lists the billing documents of a bill run, of one kind: at most 9,900 invoices or 4,000 credit memos.
   *
   * @param number the bill run's number, for documents do not know its ID as their source
   * @throws {@link ZuoraFailure}, {@link NeverLeft}
   */
  listDocuments(kind: DocumentKind, number: string, scope?: Scope): Promise<DocumentList>;
  /**
   * Asks Zuora to email the documents of a bill run: one HTTP call at most, never repeated here.
   *
   * @param deadlineMs bounds the call, less what the token before it took
   * @throws {@link NeverLeft} when the request never left: no connection, no token, no time, or a key or an ID that
   *   Zuora does not take
   */
  emailBillRunDocuments(
    key: string,
    body: { readonly resend: boolean },
    ids: CallIds,
    options: Scope & { readonly deadlineMs: number },
  ): Promise<EmailAnswer>;
  close(): Promise<void>;
}

interface Probe {
  /** Zuora's clock as it answered (epoch, ms, of a whole second); absent where Zuora does not say. */
  readonly clock?: number;
}

/** A read that did not give a bill run. */
export class ZuoraFailure extends Error {
  override readonly name = 'ZuoraFailure';
  /** `notFound` and `refused` stay as they are until somebody mends the cause; `unavailable` may pass by itself. */
  readonly kind: 'notFound' | 'unauthorized' | 'refused' | 'unavailable';
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ZuoraFailure['kind'], message: string, httpStatus?: number, retryAfterMs?: number) {
    super(message);
    this.kind = kind;
    this.httpStatus = httpStatus;
    this.retryAfterMs = retryAfterMs;
  }
}

const BILL_RUNS = '/object-query/billing-runs';
const DEFAULT_VERSION = '2025-08-12';
const READ_DEADLINE_MS = 30_000;
/** The most that Zuora gives at once, and how many of them are read to count invoices. */
const LARGEST_PAGE = 99;
const MOST_PAGES = 20;
/** How many pages of documents are listed: minutes, for somebody who waits. */
const MOST_LISTED_PAGES = 100;

export function createZuora({
  baseUrl,
  credentials,
  version = DEFAULT_VERSION,
  connections = 16,
  gzipRequests = false,
  readDeadlineMs = READ_DEADLINE_MS,
  onCall = () => undefined,
}: ZuoraSettings): Zuora {
  const transport = paced(observed(openTransport({ connections }), onCall));
  const tokens = tokenSource(transport, baseUrl, credentials, readDeadlineMs);

  async function authorized(
    scope: Scope,
    call: (headers: Record<string, string>) => Promise<Answer>,
  ): Promise<{ answer: Answer; outcome: Outcome }> {
    const { token, clientSecret } = await tokens.access();
    const received = await call({
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'zuora-version': version,
      ...(scope.entityId === undefined ? {} : { 'zuora-entity-ids': scope.entityId }),
      ...(scope.orgIds === undefined || scope.orgIds.length === 0 ? {} : { 'zuora-org-ids': scope.orgIds.join(',') }),
    });
    const answer = withoutSecrets(received, [token, clientSecret]);
    const outcome = outcomeOf(answer, Date.now());
    if (outcome.tokenRejected) tokens.drop(token);
    return { answer, outcome };
  }

  /** Reads something; a token may be withdrawn before it expires, and reading twice does no harm. */
  async function read<T>(
    what: string,
    endpoint: string,
    url: URL,
    scope: Scope,
    found: (body: string, headers: Headers) => T | undefined,
  ): Promise<T> {
    const once = async (): Promise<T> => {
      const { answer, outcome } = await authorized(scope, (headers) =>
        transport.call({ endpoint, method: 'GET', url, headers, deadlineMs: readDeadlineMs }),
      );
      const value = answer.kind === 'reply' && answer.status === 200 ? found(answer.body, answer.headers) : undefined;
      if (value === undefined) throw readFailure(what, answer, outcome);
      return value;
    };
    try {
      return await once();
    } catch (error) {
      if (error instanceof ZuoraFailure && error.kind === 'unauthorized') return once();
      throw error;
    }
  }

  return {
    async authenticate() {
      await tokens.access();
    },

    async probe(scope = {}) {
      const url = new URL('object-query/billing-runs', baseUrl);
      url.searchParams.append('fields[]', 'id');
      url.searchParams.set('pageSize', '1');
      return read('bill runs', BILL_RUNS, url, scope, probeIn);
    },

    getBillRun: async (key, scope = {}) =>
      read(
        `bill run ${key}`,
        `${BILL_RUNS}/{key}`,
        new URL(`object-query/billing-runs/${segment(key)}`, baseUrl),
        scope,
        billRunIn,
      ),

    async countEmailedInvoices(number, since, scope = {}) {
      const url = new URL('object-query/invoices', baseUrl);
      url.searchParams.append('filter[]', `sourceid.EQ:${number}`);
      url.searchParams.append('fields[]', 'id,lastemailsentdate');
      url.searchParams.set('pageSize', String(LARGEST_PAGE));
      const lastEmailed: (string | undefined)[] = [];
      for (let pages = 1; ; pages++) {
        const page = await read(`invoices of bill run ${number}`, '/object-query/invoices', url, scope, invoicePageIn);
        lastEmailed.push(...page.lastEmailed);
        if (page.cursor === undefined || pages === MOST_PAGES) {
          const emailed = lastEmailed.filter((time) => maybeSince(time, since)).length;
          return { invoices: lastEmailed.length, emailed, complete: page.cursor === undefined };
        }
        url.searchParams.set('cursor', page.cursor);
      }
    },

    async listDocuments(kind, number, scope = {}) {
      const { path, parameters, pageIn, turn } = listings[kind];
      const url = new URL(path, baseUrl);
      for (const [name, value] of parameters(number)) url.searchParams.append(name, value);
      const documents: BillingDocument[] = [];
      for (let pages = 1; ; pages++) {
        const page = await read(`${namesOf[kind]} of bill run ${number}`, `/${path}`, url, scope, pageIn);
        documents.push(...page.documents);
        if (page.next === undefined || pages === MOST_LISTED_PAGES) {
          return { documents, complete: page.next === undefined };
        }
        url.searchParams.set(...turn(pages + 1, page.next));
      }
    },

    async emailBillRunDocuments(key, { resend }, { idempotencyKey, trackId }, { deadlineMs, ...scope }) {
      const url = new URL(`v1/bill-runs/${segment(key)}/emails`, baseUrl);
      assertLegal({ idempotencyKey, trackId });
      const endsAt = performance.now() + deadlineMs;
      const { answer, outcome } = await authorized(scope, (headers) => {
        const leftMs = Math.floor(endsAt - performance.now());
        if (leftMs <= 0) throw new NeverLeft('the token took all the time there was', 'NO_TIME_LEFT');
        return transport.call({
          endpoint: '/v1/bill-runs/{billRunKey}/emails',
          method: 'POST',
          url,
          headers: {
            ...headers,
            'content-type': 'application/json',
            'idempotency-key': idempotencyKey,
            'zuora-track-id': trackId,
          },
          // Zuora wants a body even where it says nothing, and its schema wants a boolean, not a string.
          body: JSON.stringify({ resend }),
          gzip: gzipRequests,
          deadlineMs: leftMs,
        });
      });
      return { ...outcome, ...identified(answer) };
    },

    close: () => transport.close(),
  };
}

/** The key as one segment of a path: a URL takes dots, even encoded ones, and nothing at all for a way to elsewhere. */
function segment(key: string): string {
  if (/^\.{0,2}$/.test(key) || /\p{Surrogate}/u.test(key)) {
    throw new NeverLeft('the key is neither an ID nor a number of a bill run', 'ILLEGAL_BILL_RUN_KEY');
  }
  return encodeURIComponent(key);
}

/** As Zuora's page limits them: under a key that Zuora cuts off or ignores, a repeated call would be a second send. */
function assertLegal({ idempotencyKey, trackId }: CallIds): void {
  if (!/^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(idempotencyKey)) {
    throw new NeverLeft('the idempotency key is not 1 to 255 printable ASCII characters', 'ILLEGAL_IDEMPOTENCY_KEY');
  }
  if (!/^[\x21-\x7e]{1,64}$/.test(trackId) || /[:;"']/.test(trackId)) {
    throw new NeverLeft('the track id is not 1 to 64 ASCII characters without : ; " or \'', 'ILLEGAL_TRACK_ID');
  }
}

function identified(answer: Answer): Pick<EmailAnswer, 'httpStatus' | 'zuoraRequestId' | 'echoedTrackId'> {
  if (answer.kind === 'silence') return {};
  const zuoraRequestId = identifier(answer.headers['zuora-request-id']);
  const echoedTrackId = identifier(answer.headers['zuora-track-id']);
  return {
    httpStatus: answer.status,
    ...(zuoraRequestId === undefined ? {} : { zuoraRequestId }),
    ...(echoedTrackId === undefined ? {} : { echoedTrackId }),
  };
}

function identifier(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? keepable(header).slice(0, 100) : undefined;
}

function probeIn(body: string, { date }: Headers): Probe | undefined {
  const answer = jsonIn(body);
  if (typeof answer !== 'object' || answer === null || !('data' in answer) || !Array.isArray(answer.data))
    return undefined;
  const clock = typeof date === 'string' ? Date.parse(date) : NaN;
  return Number.isNaN(clock) ? {} : { clock };
}

function readFailure(
  what: string,
  answer: Answer,
  { verdict, reasons, tokenRejected, retryAfterMs }: Outcome,
): ZuoraFailure {
  const words = reasons.map(({ code, message }) => `${code} ${message}`).join('; ');
  if (answer.kind === 'silence') return new ZuoraFailure('unavailable', `Zuora did not answer: ${words}`);
  const status = answer.status;
  if (tokenRejected) return new ZuoraFailure('unauthorized', `Zuora does not take our token: ${words}`, status);
  // Versions before 2024-05-20 answer failures as HTTP 200, too: category 40 is "not found".
  const notFound = status === 404 || (verdict === 'refused' && reasons.some(({ code }) => /^\d{6}40$/.test(code)));
  if (notFound) return new ZuoraFailure('notFound', `Zuora has no ${what}: ${words}`, status);
  if (status === 200 && verdict === 'unknown') {
    return new ZuoraFailure('unavailable', `Zuora's answer is not what was asked for: ${words}`, status);
  }
  const refused = verdict === 'refused' || (status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status));
  return new ZuoraFailure(
    refused ? 'refused' : 'unavailable',
    `Zuora answered HTTP ${status}: ${words}`,
    status,
    retryAfterMs,
  );
}
