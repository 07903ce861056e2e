/**
 * node:net of the simulated system: Unix sockets, with names in the file system or abstract ones.
 * Bytes come in order and whole, late, and perhaps in parts; what was written before a socket was
 * closed arrives.
 */

import { EventEmitter } from 'node:events';
import type { Machine } from '../machine.ts';
import { systemError } from './disk.ts';
import { type Endpoint, type Listener, type System, type Tap, theSystem } from './system.ts';

/** A process learns that its peer is slow only beyond this. */
const highWaterBytes = 16_384;

class Socket extends EventEmitter implements Endpoint {
  readonly machine: Machine;
  writableLength = 0;
  isConnected = false;
  /** Of the sockets of brokers. */
  tap: Tap | undefined;
  readonly #system: System;
  #peer: Socket | undefined;
  #isOpen = true;
  #isPaused = false;
  #isDrainDue = false;
  #held: Buffer[] = [];
  /** When the last bytes for the peer arrive, or its end. */
  #lastMs = 0;

  constructor(system: System, machine: Machine) {
    super();
    this.#system = system;
    this.machine = machine;
    system.addEndpoint(this);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The two are a connection from now on. */
  join(peer: Socket): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  write(data: string | Buffer): boolean {
    const bytes = Buffer.from(data);
    if (!this.#isOpen) return false;
    this.tap?.sent(this, bytes);
    this.writableLength += bytes.length;
    const { random, quality } = this.#system;
    const cut = random.chance(quality.splits) ? random.below(bytes.length + 1) : bytes.length;
    for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (part.length > 0) this.#later(() => this.#peer?.arrive(part));
    }
    if (this.writableLength > highWaterBytes) this.#isDrainDue = true;
    return !this.#isDrainDue;
  }

  end(data: string | Buffer): void {
    this.write(data);
    this.destroy();
  }

  destroySoon(): void {
    this.destroy();
  }

  destroy(): void {
    if (!this.#isOpen) return;
    const { world } = this.#system;
    this.vanish();
    world.clock.after(0, () => this.machine.receive(() => this.#emitClose(false)));
  }

  vanish(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#system.removeEndpoint(this);
    this.#later(() => {
      const peer = this.#peer;
      peer?.machine.receive(() => peer.#end());
    });
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const held = this.#held;
    this.#held = [];
    for (const part of held) this.#read(part);
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  ref(): void {}
  unref(): void {}

  #later(run: () => void): void {
    const { world } = this.#system;
    this.#lastMs = Math.max(this.#lastMs, world.nowMs + this.#system.delayMs());
    world.clock.after(this.#lastMs - world.nowMs, run);
  }

  /** Of the peer: bytes for this one have come. */
  arrive(part: Buffer): void {
    this.machine.receive(() => this.#read(part));
  }

  #read(part: Buffer): void {
    if (!this.#isOpen) return;
    if (this.#isPaused) {
      this.#held.push(part);
      return;
    }
    this.#peer?.taken(part.length);
    this.tap?.received(this, part);
    this.emit('data', part);
  }

  /** Of the peer: bytes of this one have been read. */
  taken(byteCount: number): void {
    this.writableLength -= byteCount;
    if (!this.#isDrainDue || this.writableLength > 0) return;
    this.#isDrainDue = false;
    this.machine.receive(() => this.emit('drain'));
  }

  /** The peer has gone. */
  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#system.removeEndpoint(this);
    this.#emitClose(true);
  }

  #emitClose(byPeer: boolean): void {
    this.tap?.closed(this, byPeer);
    this.emit('close');
  }
}

class Server extends EventEmitter implements Listener {
  readonly machine: Machine;
  path = '';
  ino = 0;
  isOpen = false;
  readonly #system: System;
  readonly #admit: (socket: Socket) => void;
  readonly #sockets = new Set<Socket>();
  #onClosed: (() => void) | undefined;

  constructor(system: System, admit: (socket: Socket) => void) {
    super();
    this.#system = system;
    this.#admit = admit;
    this.machine = system.process;
  }

  get listening(): boolean {
    return this.isOpen;
  }

  listen({ path }: { readonly path: string }): this {
    const { disk, listeners, world } = this.#system;
    try {
      const isAbstract = path.startsWith('\0');
      if (isAbstract && [...listeners].some((other) => other.path === path)) {
        throw systemError('EADDRINUSE', path);
      }
      this.ino = isAbstract ? 1_000_000 + this.#system.eventCount : disk.makeSocket(path).ino;
      this.path = path;
      this.isOpen = true;
      listeners.add(this);
      world.clock.after(0, () => this.machine.receive(() => this.emit('listening')));
    } catch (error) {
      world.clock.after(0, () => this.machine.receive(() => this.emit('error', error)));
    }
    return this;
  }

  accept(): Socket {
    const socket = new Socket(this.#system, this.machine);
    if (!this.path.startsWith('\0')) socket.tap = this.#system.tap;
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#closeIfEmpty();
    });
    this.machine.receive(() => {
      if (this.isOpen) this.#admit(socket);
      else socket.destroy();
    });
    return socket;
  }

  /** As libuv does, it deletes whatever has its name. */
  close(onClosed: () => void = () => undefined): void {
    if (!this.isOpen) return;
    this.#system.stopListening(this);
    if (!this.path.startsWith('\0')) this.#system.disk.remove(this.path);
    this.#onClosed = onClosed;
    const { world } = this.#system;
    world.clock.after(0, () => this.machine.receive(() => this.#closeIfEmpty()));
  }

  unref(): void {}

  #closeIfEmpty(): void {
    if (this.#sockets.size > 0) return;
    this.#onClosed?.();
    this.#onClosed = undefined;
  }
}

export function createServer(admit: (socket: Socket) => void): Server {
  return new Server(theSystem(), admit);
}

/** The kernel connects, whatever the server's process does at the time. */
export function connect(path: string): Socket {
  const system = theSystem();
  const socket = new Socket(system, system.process);
  system.world.clock.after(system.delayMs() / 4, () => {
    if (!socket.isOpen) return;
    try {
      const listener = system.listenerAt(path) as Server;
      const server = listener.accept();
      socket.join(server);
      socket.machine.receive(() => {
        socket.isConnected = true;
        if (socket.isOpen) socket.emit('connect');
      });
    } catch (error) {
      socket.machine.receive(() => {
        socket.emit('error', error);
        socket.destroy();
      });
    }
  });
  return socket;
}
