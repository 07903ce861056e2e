/**
 * The connection to a cluster: calls and streams over its members' JSON gateways.
 *
 * A call has a time limit and goes to one member after another until one of them answers or the
 * limit passes. So a call may run more than once, and its caller makes sure that this does no harm.
 * A frozen member that is still connected counts as one that does not answer in time. A watch is
 * one long answer with a message in each line; it ends when its member seems to have failed.
 */

import { ProtocolError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Json } from './calls.ts';
import { KeepAlive } from './keep-alive.ts';
import { EtcdRefusal, isOutOfSpace, isStaleToken, pauseMsOf, throwIfFinal } from './refusal.ts';
import { type Credentials, SignIn } from './sign-in.ts';

/** Length of an answer, in characters, above which it is no answer of etcd's. */
const answerLengthMax = 2 ** 29 - 1024;
/** Time limit of an attempt, ms, up to which each further round doubles it. */
const attemptMsMax = 2000;
/** Least time limit of a new connection, with its TLS handshake, ms. */
const connectMsMin = 1000;

/**
 * Limits, at most, that a call goes without any part of its own answer, if its limit counts from
 * the last answer: a request that was lost on its way gets none, whatever else is answered.
 */
const limitsMax = 3;
/** Time, ms, in which an answer is read that arrived while the event loop was blocked. */
const arrivedMs = 20;

/** A member of the cluster, as the network reaches it. */
export interface Member {
  /** HOST:PORT, for messages. */
  readonly name: string;
  /** Sends a request. Returns a function that ends the exchange; events may still follow it. */
  post(request: MemberRequest, events: AnswerEvents): () => void;
  close(): void;
}

export interface MemberRequest {
  readonly path: string;
  readonly body: string;
  /** The token of a user, where the cluster asks for a password. */
  readonly token: string | undefined;
  /** Whether the process stays alive until the answer is complete. */
  readonly keepsAlive: boolean;
}

/** The progress of one answer. At most one of `onEnd` and `onFailed` is called, once. */
export interface AnswerEvents {
  /** The connection is up, and the request is sent. */
  onConnected(): void;
  onText(text: string): void;
  onEnd(): void;
  onFailed(error: unknown): void;
}

export interface ConnectionConfig {
  /** One at least. */
  readonly members: readonly Member[];
  readonly auth?: Credentials | undefined;
  /** Time limit of an attempt in the first round, ms. */
  readonly attemptMs: number;
  readonly clock: Clock;
  /** As Math.random: from 0 up to, and without, 1. */
  readonly random: () => number;
}

export interface Listener {
  onMessage(message: Json): void;
  /** The stream has ended, unless `close` was called first: no message follows. */
  onEnd(reason: unknown): void;
}

/** Keeps no process alive. */
export interface Stream {
  close(): void;
}

/** How a call differs from most. */
export interface CallOptions {
  /** Time limit of an attempt, ms, for a call that takes a member longer than most. */
  readonly attemptMs?: number;
  /**
   * Whether that limit counts from the last answer of the member, to this or another call: one that
   * answers is busy, not frozen.
   */
  readonly fromLastAnswer?: boolean;
  /** Whether a lack of space fails the call at once; else it is repeated until its limit. */
  readonly failsWithoutSpace?: boolean;
  /** Called as each attempt is sent. The answer is that of the last one. */
  readonly onSend?: (sentMs: number) => void;
}

export class EtcdConnection {
  readonly #members: readonly Member[];
  readonly #clock: Clock;
  readonly #attemptMs: number;
  readonly #streams = new Set<OpenStream>();
  readonly #keepAlive: KeepAlive;
  readonly #signIn: SignIn | undefined;
  /** When each member answered last, on the clock, ms. */
  readonly #answeredMs = new Map<Member, number>();
  #at: number;
  #isOpen = true;

  constructor({ members, auth, attemptMs, clock, random }: ConnectionConfig) {
    this.#members = members;
    this.#clock = clock;
    this.#attemptMs = attemptMs;
    this.#keepAlive = new KeepAlive(clock);
    this.#signIn = auth && new SignIn(auth, clock, members.length, attemptMs);
    // With a fixed first member all clients would have that one serve all of their watches.
    this.#at = Math.floor(random() * members.length);
  }

