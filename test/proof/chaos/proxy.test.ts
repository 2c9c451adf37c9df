import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openLink, type Link } from '../../../proof/chaos/proxy.js';
import { freePort } from '../../../scripts/temporal-server.js';

const LONG_MS = 600_000;

test('a link passes bytes both ways, in their order', async () => {
  const { socket, heard } = await connected(await link());
  const text = 'a'.repeat(500_000) + 'b'.repeat(500_000);
  socket.write(text);
  await vi.waitUntil(() => heard().length === text.length, 30_000);
  expect(heard()).toBe(text);
});

test('a cut resets connections, refuses new ones for a while, and lets them through when healed', async () => {
  const to = await link();
  const { socket, gone } = await connected(to);
  socket.write('hello');

  expect(to.cut(LONG_MS)).toBe(1);
  expect(await gone).toBe('ECONNRESET');
  const refused = await open(to);
  expect(await refused.gone).toBe('ECONNRESET');

  to.heal();
  const { socket: again, heard } = await connected(to);
  again.write('again');
  await vi.waitUntil(() => heard() === 'again', 30_000);
});

test('a stalled link loses nothing: what was held arrives when it is healed', async () => {
  const to = await link();
  const { socket, heard } = await connected(to);
  to.stall(LONG_MS);
  socket.write('held');
  // What another link passes meanwhile shows that there was time enough.
  const other = await connected(await link());
  other.socket.write('passed');
  await vi.waitUntil(() => other.heard() === 'passed', 30_000);
  expect(heard()).toBe('');

  to.heal();
  await vi.waitUntil(() => heard() === 'held', 30_000);
});

test('a slow link still passes everything, in its order', async () => {
  const to = await link();
  const { socket, heard } = await connected(to);
  to.slow(LONG_MS);
  for (const part of ['one ', 'two ', 'three']) socket.write(part);
  await vi.waitUntil(() => heard() === 'one two three', 30_000);
});

test('a link to something that is not there ends connections, and serves them once it is there', async () => {
  const port = await freePort();
  const to = await openLink(`127.0.0.1:${port}`);
  onTestFinished(() => to.close());
  expect(await (await open(to)).gone).toBe('ECONNRESET');

  await echo(port);
  const { socket, heard } = await connected(to);
  socket.write('there');
  await vi.waitUntil(() => heard() === 'there', 30_000);
});

async function link(): Promise<Link> {
  const to = await openLink(`127.0.0.1:${await echo()}`);
  onTestFinished(() => to.close());
  return to;
}

/** A server that says what it hears. */
async function echo(port = 0): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

interface Heard {
  readonly socket: Socket;
  readonly heard: () => string;
  /** The code of the error that ended it; `closed` without one. */
  readonly gone: Promise<string>;
}

async function open({ address }: Link): Promise<Heard> {
  const socket = connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
  onTestFinished(() => void socket.destroy());
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  let code = 'closed';
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? 'unknown'));
  const gone = new Promise<string>((resolve) => {
    socket.on('close', () => {
      resolve(code);
    });
  });
  await Promise.race([once(socket, 'connect').catch(() => undefined), gone]);
  return { socket, heard: () => heard, gone };
}

/** Connected all the way: the first byte has come back. */
async function connected(to: Link): Promise<Heard> {
  const opened = await open(to);
  opened.socket.write('.');
  await vi.waitUntil(() => opened.heard() === '.', 30_000);
  return { ...opened, heard: () => opened.heard().slice(1) };
}
