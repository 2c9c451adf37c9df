/** A simulator of one's own, and the two ways to talk to it: as a client of Zuora, and through its control interface. */
import { Agent, request } from 'undici';
import { onTestFinished } from 'vitest';
import { SIMULATOR_CREDENTIALS, startSimulator, type SimulatorOptions } from '../../simulator/index.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed if it is JSON, else the text. */
  readonly body: unknown;
  readonly bytes: Buffer;
}

export interface Email {
  readonly billRunNumber: string;
  readonly documentNumber: string;
  readonly documentType: string;
  readonly idempotencyKey: string | null;
  readonly resend: boolean | null;
  readonly sentAt: string;
}

export interface ControlledBillRun {
  readonly id: string;
  readonly number: string;
  readonly status: string;
  readonly documents: readonly { readonly id: string; readonly number: string; readonly type: string }[];
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export type TenantUnderTest = Awaited<ReturnType<typeof openTenant>>;

/** Closed by itself when the test is over. */
export async function openTenant(options: SimulatorOptions = {}) {
  const simulator = await startSimulator(options);
  const dispatcher = new Agent();
  onTestFinished(async () => {
    await dispatcher.destroy();
    await simulator.close();
  });

  const send = async (method: string, path: string, { body, headers = {}, signal }: CallOptions = {}) => {
    const raw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const response = await request(`${simulator.url}${path}`, {
      dispatcher,
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: raw ? (body ?? null) : JSON.stringify(body),
      signal: signal ?? null,
    });
    const bytes = Buffer.from(await response.body.arrayBuffer());
    return { status: response.statusCode, headers: response.headers, body: parsed(bytes), bytes } satisfies Answer;
  };

  const newToken = async () => {
    const form = new URLSearchParams({
      client_id: options.clientId ?? SIMULATOR_CREDENTIALS.clientId,
      client_secret: options.clientSecret ?? SIMULATOR_CREDENTIALS.clientSecret,
      grant_type: 'client_credentials',
    });
    const answer = await send('POST', '/oauth/token', {
      body: form.toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    return (answer.body as { access_token: string }).access_token;
  };
  let token = await newToken();

  const call = (method: string, path: string, options: CallOptions = {}): Promise<Answer> =>
    send(method, path, {
      ...options,
      headers: { authorization: `Bearer ${token}`, 'zuora-version': '2025-08-12', ...options.headers },
    });

  const control = async <Result>(method: string, path: string, body?: unknown): Promise<Result> => {
    const answer = await send(method, `/simulator${path}`, { body });
    if (answer.status >= 400) throw new Error(`${method} /simulator${path}: ${answer.bytes.toString()}`);
    return answer.body as Result;
  };

  return {
    url: simulator.url,
    /** Without token or version. */
    send,
    call,
    newToken,
    control,
    email: (key: string, idempotencyKey: string, body: unknown = {}, options: CallOptions = {}) =>
      call('POST', `/v1/bill-runs/${key}/emails`, {
        ...options,
        body,
        headers: { 'idempotency-key': idempotencyKey, ...options.headers },
      }),
    addBillRun: (wanted: object = {}) => control<ControlledBillRun>('POST', '/bill-runs', wanted),
    addFault: (fault: object) =>
      control('POST', '/faults', { method: 'POST', path: '/v1/bill-runs/*/emails', ...fault }),
    set: (settings: object) => control('PATCH', '/settings', settings),
    /** With a new token after it: the old one may have died on the way. */
    advance: async (advanceMs: number) => {
      await control('POST', '/clock', { advanceMs });
      token = await newToken();
    },
    mailbox: (billRun?: string) =>
      control<Email[]>('GET', billRun === undefined ? '/mailbox' : `/mailbox?billRun=${billRun}`),
    requests: () => control<Record<string, unknown>[]>('GET', '/requests'),
    statusOf: async (key: string) =>
      ((await call('GET', `/object-query/billing-runs/${key}`)).body as { status?: string }).status,
  };
}

/** The codes of an answer in Zuora's error shape. */
export function codesOf(answer: Answer): unknown[] {
  const { reasons = [] } = answer.body as { reasons?: { code: unknown }[] };
  return reasons.map((reason) => reason.code);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return bytes.toString('utf8');
  }
}
