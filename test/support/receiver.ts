/** Where people are notified: a web server that keeps the messages. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { WorkflowHandle } from '@temporalio/client';

/** Of the receiver's address; nothing may show it. */
export const TOKEN = 'T000-B000-secret-of-the-webhook';

export interface Message {
  readonly text: string;
  readonly workflowId: string;
  readonly state: string;
}

/** Keeps the messages, and answers by `answer`. */
export async function openReceiver() {
  const messages: Message[] = [];
  const receiver = {
    messages,
    answer: (response: ServerResponse): unknown => response.writeHead(200).end('ok'),
    url: '',
    of: ({ workflowId }: Pick<WorkflowHandle, 'workflowId'>): readonly Message[] =>
      messages.filter((message) => message.workflowId === workflowId),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      messages.push(JSON.parse(body) as Message);
      receiver.answer(response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/${TOKEN}`;
  return receiver;
}
