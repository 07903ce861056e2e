/** Someone who speaks to the broker over a bare socket, rightly or wrongly. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeParts, partsOf } from '../../src/api/mode.ts';
import { protocolVersion } from '../../src/backends/broker/wire/limits.ts';

/** The parts of a message that asks for a set. */
export const owned = (...names: readonly (string | number)[]) => ({
  parts: encodeParts(partsOf(names)),
});
export const shared = (...names: readonly (string | number)[]) => ({
  parts: encodeParts(partsOf([], names)),
});

export type Told = { readonly [key in string]?: unknown };

export class RawClient {
  readonly socket: Socket;
  readonly told: Told[] = [];
  isClosed = false;
  #text = '';
  #onTold: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.#onTold();
    });
    socket.on('data', (text: string) => {
      const lines = (this.#text + text).split('\n');
      this.#text = lines.pop() as string;
      for (const line of lines) this.told.push(JSON.parse(line) as Told);
      this.#onTold();
    });
  }

  static async connect(path: string): Promise<RawClient> {
    const client = new RawClient(connect(path));
    await once(client.socket, 'connect');
    return client;
  }

  static async greeted(path: string): Promise<RawClient> {
    const client = await RawClient.connect(path);
    client.say({ do: 'hello', version: protocolVersion });
    await client.next('hello');
    return client;
  }

  say(...frames: readonly object[]): void {
    this.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** The next thing of a kind that it is told; whatever comes before is passed over. */
  async next(is: string): Promise<Told> {
    for (;;) {
      for (let told = this.told.shift(); told !== undefined; told = this.told.shift()) {
        if (told['is'] === is) return told;
      }
      if (this.isClosed) throw new Error(`it was cut off before it was told ${is}`);
      await new Promise<void>((resolve) => {
        this.#onTold = resolve;
      });
    }
  }

  async closed(): Promise<void> {
    if (this.isClosed) return;
    await new Promise((resolve) => this.socket.once('close', resolve));
  }
}
