/**
 * A site on loopback that serves a page and its workers with the headers that shared memory needs,
 * and a headless Chromium that visits it.
 *
 * With `?without=waitAsync` a script begins by deleting Atomics.waitAsync, before any of its code
 * is loaded; with `?deaf` no message arrives on a BroadcastChannel.
 */

import { accessSync, constants, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { bundleWorker } from '../threads/bundle.ts';
import type { Scenarios } from './page.ts';

/** Where Debian's chromium is; undefined if it is not installed. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'chromium')).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a scenario of page.ts takes and returns. */
type Parameters<Name extends keyof Scenarios> = Scenarios[Name] extends (
  ...parameters: infer P
) => unknown
  ? P
  : never;

export class IsolatedSite {
  readonly #browser: Browser;
  readonly #server: Server;

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser;
    this.#server = server;
  }

  static async open(executablePath: string): Promise<IsolatedSite> {
    const scripts = new Map<string, string>();
    scripts.set('/page.js', await bundled(new URL('./page.ts', import.meta.url)));
    scripts.set('/worker.js', await bundled(new URL('./worker.ts', import.meta.url)));
    const server = serve(scripts);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // Chromium's sandbox refuses to work for root.
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    try {
      return new IsolatedSite(await chromium.launch({ executablePath, args }), server);
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** Runs a scenario in a page of its own; what it throws, and what goes wrong in the page, too. */
  async run<Name extends keyof Scenarios>(
    name: Name,
    parameters: Parameters<Name>,
    search = '',
  ): Promise<Awaited<ReturnType<Scenarios[Name]>>> {
    const page = await this.#browser.newPage();
    const errors: Error[] = [];
    page.on('pageerror', (error) => errors.push(error));
    try {
      const { port } = this.#server.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}/${search}`);
      const call = `scenarios[${JSON.stringify(name)}](...${JSON.stringify(parameters)})`;
      const facts = await page.evaluate(call);
      if (errors.length > 0) throw errors[0];
      return facts as Awaited<ReturnType<Scenarios[Name]>>;
    } finally {
      await page.close();
    }
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function bundled(entry: URL): Promise<string> {
  const bundle = await bundleWorker(entry, { platform: 'browser', countSteps: true });
  try {
    return readFileSync(bundle.path, 'utf8');
  } finally {
    bundle.remove();
  }
}

/** Loses every message of a channel, as those are lost that are sent before it is connected. */
const deaf = 'BroadcastChannel.prototype.postMessage = () => {};';

function serve(scripts: ReadonlyMap<string, string>): Server {
  return createServer(({ url = '/' }, response) => {
    const { pathname, search, searchParams } = new URL(url, 'http://localhost');
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    response.setHeader('Cache-Control', 'no-store');
    const script = scripts.get(pathname);
    if (script !== undefined) {
      const missing = searchParams.get('without');
      const deleted = missing === null ? '' : `delete Atomics.${missing};\n`;
      const first = searchParams.has('deaf') ? `${deleted}${deaf}\n` : deleted;
      response.setHeader('Content-Type', 'text/javascript; charset=utf-8');
      response.end(first + script);
    } else if (pathname === '/') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(`<!doctype html><script type="module" src="/page.js${search}"></script>`);
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
}
