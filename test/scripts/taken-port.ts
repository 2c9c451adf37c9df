import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { freePort } from '../../scripts/temporal-server.js';

/** A port on which somebody else listens until the test is over. */
export async function takenPort(): Promise<number> {
  const port = await freePort();
  const listener = createServer();
  await new Promise<void>((resolve) => {
    listener.listen(port, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    listener.close();
  });
  return port;
}
