/** Pages on the loopback address, for requests that name it as their Host and of no other site. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The text of a page, with each line of a comment like `panels.css` replaced by that file. */
export function readPage(page: URL, parts: Readonly<Record<string, URL>>): string {
  let html = readFileSync(page, 'utf8');
  for (const [name, part] of Object.entries(parts)) {
    html = html.replace(`/* ${name} */`, () => readFileSync(part, 'utf8'));
  }
  return html;
}

/** A source of a content security policy: the text of the page's one such element, inline. */
export function hashOf(html: string, tag: 'script' | 'style'): string {
  const [, text = ''] = new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`).exec(html) ?? [];
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Resolves with the URL when it listens. */
export async function listenOnLoopback(port: number, onRequest: RequestListener): Promise<string> {
  const server: Server = createServer((request, response) => {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    if (isFromHere(request, (server.address() as AddressInfo).port)) onRequest(request, response);
    else send(response, 403, 'text/plain', 'another site');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Buffer,
): void {
  const contentType = type.startsWith('image/') ? type : `${type}; charset=utf-8`;
  response.writeHead(status, { 'content-type': contentType }).end(body);
}

/** A page of another site may make a browser send a request, under any name of this address. */
function isFromHere({ headers }: IncomingMessage, port: number): boolean {
  const { origin } = headers;
  const site = headers['sec-fetch-site'] ?? 'none';
  const names = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!names.includes(headers.host ?? '')) return false;
  if (origin !== undefined && origin !== `http://${headers.host}`) return false;
  return site === 'none' || site === 'same-origin';
}
