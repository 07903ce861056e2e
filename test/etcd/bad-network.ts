/**
 * A network between clients and one member of etcd that can be as bad as one: calls come twice, at
 * once or much later; are carried out, and their answers lost; wait, as before a member that is
 * frozen; and of what a watch tells, something is left out, as watches have done.
 *
 * It passes on whole calls, and the lines of streams, so that each fault is one of meaning.
 */

import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** In how many ms a call comes once more; undefined: it does not. */
export type Repetition = (path: string, body: string) => number | undefined;

export class BadNetwork {
  readonly url: string;
  repeats: Repetition = () => undefined;
  /** Whether the answer is cut off, once etcd has done what it was told. */
  losesAnswer: (path: string, body: string) => boolean = () => false;
  /** Whether a line of a stream is left out. */
  losesLine: (line: string) => boolean = () => false;
  /** What becomes of a line of a stream. */
  alters: (line: string) => string = (line) => line;
  /** Passed on once this resolves. */
  holds: (path: string, body: string) => Promise<void> | undefined = () => undefined;
  /** Told of each call, as it is passed on. */
  onCall: (path: string, body: string) => void = () => undefined;
  repeatedCount = 0;
  lostCount = 0;
  readonly #server: Server;
  readonly #target: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #open = new Set<ServerResponse>();
  #flowing: Promise<void> = Promise.resolve();
  #resume: (() => void) | undefined;
  #isCut = false;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.#target = target;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (from, to) => void this.#pass(from, to).catch(() => to.destroy()));
  }

  /** On a port of its own of the loopback interface, before a member. */
  static async before(target: string): Promise<BadNetwork> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BadNetwork(server, target);
  }

  /** Nothing passes any more, in either direction, until `resume`; connections stay. */
  freeze(): void {
    if (this.#resume !== undefined) return;
    this.#flowing = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  get isFrozen(): boolean {
    return this.#resume !== undefined;
  }

  resume(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  /** Cuts all connections, and as long as it is cut, all new ones. */
  cut(isCut: boolean): void {
    this.#isCut = isCut;
    if (isCut) this.cutOnce();
  }

  cutOnce(): void {
    for (const response of this.#open) response.destroy();
  }

  async close(): Promise<void> {
    this.resume();
    for (const timer of this.#timers) clearTimeout(timer);
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutOnce();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    this.#open.add(to);
    to.on('close', () => this.#open.delete(to));
    to.on('error', () => undefined);
    const path = from.url ?? '';
    const body = await textOf(from);
    await this.#flowing;
    if (this.#isCut || to.destroyed) {
      to.destroy();
      return;
    }
    this.onCall(path, body);
    await this.holds(path, body);
    const repeatMs = this.repeats(path, body);
    const { authorization } = from.headers;
    if (repeatMs !== undefined) this.#repeatLater(path, body, authorization, repeatMs);
    const answer = await this.#ask(path, body, authorization, to);
    if (path === '/v3/watch') {
      await this.#passLines(answer, to);
      return;
    }
    const text = await textOf(answer);
    await this.#flowing;
    if (this.losesAnswer(path, body)) {
      this.lostCount++;
      to.destroy();
      return;
    }
    to.writeHead(answer.statusCode ?? 500).end(text);
  }

  async #passLines(answer: IncomingMessage, to: ServerResponse): Promise<void> {
    to.on('close', () => answer.destroy());
    to.writeHead(answer.statusCode ?? 500);
    to.flushHeaders();
    let rest = '';
    answer.setEncoding('utf8');
    try {
      for await (const chunk of answer) {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        await this.#flowing;
        for (const line of lines) {
          if (line !== '' && this.losesLine(line)) this.lostCount++;
          else to.write(`${this.alters(line)}\n`);
        }
      }
    } finally {
      to.destroy();
    }
  }

  async #ask(
    path: string,
    body: string,
    authorization: string | undefined,
    to?: ServerResponse,
  ): Promise<IncomingMessage> {
    const url = new URL(path, this.#target);
    const headers = authorization === undefined ? {} : { authorization };
    const asked = request(url, { method: 'POST', agent: this.#agent, headers });
    // Whoever gives up is followed.
    to?.on('close', () => {
      if (!to.writableFinished) asked.destroy();
    });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  }

  #repeatLater(
    path: string,
    body: string,
    authorization: string | undefined,
    delayMs: number,
  ): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#ask(path, body, authorization)
        .then(textOf)
        .then(
          () => this.repeatedCount++,
          // The member may be away: then this copy is lost, as copies may be.
          () => undefined,
        );
    }, delayMs);
    this.#timers.add(timer);
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  message.setEncoding('utf8');
  for await (const chunk of message) text += chunk;
  return text;
}
