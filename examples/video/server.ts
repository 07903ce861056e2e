/**
 * Serves the example on the loopback address: its page, and the bundles of its threads. Shared
 * memory needs a page that is isolated from other sites, which two headers declare.
 */

import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { hashOf, listenOnLoopback, readPage, send } from '../shared/loopback.ts';

/** Relative to the bundle. */
const scripts = new URL('./browser/', import.meta.url);
const html = readPage(new URL('../examples/video/page.html', import.meta.url), {
  'panels.css': new URL('../examples/shared/panels.css', import.meta.url),
});
const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  // Nothing but the page's own scripts and workers, and no request to elsewhere.
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    `style-src ${hashOf(html, 'style')}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
};

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`--port is a whole number from 0 to 65535, not ${values.port}`);
  process.exit(64);
}
try {
  const url = await listenOnLoopback(port, answer);
  console.log(`kds: three workers decode, process and display a video in buffers that they share.

  page:  ${url}

Open the page in Chromium. Press Ctrl-C to stop.`);
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const inUse = `port ${port} is in use: npm run video -- --port 0 takes any free port`;
  console.error(code === 'EADDRINUSE' ? inUse : message);
  process.exit(1);
}

async function answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(`http://localhost${url}`);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (method !== 'GET') send(response, 405, 'text/plain', 'no such method');
  else if (pathname === '/') send(response, 200, 'text/html', html);
  else if (/^\/[\w-]+\.mjs$/.test(pathname)) {
    const script = await readFile(new URL(`.${pathname}`, scripts)).catch(() => undefined);
    if (script === undefined) send(response, 404, 'text/plain', 'there is no such script');
    else send(response, 200, 'text/javascript', script);
  } else send(response, 404, 'text/plain', 'there is no such page');
}
