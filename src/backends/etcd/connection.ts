/**
 * The members of a cluster, spoken to over HTTP by way of etcd's own JSON gateway.
 *
 * A call has a time limit, goes to one member, and then to the next, until one answers or the time
 * is over: so it may have run more than once, and whoever calls sees to it that this does no harm.
 * A member that is frozen but connected is one that does not answer in time. A watch is one long
 * answer, a line for each thing that it tells; it ends when its member seems to have failed.
 */

import { type ClientRequest, Agent as PlainAgent, request as requestPlain } from 'node:http';
import { request as requestSecure, Agent as SecureAgent } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { ProtocolError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Json } from './calls.ts';
import { Awake } from './keep-alive.ts';
import { EtcdRefusal, isOutOfSpace, isStaleToken, pauseMsOf, throwIfFinal } from './refusal.ts';
import { SignIn } from './sign-in.ts';

/** An answer of more characters is taken for none of etcd's. */
const answerLengthMax = 2 ** 29 - 1024;
/** Time limit of an attempt, ms, after which a further round does not double it any more. */
const attemptMsMax = 2000;
/** Least time limit of a new connection, with its TLS handshake, ms. */
const connectMsMin = 1000;

type Pem = string | Uint8Array;

/** Of the options of node:tls those that certificates need, declared without Node's types. */
export interface EtcdTls {
  /** The authorities that are trusted, in place of the well-known ones. */
  readonly ca?: Pem | readonly Pem[] | undefined;
  /** What this client presents. */
  readonly cert?: Pem | readonly Pem[] | undefined;
  /** The private key of `cert`. */
  readonly key?:
    | Pem
    | readonly (Pem | { readonly pem: Pem; readonly passphrase?: string | undefined })[]
    | undefined;
  /** `cert` and `key` in one, encoded as PFX or PKCS12. */
  readonly pfx?:
    | Pem
    | readonly (Pem | { readonly buf: Pem; readonly passphrase?: string | undefined })[]
    | undefined;
  /** Of `key` or `pfx`. */
  readonly passphrase?: string | undefined;
  /** Lists of certificates that were revoked. */
  readonly crl?: Pem | readonly Pem[] | undefined;
  /** The name that the certificate must have, if not the one in the URL. */
  readonly servername?: string | undefined;
  readonly ciphers?: string | undefined;
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' | undefined;
  readonly maxVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' | undefined;
}

export interface Members {
  /** `http://host:port` each. */
  readonly urls: readonly URL[];
  readonly auth?: { readonly username: string; readonly password: string } | undefined;
  readonly tls?: EtcdTls | undefined;
}

export interface Listener {
  onMessage(message: Json): void;
  /** Nothing more is heard of it. Not told of a stream that is closed from here. */
  onEnd(reason: unknown): void;
}

/** Keeps no process alive. */
export interface Stream {
  close(): void;
}

/** How a call differs from most. */
export interface CallOptions {
  /** Time limit of an attempt, ms: of what takes a member longer than most calls. */
  readonly attemptMs?: number;
  /** Whether a lack of space fails the call at once; else it is repeated until its time is over. */
  readonly failsWithoutSpace?: boolean;
  /** Called as each attempt is sent. The answer is that of the last one. */
  readonly onSend?: (sentMs: number) => void;
}

export class EtcdConnection {
  readonly #members: readonly Member[];
  readonly #clock: Clock;
  readonly #attemptMs: number;
  readonly #streams = new Set<OpenStream>();
  readonly #awake = new Awake();
  readonly #signIn: SignIn | undefined;
  #at: number;
  #isOpen = true;

  /** `attemptMs`: time limit of an attempt in the first round. `random`: as Math.random. */
  constructor(members: Members, attemptMs: number, clock: Clock, random: () => number) {
    this.#members = members.urls.map((url) => new Member(url, members.tls));
    this.#clock = clock;
    this.#attemptMs = attemptMs;
    this.#signIn = members.auth && new SignIn(members.auth, clock, this.#members.length, attemptMs);
    // Else all clients would have the first one serve all of their watches.
    this.#at = Math.floor(random() * members.urls.length);
  }

  /**
   * @throws UnavailableError if no member answers within `limitMs`; EtcdRefusal; LimitError for
   * what is too large for etcd; ProtocolError for an answer that is none.
   */
  call(path: string, body: object, limitMs: number, options: CallOptions = {}): Promise<Json> {
    return this.#awake.during(() => this.#call(path, JSON.stringify(body), limitMs, options));
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
        return await this.#ask(member, path, text, token, attemptMs);
      } catch (error) {
        reason = error;
      }
      if (this.#isStale(token, reason)) {
        const startMs = this.#clock.nowMs();
        token = await this.#token();
        // The time that a password takes is not the call's.
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

  /** Whether this token is not valid any more: then it is not used again. */
  #isStale(token: string | undefined, error: unknown): boolean {
    if (token === undefined || !isStaleToken(error)) return false;
    this.#signIn?.forget(token);
    return true;
  }

