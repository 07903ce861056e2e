/**
 * A network between clients and a server that lets single connections fall silent, as a NAT does
 * that has forgotten them: nothing passes any more, in either direction, and nobody is told.
 */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Way {
  readonly ends: readonly [client: Socket, server: Socket];
  subscribes: boolean;
  isSilent: boolean;
}

export class SilentNetwork {
  readonly port: number;
  readonly #server: Server;
  readonly #ways = new Set<Way>();

  private constructor(server: Server, serverPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#join(client, connect(serverPort, '127.0.0.1')));
  }

  static async before(serverPort: number): Promise<SilentNetwork> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SilentNetwork(server, serverPort);
  }

  /** Connections on which somebody has subscribed, and that still pass messages. */
  get subscriptionCount(): number {
    return [...this.#ways].filter(({ subscribes, isSilent }) => subscribes && !isSilent).length;
  }

  silenceSubscriptions(): void {
    for (const way of this.#ways) if (way.subscribes) way.isSilent = true;
  }

  async close(): Promise<void> {
    for (const { ends } of this.#ways) for (const end of ends) end.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    const way: Way = { ends: [client, server], subscribes: false, isSilent: false };
    this.#ways.add(way);
    client.on('data', (bytes: Buffer) => {
      way.subscribes ||= /\r\nsubscribe\r\n/i.test(bytes.toString('latin1'));
      if (!way.isSilent) server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => void (way.isSilent || client.write(bytes)));
    for (const [end, other] of [way.ends, way.ends.toReversed() as [Socket, Socket]]) {
      end.on('error', () => undefined);
      end.on('close', () => {
        this.#ways.delete(way);
        other.destroy();
      });
    }
  }
}
