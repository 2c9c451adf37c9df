import type { Answer } from './outcome.js';
import { NeverLeft, type Transport } from './transport.js';

/** One call to Zuora, for those who count and time them. Nothing in it names a bill run or a customer. */
interface ObservedCall {
  /** The path of the operation, with the names of parameters in place of keys. */
  readonly endpoint: string;
  /** Zuora's HTTP status; `none` where no answer came, `neverLeft` where the call provably did not leave. */
  readonly status: string;
  readonly durationMs: number;
  /** `ratelimit-remaining`: calls left until Zuora's limit is reached. */
  readonly rateLimitRemaining?: number;
  /** `Concurrency-Limit-Remaining`, and which limit that is about. */
  readonly concurrencyRemaining?: { readonly type: string; readonly remaining: number };
}

export type OnCall = (call: ObservedCall) => void;

/** Tells of every call and changes none. */
export function observed(transport: Transport, onCall: OnCall): Transport {
  return {
    async call(call) {
      const began = performance.now();
      const tell = (status: string, limits: Partial<ObservedCall> = {}): void => {
        onCall({ endpoint: call.endpoint, status, durationMs: performance.now() - began, ...limits });
      };
      try {
        const answer = await transport.call(call);
        tell(answer.kind === 'silence' ? 'none' : String(answer.status), limitsIn(answer));
        return answer;
      } catch (error) {
        if (error instanceof NeverLeft) tell('neverLeft');
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
