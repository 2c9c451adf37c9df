/** Addresses in environment variables, and the servers that listen on them. */
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { request } from 'undici';
import { startCalloutServer } from '../../callouts/server.js';
import { hostAndPort, socketAddress, urlOf } from '../../environment/address.js';
import { hasIpv6 } from '../support/ipv6.js';

test.for([
  ['0.0.0.0:9464', '0.0.0.0', 9464],
  ['127.0.0.1:0', '127.0.0.1', 0],
  ['[::]:8080', '::', 8080],
  ['[::1]:65535', '::1', 65_535],
  ['[0:0:0:0:0:0:0:0]:9464', '0:0:0:0:0:0:0:0', 9464],
  ['[::ffff:10.0.0.7]:8090', '::ffff:10.0.0.7', 8090],
  ['[fd00:10:244::7]:8090', 'fd00:10:244::7', 8090],
] as const)('%s is an address, and is written in the same way', ([text, host, port]) => {
  const address = socketAddress.parse(text);
  expect(address).toEqual({ host, port });
  expect(hostAndPort(address)).toBe(text);
  expect(new URL(urlOf(address)).port).toBe(String(port));
});

test.for([
  ...['', '9464', ':9464', '[::]', '::', ':::9464', '::1:9464', '[]:9464', '[0.0.0.0]:1', '[::]9464', '[[::]]:9464'],
  ...['localhost:9464', '*:9464', '0.0.0.0:', '0.0.0.0:99999', '[::]:65536', '[::]:-1', ' [::]:9464', '[::]:9464/'],
])('%j is refused', (text) => {
  const { error } = socketAddress.safeParse(text);
  expect(error?.issues.map(({ message }) => message)).toEqual([
    'is not an IP address with a port, such as [::]:9464 or 127.0.0.1:9464',
  ]);
});

// Another test may listen on the same port of the other family: then a new server has another port.
test.for([
  ['[::]:0', true, true],
  ['[0:0:0:0:0:0:0:0]:0', true, true],
  ['[::0]:0', true, true],
  ['0.0.0.0:0', true, false],
  ['127.0.0.1:0', true, false],
  ['[::1]:0', false, true],
] as const)(
  'a server on %s is reached by IPv4: %s, and by IPv6: %s',
  { retry: 2 },
  async ([text, byIpv4, byIpv6], { skip }) => {
    if (byIpv6 && !byIpv4 && !hasIpv6) skip('this machine has no IPv6');
    const emails = { billRunPosted: () => Promise.reject(new Error('no callout is sent')) };
    const login = { user: 'zuora', password: 'a-password-of-the-callouts', starts: false };
    const server = await startCalloutServer(
      { address: socketAddress.parse(text), ...login },
      emails,
      pino({ enabled: false }),
    );
    onTestFinished(() => server.close());
    const { port } = new URL(server.url);
    expect(await answers(`http://127.0.0.1:${port}`)).toBe(byIpv4);
    if (hasIpv6) expect(await answers(`http://[::1]:${port}`)).toBe(byIpv6);
  },
);

async function answers(url: string): Promise<boolean> {
  return request(`${url}/healthz`).then(
    ({ statusCode }) => statusCode === 200,
    () => false,
  );
}
