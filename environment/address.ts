import { isIP } from 'node:net';
import { z } from 'zod';

/** Where a server listens. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** An environment variable such as `127.0.0.1:9464`, or `[::]:9464` for all addresses of IPv4 and IPv6. */
export const socketAddress = z
  .string()
  .transform((text) => {
    const [, ipv6, other = '', port = ''] = /^(?:\[(.*)\]|(.*)):(\d{1,5})$/.exec(text) ?? [];
    const host = ipv6 ?? other;
    return isIP(host) === (ipv6 === undefined ? 4 : 6) && Number(port) < 65_536 ? { host, port: Number(port) } : null;
  })
  .pipe(
    z.object(
      { host: z.string(), port: z.number() },
      { error: 'is not an IP address with a port, such as [::]:9464 or 127.0.0.1:9464' },
    ),
  );

/** `host:port`, with IPv6 in brackets. */
export function hostAndPort({ host, port }: SocketAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function urlOf(address: SocketAddress): string {
  return `http://${hostAndPort(address)}`;
}