  /**
   * @throws UnavailableError if no member answers within `limitMs`; EtcdRefusal; LimitError for a
   * request that is too large for etcd; ProtocolError for an answer of another server.
   */
  call(path: string, body: object, limitMs: number, options: CallOptions = {}): Promise<Json> {
    return this.#keepAlive.during(() => this.#call(path, JSON.stringify(body), limitMs, options));
  }

  async #call(path: string, text: string, limitMs: number, options: CallOptions): Promise<Json> {
    let token = await this.#token();
    let endMs = this.#clock.nowMs() + limitMs;
    let reason: unknown;
    for (let attempt = 0; ; attempt++) {
      const leftMs = endMs - this.#clock.nowMs();
      if (leftMs <= 0 || !this.#isOpen) throw unavailable(limitMs, reason);
      const member = this.#current;
      const round = Math.floor(attempt / this.#members.length);
      try {
        options.onSend?.(this.#clock.nowMs());
        const attemptMs = Math.min(leftMs, options.attemptMs ?? this.#attemptMsOf(round));
        return await this.#ask(member, path, text, token, attemptMs, options.fromLastAnswer);
      } catch (error) {
        reason = error;
      }
      if (this.#isStale(token, reason)) {
        const startMs = this.#clock.nowMs();
        token = await this.#token();
        // The time that a password takes does not count against the call.
        endMs += this.#clock.nowMs() - startMs;
      } else {
        throwIfFinal(reason, options.failsWithoutSpace);
        this.#leave(member);
      }
      if ((attempt + 1) % this.#members.length > 0) continue;
      await this.#pause(pauseMsOf(round));
    }
  }

  /** A cluster that answers too slowly for a limit answers within a longer one. */
  #attemptMsOf(round: number): number {
    return Math.min(this.#attemptMs * 2 ** round, Math.max(this.#attemptMs, attemptMsMax));
  }

  /** Whether etcd no longer accepts this token; if so, the token is forgotten. */
  #isStale(token: string | undefined, error: unknown): boolean {
    if (token === undefined || !isStaleToken(error)) return false;
    this.#signIn?.forget(token);
    return true;
  }

  /** Undefined where no password is given. @throws the refusal of a password */
  async #token(): Promise<string | undefined> {
    return this.#signIn?.token((index, body, limitMs) => {
      const member = this.#members[(this.#at + index) % this.#members.length] as Member;
      return this.#ask(member, '/v3/auth/authenticate', body, undefined, limitMs);
    });
  }

  /** Opens a stream at the current member. */
  stream(path: string, body: object, listener: Listener): Stream {
    const stream = new OpenStream(this.#current, listener, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    this.#token().then(
      (token) => stream.open(path, JSON.stringify(body), token),
      (error) => stream.fail(error),
    );
    return stream;
  }

  /** Goes on with the next member, as the stream of this one is silent where it should not be. */
  distrust(): void {
    this.#leave(this.#current);
  }

