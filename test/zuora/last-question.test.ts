/** A call that asks before it leaves, on real connections. */
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTransport, type LastQuestion, type Transport } from '../../zuora/transport.js';

let server: ReturnType<typeof createServer>;
let transport: Transport;
let url: URL;
/** What each connection has received. */
let received: string[];
const sockets: Socket[] = [];

beforeEach(async () => {
  received = [];
  server = createServer((socket) => {
    sockets.push(socket);
    const index = received.push('') - 1;
    socket.on('data', (bytes) => {
      received[index] = `${received[index] ?? ''}${bytes.toString('latin1')}`;
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/emails`);
  transport = openTransport({ connections: 1 });
});
afterEach(async () => {
  await transport.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const call = (lastQuestion: LastQuestion) =>
  transport.call({ endpoint: '/e', method: 'POST', url, headers: {}, body: '{}', deadlineMs: 10_000, lastQuestion });

test('an answer that is no longer good when the connection is there writes no byte; the call asks again, and leaves once', async () => {
  const goods = [false, false, true];
  let questions = 0;
  const answer = await call(() => {
    const isGood = goods[questions++] ?? true;
    return Promise.resolve(() => isGood);
  });
  expect(answer).toMatchObject({ kind: 'reply', status: 200 });
  expect(questions).toBe(3);
  // The connection lives on through both.
  expect(received).toEqual([expect.stringMatching(/^POST \/v1\/emails /)]);
  expect(received[0]?.split('POST ')).toHaveLength(2);
});

test('the error of the question passes as it is, and nothing is written', async () => {
  const error = new Error('all jobs are on hold');
  await expect(call(() => Promise.reject(error))).rejects.toBe(error);
  expect(received).toEqual([]);
});

test('after the first byte nothing asks any more, and a lost answer is silence', async () => {
  let questions = 0;
  const isGood = (): boolean => {
    questions += 1;
    return questions === 1;
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.once('data', () => socket.destroy());
  });
  expect(await call(() => Promise.resolve(isGood))).toMatchObject({ kind: 'silence' });
  expect(questions).toBe(1);
});
