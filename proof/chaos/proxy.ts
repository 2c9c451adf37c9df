/** A TCP proxy that can cut, stall and slow its connections. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Link {
  /** `host:port` to use instead of the target's. */
  readonly address: string;
  /** Resets all connections and refuses new ones for this time. @returns the number of connections */
  cut(ms: number): number;
  /** Holds all packets back for this time; connections stay open and nothing is lost. */
  stall(ms: number): void;
  /** Delays every packet for this time. */
  slow(ms: number): void;
  /** Ends all disruptions. */
  heal(): void;
  close(): Promise<void>;
}

/** Delay of one packet on a slow link; a reply has several. */
const SLOW_PACKET_MS = 120;

/** @param target `host:port`; it may start later */
export async function openLink(target: string): Promise<Link> {
  const [host = '', port = ''] = target.split(':');
  const pairs = new Set<readonly [Socket, Socket]>();
  let refusesUntil = 0;
  let slowUntil = 0;
  let stall: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  const server = createServer((client) => {
    if (Date.now() < refusesUntil) {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host, port: Number(port), noDelay: true });
    client.setNoDelay();
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) {
      // An error on one side resets the other.
      socket.on('error', () => {
        for (const each of pair) each.resetAndDestroy();
      });
      socket.on('close', () => pairs.delete(pair));
    }
    void carry(client, upstream);
    void carry(upstream, client);
  });

  async function carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const packet of from) {
        if (Date.now() < slowUntil) await delay(SLOW_PACKET_MS);
        await stall?.over;
        if (to.destroyed) return;
        if (!to.write(packet as Buffer)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
      to.end();
    } catch {
      to.resetAndDestroy();
    }
  }

  function endStall(): void {
    stall?.end();
    stall = undefined;
  }

  function cut(): number {
    const { size } = pairs;
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
    pairs.clear();
    return size;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut(ms) {
      refusesUntil = Date.now() + ms;
      return cut();
    },
    stall(ms) {
      endStall();
      const { promise, resolve } = deferred();
      const timer = setTimeout(endStall, ms);
      stall = {
        over: promise,
        end: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    },
    slow(ms) {
      slowUntil = Date.now() + ms;
    },
    heal() {
      refusesUntil = slowUntil = 0;
      endStall();
    },
    async close() {
      endStall();
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
