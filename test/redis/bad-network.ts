/**
 * A network between clients and a server that can be as bad as one: it holds bytes back for a
 * while, stops, cuts connections at the worst moments, and delivers commands a second time, at once
 * or much later, as a client does that has not heard whether the first one arrived.
 *
 * Bytes of one direction of one connection keep their order, as TCP promises. A repeated command
 * comes by a connection of its own, so nothing is promised about its order, and its answer is heard
 * by nobody.
 */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Command, CommandReader } from './resp.ts';

/** `in-command`: in the middle of what a client sends next. `before-reply`: once it has run. */
export type CutMoment = 'now' | 'in-command' | 'before-reply';

/** In how many ms the command comes once more; undefined: it does not. */
export type Repetition = (command: Command) => number | undefined;

export class BadNetwork {
  /** For how long a piece of bytes is under way, in ms: asked for each one. */
  delaysMs: () => number = () => 0;
  repeats: Repetition = () => undefined;
  repeatedCount = 0;
  cutCount = 0;
  readonly port: number;
  readonly #server: Server;
  readonly #socketPath: string;
  readonly #lines = new Set<Line>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #flowing: Promise<void> = Promise.resolve();
  #resume: (() => void) | undefined;

  private constructor(server: Server, socketPath: string) {
    this.#server = server;
    this.#socketPath = socketPath;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#join(client));
  }

  /** On a port of its own of the loopback interface, before a server's Unix socket. */
  static async before(socketPath: string): Promise<BadNetwork> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BadNetwork(server, socketPath);
  }

  get connectionCount(): number {
    return this.#lines.size;
  }

  /** No more bytes pass, in either direction, until `resume`; connections stay. */
  pause(): void {
    if (this.#resume !== undefined) return;
    this.#flowing = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  /** Cuts those connections that are chosen, as a reset, now or when it hurts. */
  cut(moment: CutMoment, isChosen: (index: number) => boolean = () => true): void {
    for (const [index, line] of [...this.#lines].entries()) if (isChosen(index)) line.cut(moment);
  }

  async close(): Promise<void> {
    this.resume();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const line of this.#lines) line.end();
    await closed;
  }

  #join(client: Socket): void {
    const line = new Line(client, connect(this.#socketPath), {
      pass: async () => {
        await this.#flowing;
      },
      delayMs: () => this.delaysMs(),
      onCommand: (command) => this.#repeatLater(command),
      onCut: () => this.cutCount++,
      onEnd: () => this.#lines.delete(line),
    });
    this.#lines.add(line);
  }

  #repeatLater(command: Command): void {
    const ms = this.repeats(command);
    if (ms === undefined) return;
    const bytes = Buffer.from(command.bytes);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#sendAlone(bytes);
    }, ms);
    this.#timers.add(timer);
  }

  #sendAlone(bytes: Buffer): void {
    const server = connect(this.#socketPath, () => server.write(bytes));
    // The server may be away: then this copy is lost, as copies may be.
    server.on('error', () => undefined);
    server.once('data', () => {
      this.repeatedCount++;
      server.destroy();
    });
  }
}

interface LineRules {
  pass(): Promise<void>;
  delayMs(): number;
  onCommand(command: Command): void;
  onCut(): void;
  onEnd(): void;
}

/** A client's connection and the server's that belongs to it. */
class Line {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rules: LineRules;
  #cutsAt: CutMoment | undefined;

  constructor(client: Socket, server: Socket, rules: LineRules) {
    this.#client = client;
    this.#server = server;
    this.#rules = rules;
    const reader = new CommandReader();
    this.#carry(client, server, (chunk) => {
      for (const command of reader.read(chunk)) rules.onCommand(command);
    });
    this.#carry(server, client, () => undefined);
  }

  cut(moment: CutMoment): void {
    if (moment !== 'now') {
      this.#cutsAt = moment;
      return;
    }
    this.#rules.onCut();
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  end(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #carry(from: Socket, to: Socket, look: (chunk: Buffer) => void): void {
    let last = Promise.resolve();
    const isOfServer = from === this.#server;
    from.on('data', (chunk) => {
      look(chunk);
      const dueMs = performance.now() + this.#rules.delayMs();
      last = last.then(async () => {
        await this.#rules.pass();
        const leftMs = dueMs - performance.now();
        if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
        this.#deliver(to, chunk, isOfServer);
      });
    });
    from.on('error', () => undefined);
    // Whoever closes is followed, but not overtaken: bytes that are under way arrive.
    from.once('close', () => {
      void last.then(() => {
        to.destroySoon();
        this.#rules.onEnd();
      });
    });
  }

  #deliver(to: Socket, chunk: Buffer, isOfServer: boolean): void {
    if (to.destroyed) return;
    const cutsNow = this.#cutsAt === (isOfServer ? 'before-reply' : 'in-command');
    if (!cutsNow) to.write(chunk);
    else if (isOfServer) this.cut('now');
    else to.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => this.cut('now'));
  }
}
