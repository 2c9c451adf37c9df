/** Addresses of IPv6, which not every machine has. */
import { connect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';

export const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

/** Passes connections on, from a port of `::1` to an address of IPv4. */
export async function openIpv6Door(address: string): Promise<{ readonly address: string; close(): void }> {
  const { hostname: host, port } = new URL(`http://${address}`);
  const door = createServer((socket) => {
    const behind = connect({ host, port: Number(port) });
    socket.on('error', () => behind.destroy()).pipe(behind);
    behind.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => door.listen(0, '::1', resolve));
  return { address: `[::1]:${(door.address() as AddressInfo).port}`, close: () => void door.close() };
}
