import pTimeout from 'p-timeout';

/** Rejects after the deadline; the call itself goes on. */
export async function within<T>(deadlineMs: number, ask: () => Promise<T>): Promise<T> {
  return pTimeout(ask(), { milliseconds: deadlineMs, message: `no answer within ${deadlineMs / 1000} s` });
}
