/** A member of the cluster, reached by HTTP or HTTPS through its JSON gateway. */

import { type ClientRequest, Agent as PlainAgent, request as requestPlain } from 'node:http';
import { request as requestSecure, Agent as SecureAgent } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { AnswerEvents, Member, MemberRequest } from './connection.ts';

type Pem = string | Uint8Array;

/**
 * The options of `node:tls` that certificates need, declared without Node's types. Certificates and
 * keys are PEM, as text or bytes.
 *
 * @since 0.2.0
 */
export interface EtcdTls {
  /** The trusted authorities, in place of the well-known ones. Default: the well-known ones. */
  readonly ca?: Pem | readonly Pem[] | undefined;
  /** The certificate of this client, for a cluster that requires one. Default: none. */
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
  /** The passphrase of `key` or `pfx`. */
  readonly passphrase?: string | undefined;
  /** Lists of revoked certificates. */
  readonly crl?: Pem | readonly Pem[] | undefined;
  /** The name that the certificate must have, if not the one in the URL. */
  readonly servername?: string | undefined;
  /** The accepted ciphers, in OpenSSL's syntax. Default: those of Node. */
  readonly ciphers?: string | undefined;
  /** The oldest accepted version of TLS. Default: that of Node. */
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** The newest accepted version of TLS. Default: that of Node. */
  readonly maxVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' | undefined;
}

/** The members at these addresses, `http://host:port` each. */
export function httpMembers(urls: readonly URL[], tls?: EtcdTls): readonly Member[] {
  return urls.map((url) => new HttpMember(url, tls));
}

class HttpMember implements Member {
  readonly name: string;
  readonly #url: URL;
  readonly #agent: PlainAgent | SecureAgent;
  readonly #tls: ConnectionOptions | undefined;

  constructor(url: URL, given: EtcdTls | undefined) {
    this.name = url.host;
    this.#url = url;
    const tls = given as ConnectionOptions | undefined;
    this.#tls = tls;
    const keep = { keepAlive: true, noDelay: true };
    this.#agent = this.#isSecure ? new SecureAgent({ ...keep, ...tls }) : new PlainAgent(keep);
  }

  post({ body, keepsAlive, ...head }: MemberRequest, events: AnswerEvents): () => void {
    const request = this.#request(body, head.path, head.token);
    let isOver = false;
    const fail = (error: unknown): void => {
      if (isOver) return;
      isOver = true;
      events.onFailed(error);
    };
    if (!keepsAlive) request.on('socket', (socket) => socket.unref());
    this.#onConnected(request, events.onConnected);
    request.on('error', fail);
    request.on('response', (response) => {
      response.setEncoding('utf8');
      response.on('data', events.onText);
      response.on('error', fail);
      response.on('aborted', () => fail(new Error('the answer was cut off')));
      response.on('end', () => {
        if (isOver) return;
        isOver = true;
        events.onEnd();
      });
      response.on('close', () => fail(new Error('the answer was cut off')));
    });
    request.end(body);
    return () => request.destroy();
  }

  close(): void {
    this.#agent.destroy();
  }

  get #isSecure(): boolean {
    return this.#url.protocol === 'https:';
  }

  /** A request whose body is still to be written. */
  #request(body: string, path: string, token: string | undefined): ClientRequest {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token !== undefined && { authorization: token }),
    };
    const { hostname, port } = this.#url;
    // The brackets of an IPv6 address are the URL's, not the host's.
    const host = hostname.replace(/^\[|\]$/g, '');
    const base = this.#url.pathname.replace(/\/$/, '');
    const options = { method: 'POST', path: `${base}${path}`, host, port, headers };
    return this.#isSecure
      ? requestSecure({ ...options, ...this.#tls, agent: this.#agent as SecureAgent })
      : requestPlain({ ...options, agent: this.#agent as PlainAgent });
  }

  /** Calls back when the request can be sent: its connection is up, with TLS agreed upon. */
  #onConnected(request: ClientRequest, then: () => void): void {
    const event = this.#isSecure ? 'secureConnect' : 'connect';
    request.once('socket', (socket) => {
      if (request.reusedSocket) then();
      else socket.once(event, then);
    });
  }
}
