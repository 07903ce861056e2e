/**
 * The network between the members of a cluster: a member can be parted from all others, while
 * clients reach it as before. So it can be a leader that does not know yet that it leads nobody, or
 * a follower whose watches tell nothing and do not end.
 *
 * There is a port before each member, which all others are told is its own. Who calls is told by a
 * header of etcd's; what carries none (probes, questions for the version) passes as long as the
 * member that is called is not parted.
 */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const callerHeader = /X-Server-From: ([0-9a-f]+)/i;

export class PeerNetwork {
  readonly #doors: readonly Door[];

  private constructor(doors: readonly Door[]) {
    this.#doors = doors;
  }

  /** Before peer ports, in the order of the members. */
  static async before(peerPorts: readonly number[]): Promise<PeerNetwork> {
    return new PeerNetwork(await Promise.all(peerPorts.map((port) => Door.before(port))));
  }

  /** The ports to tell of, in the same order. */
  get ports(): readonly number[] {
    return this.#doors.map(({ port }) => port);
  }

  /** Nothing passes to and from the member at that index, whose id is so, in hexadecimal digits. */
  part(index: number, id: string): void {
    for (const [at, door] of this.#doors.entries()) {
      if (at === index) door.shut();
      else door.shutTo(id);
    }
  }

  /** All reach all again. */
  heal(): void {
    for (const door of this.#doors) door.open();
  }

  async close(): Promise<void> {
    await Promise.all(this.#doors.map((door) => door.close()));
  }
}

/** The way to one member. */
class Door {
  readonly port: number;
  readonly #server: Server;
  /** Those that have been let in, with the ids of who they come from, once those are known. */
  readonly #callers = new Map<Socket, string | undefined>();
  #isShut = false;
  #unwanted: string | undefined;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (caller) => this.#letIn(caller, target));
  }

  static async before(target: number): Promise<Door> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Door(server, target);
  }

  shut(): void {
    this.#isShut = true;
    for (const caller of [...this.#callers.keys()]) caller.destroy();
  }

  shutTo(id: string): void {
    this.#unwanted = id;
    for (const [caller, from] of [...this.#callers]) if (from === id) caller.destroy();
  }

  open(): void {
    this.#isShut = false;
    this.#unwanted = undefined;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.shut();
    await closed;
  }

  #letIn(caller: Socket, target: number): void {
    if (this.#isShut) {
      caller.destroy();
      return;
    }
    this.#callers.set(caller, undefined);
    const member = connect(target, '127.0.0.1');
    caller.on('error', () => undefined).on('close', () => member.destroy());
    caller.on('close', () => this.#callers.delete(caller));
    member.on('error', () => undefined).on('close', () => caller.destroy());
    caller.on('data', (chunk: Buffer) => {
      if (this.#callers.get(caller) === undefined) {
        const [, id] = callerHeader.exec(chunk.toString('latin1')) ?? [];
        if (id !== undefined && id === this.#unwanted) caller.destroy();
        else if (id !== undefined) this.#callers.set(caller, id);
      }
      if (!caller.destroyed && !member.write(chunk)) caller.pause();
    });
    member.on('drain', () => caller.resume());
    member.pipe(caller);
  }
}
