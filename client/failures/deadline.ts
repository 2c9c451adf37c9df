/** Rejects when the time is over; what was asked for goes on. */
export async function within<T>(deadlineMs: number, ask: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${deadlineMs / 1000} s`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([ask(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