  close(): void {
    this.#isOpen = false;
    this.#signIn?.close();
    for (const stream of this.#streams) stream.close();
    for (const member of this.#members) member.close();
  }

  get #current(): Member {
    return this.#members[this.#at] as Member;
  }

  /**
   * Goes on with the next member, and ends the streams of this one. A member that has been left
   * already is skipped, and so is the only one: a slow member would get slower by streams that
   * begin again.
   */
  #leave(member: Member): void {
    if (member !== this.#current || this.#members.length === 1) return;
    this.#at = (this.#at + 1) % this.#members.length;
    for (const stream of [...this.#streams]) {
      if (stream.member === member) stream.fail(new Error('its member does not answer'));
    }
  }

  #ask(
    member: Member,
    path: string,
    body: string,
    token: string | undefined,
    limitMs: number,
    fromLastAnswer = false,
  ): Promise<Json> {
    /** When it was sent, or the last part of its answer came. */
    let partMs = this.#clock.nowMs();
    return new Promise((resolve, reject) => {
      const chunks: string[] = [];
      let length = 0;
      let cancel: () => void = () => undefined;
      let end: () => void = () => undefined;
      const fail = (error: unknown): void => {
        cancel();
        end();
        reject(error);
      };
      const failLate = (ms: number): void => {
        fail(new Error(`${member.name} has not answered within ${Math.ceil(ms)} ms`));
      };
      const expectWithin = (ms: number): void => {
        cancel();
        cancel = this.#clock.after(ms, () => failLate(ms));
      };
      const expectWhileAnswered = (ms: number, isLast = false): void => {
        cancel();
        cancel = this.#clock.after(ms, () => {
          const leftMs = this.#leftMs(member, partMs, limitMs);
          if (leftMs > 0) expectWhileAnswered(Math.ceil(leftMs));
          else if (isLast) failLate(limitMs);
          else expectWhileAnswered(arrivedMs, true);
        });
      };
      expectWithin(Math.max(limitMs, connectMsMin));
      end = member.post(
        { path, body, token, keepsAlive: true },
        {
          onConnected: () => (fromLastAnswer ? expectWhileAnswered : expectWithin)(limitMs),
          onText: (text) => {
            partMs = this.#clock.nowMs();
            this.#answeredMs.set(member, partMs);
            chunks.push(text);
            length += text.length;
            if (length > answerLengthMax) fail(new ProtocolError('etcd answers without end'));
          },
          onEnd: () => {
            cancel();
            try {
              resolve(read(chunks.join('')));
            } catch (error) {
              reject(error);
            }
          },
          onFailed: fail,
        },
      );
    });
  }

  /** Of a limit that counts from the last answer of a member, ms. */
  #leftMs(member: Member, partMs: number, limitMs: number): number {
    const answeredMs = Math.max(partMs, this.#answeredMs.get(member) ?? partMs);
    const endMs = Math.min(answeredMs + limitMs, partMs + limitsMax * limitMs);
    return endMs - this.#clock.nowMs();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(delayMs, resolve));
  }
}

class OpenStream implements Stream {
  readonly member: Member;
  readonly #listener: Listener;
  readonly #onOver: () => void;
  #end: () => void = () => undefined;
  #isOver = false;
  #rest = '';

  constructor(member: Member, listener: Listener, onOver: () => void) {
    this.member = member;
    this.#listener = listener;
    this.#onOver = onOver;
  }

  open(path: string, body: string, token: string | undefined): void {
    if (this.#isOver) return;
    this.#end = this.member.post(
      { path, body, token, keepsAlive: false },
      {
        onConnected: () => undefined,
        onText: (text) => this.#read(text),
        onEnd: () => this.fail(new Error('the stream was cut off')),
        onFailed: (error) => this.fail(error),
      },
    );
  }

  fail(reason: unknown): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.onEnd(reason);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
    this.#end();
  }

  #read(chunk: string): void {
    let from = 0;
    for (let at = chunk.indexOf('\n'); at >= 0 && !this.#isOver; at = chunk.indexOf('\n', from)) {
      const line = this.#rest + chunk.slice(from, at);
      this.#rest = '';
      from = at + 1;
      if (line !== '') this.#receive(line);
    }
    this.#rest += chunk.slice(from);
    if (this.#rest.length > answerLengthMax) this.fail(new ProtocolError('a line without end'));
  }

  #receive(line: string): void {
    let message: Json;
    try {
      message = read(line);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#listener.onMessage(message);
  }
}

/** Parses an answer, or a message of a stream. @throws EtcdRefusal, ProtocolError */
function read(text: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Proxies, and other servers, answer in pages.
    throw new ProtocolError(`no answer of etcd's JSON gateway: ${text.slice(0, 100)}`);
  }
  if (typeof json !== 'object' || json === null)
    throw new ProtocolError('etcd answers in no object');
  const { error } = json as Json;
  if (error === undefined) return json as Json;
  // In a message of a stream the error is an object of its own.
  const refusal = (typeof error === 'object' && error !== null ? error : json) as Json;
  const code = Number(refusal['code'] ?? refusal['grpc_code'] ?? 2);
  throw new EtcdRefusal(code, String(refusal['message'] ?? error));
}

function unavailable(limitMs: number, reason: unknown): UnavailableError {
  const last = reason instanceof Error ? reason.message : String(reason ?? 'closed');
  if (isOutOfSpace(reason)) {
    const advice = 'compact it, defragment its members, and disarm the alarm NOSPACE';
    return new UnavailableError(`etcd has no space, and takes no requests: ${advice} (${last})`);
  }
  return new UnavailableError(
    `no member of the etcd cluster has answered for ${Math.ceil(limitMs)} ms: ${last}`,
  );
}
