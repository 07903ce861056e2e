/**
 * The HTTP server of the globe's page: on the loopback address, for requests that name it as their
 * Host and come from no other site.
 */

import { hashOf, listenOnLoopback, readPage, send } from '../shared/loopback.ts';
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

/** Relative to the bundle. */
const pageUrl = new URL('../examples/globe/page.html', import.meta.url);
const pageParts = {
  'panels.css': new URL('../examples/shared/panels.css', import.meta.url),
  'panels.mjs': new URL('./panels.mjs', import.meta.url),
};

/** Resolves with the URL when it listens. It ends with its thread. */
export function servePipeline(port: number, commands: PageCommands): Promise<string> {
  const html = readPage(pageUrl, pageParts);
  const policy = policyFor(html);
  return listenOnLoopback(port, async (request, response) => {
    response.setHeader('content-security-policy', policy);
    try {
      const { pathname, searchParams } = new URL(`http://localhost${request.url}`);
      if (request.method === 'POST') {
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

/** Nothing but the page's own script and style, its pictures and its requests. */
function policyFor(html: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashOf(html, 'script')}`,
    `style-src ${hashOf(html, 'style')}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
