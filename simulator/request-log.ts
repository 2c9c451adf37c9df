import type { SimulatorClock } from './clock.js';
import { decodedBody, header, type ApiRequest, type Cut } from './wire.js';

/** What a test may want to know of a request that reached the simulator. */
export interface LoggedRequest {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Parsed if it is JSON or a form, else as text; null if there was none. */
  readonly body: unknown;
  /** Number of the bill run in the path, or the key as given if there is no such bill run. */
  readonly billRun: string | null;
  readonly idempotencyKey: string | null;
  readonly trackId: string | null;
  /** The Zuora-Request-Id that was answered; of a reply from under a key, that of its first request. */
  readonly requestId: string | null;
  /** Null while the request is open, and when no reply went out. */
  readonly status: number | null;
  readonly cut: Cut | null;
  /** The reply came from under the Idempotency-Key. */
  readonly repeated: boolean;
  /** Ids of the faults that struck. */
  readonly faults: readonly number[];
  readonly answeredAt: string | null;
}

export type Ending = Pick<LoggedRequest, 'status' | 'cut' | 'requestId' | 'repeated' | 'faults'>;

/** Enough for the longest bench; the oldest give way, so that a simulator left running does not grow without end. */
const REQUESTS_KEPT = 50_000;

const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie']);

export class RequestLog {
  readonly #clock: SimulatorClock;
  readonly #entries = new Map<number, LoggedRequest>();
  #opened = 0;

  constructor(clock: SimulatorClock) {
    this.#clock = clock;
  }

  get all(): readonly LoggedRequest[] {
    return [...this.#entries.values()];
  }

  /** Returns what closes the entry. */
  open(request: ApiRequest, billRun: string | null): (ending: Ending) => void {
    const number = ++this.#opened;
    const entry: LoggedRequest = {
      at: this.#moment(),
      method: request.method,
      path: request.path,
      query: request.query.toString(),
      headers: withoutSecrets(request),
      body: readableBody(request),
      billRun,
      idempotencyKey: header(request, 'idempotency-key') ?? null,
      trackId: header(request, 'zuora-track-id') ?? null,
      requestId: null,
      status: null,
      cut: null,
      repeated: false,
      faults: [],
      answeredAt: null,
    };
    this.#entries.set(number, entry);
    this.#entries.delete(number - REQUESTS_KEPT);
    return (ending) => {
      if (this.#entries.has(number)) this.#entries.set(number, { ...entry, ...ending, answeredAt: this.#moment() });
    };
  }

  #moment(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

function withoutSecrets(request: ApiRequest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, SECRET_HEADERS.has(name) ? '[redacted]' : value]),
  );
}

function readableBody(request: ApiRequest): unknown {
  if (request.rawBody.length === 0) return null;
  let text: string;
  try {
    text = decodedBody(request).toString('utf8');
  } catch {
    return `[${request.rawBody.length} bytes that could not be decoded]`;
  }
  const contentType = header(request, 'content-type') ?? '';
  if (contentType.includes('form-urlencoded')) {
    const fields = Object.fromEntries(new URLSearchParams(text));
    return 'client_secret' in fields ? { ...fields, client_secret: '[redacted]' } : fields;
  }
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
