/**
 * kds/inspect/page: a live page of a domain's holders and waiters.
 *
 * The page is for the user that runs it: served on the loopback address, under a path that cannot
 * be guessed, since other users of the machine can reach that address too; only for requests that
 * name that address as their Host, and come from no other site; and read-only. The domain is read
 * while the page has viewers, and not otherwise.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe } from '../api/sets.ts';
import { cut, escaped } from '../runtime/escape.ts';
import { clearRealTimeout, setRealTimeout } from '../runtime/real-time.ts';
import type { InspectedSnapshot } from './entries.ts';
import { PageViews } from './page-view.ts';

/**
 * Options of {@link servePage}.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import type { PageOptions } from 'kds/inspect/page';
 *
 * const domain = createDomain({ label: 'shop' });
 * const options: PageOptions = { read: () => domain.query(), title: 'shop', intervalMs: 1000 };
 * console.log((await options.read()).held.length); // 0
 * ```
 * @since 0.1.0
 */
export interface PageOptions {
  /**
   * Reads a snapshot: `() => domain.query()`. If it rejects, the page shows the message.
   *
   * @waits Resolves with the snapshot. The page reads the next one only then.
   */
  readonly read: () => Promise<InspectedSnapshot>;
  /** Heading of the page. Default 'kds'. */
  readonly title?: string | undefined;
  /** Port on the loopback address, 0 to 65,535. Default 0: any free port. */
  readonly port?: number | undefined;
  /** Time between two snapshots, in ms: 100 to 2^31 - 1, default 500. */
  readonly intervalMs?: number | undefined;
}

/**
 * A page that is served.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { servePage } from 'kds/inspect/page';
 *
 * const domain = createDomain();
 * const page = await servePage({ read: () => domain.query() });
 * console.log(new URL(page.url).hostname); // 127.0.0.1
 * await page.close();
 * ```
 * @since 0.1.0
 */
export interface RunningPage {
  /** For a browser; its secret path is the permission to view the page. */
  readonly url: string;
  /**
   * Disconnects all viewers. Calling it again does nothing.
   *
   * @waits Resolves when the port is free.
   */
  close(): Promise<void>;
}

const viewerCountMax = 16;
const intervalMsMin = 100;
const troubleLengthMax = 1000;
/** A longer timer fires at once. */
const intervalMsMax = 2 ** 31 - 1;
const pageFile = new URL('./page.html', import.meta.url);

/**
 * Serves the page until it is closed, for up to 16 viewers. Does not keep the process alive by
 * itself.
 *
 * @param options - The source of the snapshots, the title, the port and the interval.
 * @throws TypeError if the interval is no number.
 * @throws RangeError if the interval or the port is out of its bounds.
 * @throws The error of the system, as if the port is in use.
 * @waits Resolves when the page is served.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { servePage } from 'kds/inspect/page';
 *
 * const domain = createDomain({ label: 'shop' });
 * const page = await servePage({ read: () => domain.query(), title: 'shop' });
 * console.log(`open ${page.url}`);
 * await page.close();
 * ```
 * @since 0.1.0
 */
export async function servePage(options: PageOptions): Promise<RunningPage> {
  const { port = 0, intervalMs = 500 } = options;
  if (typeof intervalMs !== 'number') {
    throw new TypeError(`intervalMs is a number, not ${describe(intervalMs)}`);
  }
  if (!(intervalMs >= intervalMsMin && intervalMs <= intervalMsMax)) {
    const bounds = `${intervalMsMin} to ${intervalMsMax}`;
    throw new RangeError(`intervalMs is ${bounds}, not ${intervalMs}`);
  }
  const page = new Page(options, intervalMs);
  await page.listen(port);
  return page;
}

class Page implements RunningPage {
  readonly #options: PageOptions;
  readonly #intervalMs: number;
  readonly #key = randomBytes(16).toString('hex');
  readonly #html = readFileSync(pageFile, 'utf8');
  readonly #policy = policyFor(this.#html);
  readonly #server: Server;
  readonly #viewers = new Set<ServerResponse>();
  readonly #views = new PageViews();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  #port = 0;

  constructor(options: PageOptions, intervalMs: number) {
    this.#options = options;
    this.#intervalMs = intervalMs;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.headersTimeout = 10_000;
    this.#server.maxHeadersCount = 64;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/${this.#key}/`;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    this.#server.unref();
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    clearRealTimeout(this.#timer);
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.setHeader('Content-Security-Policy', this.#policy);
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      send(response, refusal.status, refusal.text);
      return;
    }
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    switch (pathname.slice(`/${this.#key}/`.length)) {
      case '':
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(this.#html);
        break;
      case 'events':
        this.#addViewer(request, response);
        break;
      case 'explain': {
        const number = Number(searchParams.get('resource'));
        const details = this.#views.details(number, searchParams.has('name'));
        if (details === undefined) send(response, 404, 'not in use any more');
        else response.setHeader('Content-Type', 'application/json').end(JSON.stringify(details));
        break;
      }
      default:
        send(response, 404, 'no such page');
    }
  }

  /** A page of another site may make a browser send a request, under any name of this address. */
  #refusalOf({ method, headers, url = '/' }: IncomingMessage) {
    const addresses = ['127.0.0.1', 'localhost'].map((name) => `${name}:${this.#port}`);
    const { host: address = '', origin } = headers;
    const site = headers['sec-fetch-site'] ?? 'none';
    const isFromHere = origin === undefined || origin === `http://${address}`;
    const isOfSite = site === 'none' || site === 'same-origin';
    if (!addresses.includes(address) || !isFromHere || !isOfSite) {
      return { status: 403, text: 'only for a browser that was given this address' };
    }
    if (!url.startsWith(`/${this.#key}/`)) return { status: 404, text: 'no such page' };
    return method === 'GET' ? undefined : { status: 405, text: 'this page is read-only' };
  }

  #addViewer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#viewers.size >= viewerCountMax) {
      send(response, 503, 'too many viewers');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 1000\n\n');
    this.#viewers.add(response);
    request.once('close', () => this.#viewers.delete(response));
    clearRealTimeout(this.#timer);
    void this.#update();
  }

  async #update(): Promise<void> {
    if (this.#isReading || this.#viewers.size === 0) return;
    this.#isReading = true;
    const message = await this.#message();
    this.#isReading = false;
    for (const viewer of this.#viewers) {
      // A viewer that cannot keep up gets the next message.
      if (!viewer.writableNeedDrain) viewer.write(message);
    }
    if (this.#viewers.size === 0) return;
    this.#timer = setRealTimeout(() => void this.#update(), this.#intervalMs);
    this.#timer.unref();
  }

  async #message(): Promise<string> {
    try {
      const snapshot = await this.#options.read();
      const view = this.#views.viewOf(snapshot, this.#options.title ?? 'kds');
      return `event: view\ndata: ${JSON.stringify(view)}\n\n`;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const printed = escaped(cut(text, troubleLengthMax));
      return `event: trouble\ndata: ${JSON.stringify(printed)}\n\n`;
    }
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

/** Only the page's own scripts run, and nothing is loaded from elsewhere. */
function policyFor(html: string): string {
  const hashesOf = (tag: string): string => {
    const found = [...html.matchAll(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 'gs'))];
    return found.map(([, text = '']) => `'sha256-${sha256(text)}'`).join(' ');
  };
  return [
    "default-src 'none'",
    `script-src ${hashesOf('script')}`,
    `style-src ${hashesOf('style')}`,
    "connect-src 'self'",
    // The icon.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
