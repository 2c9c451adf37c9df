import type { Answer } from './outcome.js';
import { NeverLeft, type Transport } from './transport.js';

/** One call to Zuora, for metrics. It names neither a bill run nor a customer. */
interface ObservedCall {
  readonly method: string;
  /** The path of the operation, with the names of parameters in place of keys. */
  readonly endpoint: string;
  /** Zuora's HTTP status; `none` without an answer, `neverLeft` if the call provably did not leave. */
  readonly status: string;
  readonly durationMs: number;
  /** `ratelimit-remaining`: calls left until Zuora's limit is reached. */
  readonly rateLimitRemaining?: number;
  /** `Concurrency-Limit-Remaining`, and the type of that limit. */
  readonly concurrencyRemaining?: { readonly type: string; readonly remaining: number };
}

export type OnCall = (call: ObservedCall) => void;

/** Reports every call, and changes none. */
export function observed(transport: Transport, onCall: OnCall): Transport {
  return {
    async call(call) {
      const { method, endpoint } = call;
      const startedAt = performance.now();
      const report = (status: string, limits: Partial<ObservedCall> = {}): void => {
        onCall({ method, endpoint, status, durationMs: performance.now() - startedAt, ...limits });
      };
      try {
        const answer = await transport.call(call);
        report(answer.kind === 'silence' ? 'none' : String(answer.status), limitsIn(answer));
        return answer;
      } catch (error) {
        if (error instanceof NeverLeft) report('neverLeft');
        throw error;
      }
    },
    close: () => transport.close(),
  };
}

function limitsIn(answer: Answer): Partial<ObservedCall> {
  if (answer.kind === 'silence') return {};
  const rate = count(answer.headers['ratelimit-remaining']);
  const concurrency = count(answer.headers['concurrency-limit-remaining']);
  const type = answer.headers['concurrency-limit-type'];
  return {
    ...(rate === undefined ? {} : { rateLimitRemaining: rate }),
    ...(concurrency === undefined
      ? {}
      : { concurrencyRemaining: { type: typeof type === 'string' ? type : 'unknown', remaining: concurrency } }),
  };
}

function count(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,12}$/.test(header) ? Number(header) : undefined;
}
