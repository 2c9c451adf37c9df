import { Context } from '@temporalio/activity';

/** The heartbeat time-out of activities is 30 s: a lost worker is noticed then. Quick ones cost no heartbeat. */
const HEARTBEAT_MS = 10_000;

/** Heartbeats while the work takes. What the attempt before kept in its heartbeat stays there. */
export async function whileAlive<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const alive = setInterval(() => {
    context.heartbeat(context.info.heartbeatDetails);
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(alive);
  }
}
