/** A Zuora of a few lines on loopback, for answers that no well-behaved server gives. It keeps what reached it. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { createZuora, type CallIds, type EmailAnswer, type Scope, type Zuora } from '../../zuora/client.js';
import type { ZuoraSettings } from '../../zuora/client.js';
import { followed } from '../../zuora/delivery-reads.js';
import { listed, type DocumentKind } from '../../zuora/documents.js';
import { NeverLeft } from '../../zuora/transport.js';

export const CREDENTIALS = { clientId: 'a-client-id', clientSecret: 's3cret' };
export const IDS: CallIds = { idempotencyKey: 'bill-run-email/8ad0/first/1', trackId: 'bre-first-1' };

export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The client's port: the same one means the same connection. */
  readonly port: number;
}

export type Respond = (response: ServerResponse, arrived: Arrived) => void;

export interface LoopbackZuora {
  readonly baseUrl: URL;
  /** Everything but requests for tokens, each kept when its body was there. */
  readonly calls: readonly Arrived[];
  readonly tokenRequests: readonly Arrived[];
  /** Waits until so many calls have arrived. */
  readonly arrived: (calls: number) => Promise<void>;
  /** No further connection is taken; those that are open stay. */
  readonly stopListening: () => void;
}

/** Closed by itself when the test is over. Tokens are `token-1`, `token-2` and so on, unless `token` says otherwise. */
export async function openLoopbackZuora({
  call = json(200, { success: true }),
  token,
}: {
  readonly call?: Respond;
  readonly token?: Respond;
} = {}): Promise<LoopbackZuora> {
  const calls: Arrived[] = [];
  const tokenRequests: Arrived[] = [];
  const waiting = new Set<() => void>();

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const arrived: Arrived = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
        port: request.socket.remotePort ?? 0,
      };
      if (arrived.path.endsWith('/oauth/token')) {
        tokenRequests.push(arrived);
        (token ?? json(200, { access_token: `token-${tokenRequests.length}`, expires_in: 3599 }))(response, arrived);
      } else {
        calls.push(arrived);
        call(response, arrived);
        for (const wake of waiting) wake();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });

  return {
    baseUrl: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    calls,
    tokenRequests,
    arrived: (wanted) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (calls.length < wanted) return;
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
        wake();
      }),
    stopListening: () => server.close(),
  };
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Respond {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
}

/** Anything at all, byte for byte; the connection stays open. */
export function bytes(...parts: readonly (string | Uint8Array)[]): Respond {
  return ({ socket }) => {
    for (const part of parts) socket?.write(part);
  };
}

/** Ends the connection with a RST. */
export const reset: Respond = ({ socket }) => {
  socket?.resetAndDestroy();
};

/** Never answers. */
export const stall: Respond = () => undefined;

/** One answer after the other; the last one also for all that follow. */
export function inTurn(...answers: readonly [Respond, ...Respond[]]): Respond {
  let turn = 0;
  return (response, arrived) => {
    answers[Math.min(turn++, answers.length - 1)]?.(response, arrived);
  };
}

/** The client under test, closed when the test is over. */
export function openZuora(baseUrl: URL, settings: Partial<ZuoraSettings> = {}): Zuora {
  const zuora = createZuora({ baseUrl, credentials: () => Promise.resolve(CREDENTIALS), ...settings });
  onTestFinished(() => {
    void zuora.close();
  });
  return zuora;
}

export function email(
  zuora: Zuora,
  { key = 'BR-00000001', resend = false, deadlineMs = 20_000, idempotencyKey, trackId, ...scope }: EmailOptions = {},
): Promise<EmailAnswer> {
  const ids = { idempotencyKey: idempotencyKey ?? IDS.idempotencyKey, trackId: trackId ?? IDS.trackId };
  return zuora.emailBillRunDocuments(key, { resend }, ids, { deadlineMs, ...scope });
}

type EmailOptions = Scope & Partial<CallIds> & { key?: string; resend?: boolean; deadlineMs?: number };

/** The failure of a call that never left. */
export async function neverLeft(call: Promise<unknown>): Promise<NeverLeft> {
  const failure = await call.then(
    (answer) => ({ answer }),
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(NeverLeft);
  return failure as NeverLeft;
}

export function listDocuments(zuora: Zuora, kind: DocumentKind, number: string) {
  const { path, page } = followed[kind];
  return listed(followed[kind], number, (query) => zuora.get(path, query, page, { what: 'documents' }), 100);
}
