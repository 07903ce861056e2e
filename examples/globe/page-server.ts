/**
 * The HTTP server of the globe's page: on the loopback address, for requests that name it as their
 * Host and come from no other site.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FormName, formNames } from './messages.ts';

/** What the server's requests do. */
export interface PageCommands {
  /** The next picture that comes on the display, as JPEG. */
  nextFrame(): Promise<Buffer>;
  nextState(): Promise<unknown>;
  choose(form: FormName): void;
  /** Lets the forms take turns. */
  takeTurns(): void;
  /** Clears all figures. */
  reset(): void;
}

const pageUrl = new URL('../examples/globe/page.html', import.meta.url);

/** Resolves with the URL when it listens. It ends with its thread. */
export async function servePipeline(port: number, commands: PageCommands): Promise<string> {
  const html = readFileSync(pageUrl, 'utf8');
  const policy = policyFor(html);
  const server = createServer(async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    response.setHeader('content-security-policy', policy);
    const takenPort = (server.address() as AddressInfo).port;
    try {
      const { pathname, searchParams } = new URL(`http://localhost${request.url}`);
      if (!isFromHere(request, takenPort)) send(response, 403, 'text/plain', 'another site');
      else if (request.method === 'POST') {
        const isDone = command(commands, pathname, searchParams.get('name'));
        send(response, isDone ? 204 : 405, 'text/plain', isDone ? '' : 'no such command');
      } else if (request.method !== 'GET') send(response, 405, 'text/plain', 'no such method');
      else if (pathname === '/') send(response, 200, 'text/html', html);
      else if (pathname === '/frame.jpg') {
        send(response, 200, 'image/jpeg', await commands.nextFrame());
      } else if (pathname === '/state.json') {
        const state = JSON.stringify(await commands.nextState());
        send(response, 200, 'application/json', state);
      } else send(response, 404, 'text/plain', 'there is no such page');
    } catch (error) {
      send(response, 503, 'text/plain', (error as Error).message);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** False if there is no such command. */
function command(commands: PageCommands, pathname: string, name: string | null): boolean {
  const form = formNames.find((each) => each === name);
  if (pathname === '/form' && form !== undefined) commands.choose(form);
  else if (pathname === '/turns') commands.takeTurns();
  else if (pathname === '/reset') commands.reset();
  else return false;
  return true;
}

/** A page of another site may make a browser send a request, under any name of this address. */
function isFromHere({ headers }: IncomingMessage, port: number): boolean {
  const { host = '', origin } = headers;
  const site = headers['sec-fetch-site'] ?? 'none';
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) return false;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  return site === 'none' || site === 'same-origin';
}

/** Nothing but the page's own script and style, its pictures and its requests. */
function policyFor(html: string): string {
  const hashOf = (tag: string): string => {
    const [, text = ''] = new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`).exec(html) ?? [];
    return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  };
  return [
    "default-src 'none'",
    `script-src ${hashOf('script')}`,
    `style-src ${hashOf('style')}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  const contentType = type.startsWith('image/') ? type : `${type}; charset=utf-8`;
  response.writeHead(status, { 'content-type': contentType }).end(body);
}