  /** Undefined where no password is given. @throws what a password is refused with */
  async #token(): Promise<string | undefined> {
    return this.#signIn?.token((index, body, limitMs) => {
      const member = this.#members[(this.#at + index) % this.#members.length] as Member;
      return this.#ask(member, '/v3/auth/authenticate', body, undefined, limitMs);
    });
  }

  /** Opens a stream at the member that is spoken to now. */
  stream(path: string, body: object, listener: Listener): Stream {
    const stream = new OpenStream(this.#current, listener, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    this.#token().then(
      (token) => stream.open(path, JSON.stringify(body), token),
      (error) => stream.fail(error),
    );
    return stream;
  }

  /** Another member is spoken to from now on: this one is silent where it should speak. */
  distrust(): void {
    this.#leave(this.#current);
  }

  close(): void {
    this.#isOpen = false;
    this.#signIn?.close();
    for (const stream of this.#streams) stream.close();
    for (const member of this.#members) member.agent.destroy();
  }

  get #current(): Member {
    return this.#members[this.#at] as Member;
  }

  /**
   * Goes on with the next one, and ends the streams of this one, unless that has been done, or no
   * other is there: one that is only slow would get slower by streams that begin again.
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
  ): Promise<Json> {
    return new Promise((resolve, reject) => {
      const request = member.post(path, body, token);
      const fail = (error: unknown): void => {
        cancel();
        request.destroy();
        reject(error);
      };
      let cancel: () => void = () => undefined;
      const expectWithin = (ms: number): void => {
        cancel();
        cancel = this.#clock.after(ms, () => {
          fail(new Error(`${member.url.host} has not answered within ${Math.ceil(ms)} ms`));
        });
      };
      expectWithin(Math.max(limitMs, connectMsMin));
      member.onConnected(request, () => expectWithin(limitMs));
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks: string[] = [];
        let length = 0;
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          chunks.push(chunk);
          length += chunk.length;
          if (length > answerLengthMax) fail(new ProtocolError('etcd answers without end'));
        });
        response.on('error', fail);
        response.on('aborted', () => fail(new Error('the answer was cut off')));
        response.on('end', () => {
          cancel();
          try {
            resolve(read(chunks.join('')));
          } catch (error) {
            reject(error);
          }
        });
      });
      request.end(body);
    });
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(delayMs, resolve));
  }
}

class Member {
  readonly url: URL;
  readonly agent: PlainAgent | SecureAgent;
  readonly #tls: ConnectionOptions | undefined;

  constructor(url: URL, given: EtcdTls | undefined) {
    this.url = url;
    const tls = given as ConnectionOptions | undefined;
    this.#tls = tls;
    const keep = { keepAlive: true, noDelay: true };
    this.agent =
      url.protocol === 'https:' ? new SecureAgent({ ...keep, ...tls }) : new PlainAgent(keep);
  }

  /** A request whose body is still to be written. */
  post(path: string, body: string, token: string | undefined): ClientRequest {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token !== undefined && { authorization: token }),
    };
    const { hostname, port } = this.url;
    // The brackets of an IPv6 address are the URL's, not the host's.
    const host = hostname.replace(/^\[|\]$/g, '');
    const base = this.url.pathname.replace(/\/$/, '');
    const options = { method: 'POST', path: `${base}${path}`, host, port, headers };
    return this.url.protocol === 'https:'
      ? requestSecure({ ...options, ...this.#tls, agent: this.agent as SecureAgent })
      : requestPlain({ ...options, agent: this.agent as PlainAgent });
  }

  /** Calls back when a request can be sent: the member is connected to, and its TLS agreed upon. */
  onConnected(request: ClientRequest, then: () => void): void {
    const event = this.url.protocol === 'https:' ? 'secureConnect' : 'connect';
    request.once('socket', (socket) => {
      if (request.reusedSocket) then();
      else socket.once(event, then);
    });
  }
}

class OpenStream implements Stream {
  readonly member: Member;
  readonly #listener: Listener;
  readonly #onOver: () => void;
  #request: ClientRequest | undefined;
  #isOver = false;
  #rest = '';

  constructor(member: Member, listener: Listener, onOver: () => void) {
    this.member = member;
    this.#listener = listener;
    this.#onOver = onOver;
  }

  open(path: string, body: string, token: string | undefined): void {
    if (this.#isOver) return;
    const request = this.member.post(path, body, token);
    this.#request = request;
    request.on('socket', (socket) => socket.unref());
    request.on('error', (error) => this.fail(error));
    request.on('response', (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => this.#read(chunk));
      response.on('error', (error) => this.fail(error));
      response.on('close', () => this.fail(new Error('the stream was cut off')));
    });
    request.end(body);
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
    this.#request?.destroy();
  }

  #read(chunk: string): void {
    let from = 0;
    for (let at = chunk.indexOf('\n'); at >= 0 && !this.#isOver; at = chunk.indexOf('\n', from)) {
      const line = this.#rest + chunk.slice(from, at);
      this.#rest = '';
      from = at + 1;
      if (line !== '') this.#hear(line);
    }
    this.#rest += chunk.slice(from);
    if (this.#rest.length > answerLengthMax) this.fail(new ProtocolError('a line without end'));
  }

  #hear(line: string): void {
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

/** An answer, or what a stream tells. @throws EtcdRefusal, ProtocolError */
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
  // Of a stream it is an object within.
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
