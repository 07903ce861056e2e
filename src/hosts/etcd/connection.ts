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
import { LimitError, ProtocolError, UnavailableError } from '../../domain/errors.ts';
import type { Clock } from '../../event-loop/clock.ts';
import { Awake } from './awake.ts';
import type { Json } from './calls.ts';

/** An answer of more characters is taken for none of etcd's. */
const answerLengthMax = 2 ** 29 - 1024;
/** Between two rounds through all members, in ms: it doubles each time. */
const pauseMsMin = 20;
const pauseMsMax = 500;

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

/** Etcd's refusal; the code is one of gRPC's. */
export class EtcdRefusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const codes = { exhausted: 8, outOfRange: 11, unauthenticated: 16 };
/** Deadline exceeded, unavailable: another member may do better, or the same one in a while. */
const passing: ReadonlySet<number> = new Set([4, 14]);
/** Of what is exhausted: requests at a time, and the quota, which an operator can raise. */
const passingExhaustion = /too many|space exceeded/;

export class EtcdConnection {
  readonly #members: readonly Member[];
  readonly #auth: Members['auth'];
  readonly #clock: Clock;
  readonly #attemptMs: number;
  readonly #streams = new Set<OpenStream>();
  readonly #awake = new Awake();
  #at: number;
  #token: string | undefined;
  #isOpen = true;

  /** `attemptMs`: for so long one member is waited for. `random`: as Math.random. */
  constructor(members: Members, attemptMs: number, clock: Clock, random: () => number) {
    this.#members = members.urls.map((url) => new Member(url, members.tls));
    this.#auth = members.auth;
    this.#clock = clock;
    this.#attemptMs = attemptMs;
    // Else all clients would have the first one serve all of their watches.
    this.#at = Math.floor(random() * members.urls.length);
  }

  /**
   * @throws UnavailableError if no member answers within `limitMs`; EtcdRefusal; LimitError for
   * what is too large for etcd; ProtocolError for an answer that is none.
   */
  call(path: string, body: object, limitMs: number): Promise<Json> {
    return this.#awake.during(() => this.#call(path, JSON.stringify(body), limitMs));
  }

  async #call(path: string, text: string, limitMs: number): Promise<Json> {
    const endMs = this.#clock.nowMs() + limitMs;
    let reason: unknown;
    for (let attempt = 1; ; attempt++) {
      const leftMs = endMs - this.#clock.nowMs();
      if (leftMs <= 0 || !this.#isOpen) throw unavailable(limitMs, reason);
      const member = this.#current;
      try {
        const token = await this.#authenticate(Math.min(leftMs, this.#attemptMs));
        return await this.#ask(member, path, text, token, Math.min(leftMs, this.#attemptMs));
      } catch (error) {
        this.#throwIfFinal(error);
        reason = error;
      }
      this.#leave(member);
      if (attempt % this.#members.length > 0) continue;
      const round = attempt / this.#members.length - 1;
      await this.#pause(Math.min(pauseMsMin * 2 ** round, pauseMsMax));
    }
  }

  /** Opens a stream at the member that is spoken to now. */
  stream(path: string, body: object, listener: Listener): Stream {
    const stream = new OpenStream(this.#current, listener, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    this.#authenticate(this.#attemptMs).then(
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
    for (const stream of this.#streams) stream.close();
    for (const member of this.#members) member.agent.destroy();
  }

  get #current(): Member {
    return this.#members[this.#at] as Member;
  }

  /** Goes on with the next one, and ends the streams of this one, unless that has been done. */
  #leave(member: Member): void {
    if (member !== this.#current) return;
    this.#at = (this.#at + 1) % this.#members.length;
    for (const stream of [...this.#streams]) {
      if (stream.member === member) stream.fail(new Error('its member does not answer'));
    }
  }

  #throwIfFinal(error: unknown): void {
    if (error instanceof ProtocolError || error instanceof LimitError) throw error;
    if (!(error instanceof EtcdRefusal)) return;
    const { code, message } = error;
    if (code === codes.unauthenticated || message.includes('auth token')) {
      if (this.#token === undefined) throw error;
      this.#token = undefined;
    } else if (/too large|larger than max/.test(message)) {
      throw new LimitError(`etcd does not take a set that large: ${message}`);
    } else if (
      !passing.has(code) &&
      !(code === codes.exhausted && passingExhaustion.test(message))
    ) {
      throw error;
    }
  }

  async #authenticate(limitMs: number): Promise<string | undefined> {
    if (this.#auth === undefined || this.#token !== undefined) return this.#token;
    const { username: name, password } = this.#auth;
    const body = JSON.stringify({ name, password });
    const answer = await this.#ask(
      this.#current,
      '/v3/auth/authenticate',
      body,
      undefined,
      limitMs,
    );
    if (typeof answer['token'] !== 'string') throw new ProtocolError('etcd gives no token');
    this.#token = answer['token'];
    return this.#token;
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
      const cancel = this.#clock.after(limitMs, () => {
        fail(new Error(`${member.url.host} has not answered within ${Math.ceil(limitMs)} ms`));
      });
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

/** Whether etcd has forgotten the revision that it was asked for. */
export function isCompacted(error: unknown): boolean {
  return error instanceof EtcdRefusal && error.code === codes.outOfRange;
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
  return new UnavailableError(
    `no member of the etcd cluster has answered for ${Math.ceil(limitMs)} ms: ${last}`,
  );
}
