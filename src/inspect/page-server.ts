/**
 * kds/inspect/page: a page that shows live who holds what and who waits for whom.
 *
 * It is for whoever runs it: served on the loopback address, under a path that cannot be guessed,
 * since other users of the machine can reach that address too; only for requests that name that
 * address as their Host, and come from no other site; and for looking only. What it shows is read
 * while somebody looks, and not otherwise.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { clearRealTimeout, setRealTimeout } from '../runtime/real-time.ts';
import type { InspectedSnapshot } from './entries.ts';
import { PageViews } from './page-view.ts';

export interface PageOptions {
  /** Who holds what now: `() => domain.query()`. If it rejects, the page shows the message. */
  readonly read: () => Promise<InspectedSnapshot>;
  /** Told on top of the page. */
  readonly title?: string | undefined;
  /** Default 0: any that is free. */
  readonly port?: number | undefined;
  /** Between two looks, in ms: 100 at least, default 500. */
  readonly intervalMs?: number | undefined;
}

export interface RunningPage {
  /** For the browser; whoever has it may look on. */
  readonly url: string;
  /** Ends all that look on. Doing it again does nothing. */
  close(): Promise<void>;
}

const viewerCountMax = 16;
const intervalMsMin = 100;
const pageFile = new URL('./page.html', import.meta.url);

/**
 * Serves the page until it is closed. Does not keep the process alive by itself.
 *
 * @throws RangeError for an interval or port that is none, and what listening fails with.
 * @example
 * import { createDomain } from 'kds';
 * import { servePage } from 'kds/inspect/page';
 *
 * const domain = createDomain({ label: 'shop' });
 * const page = await servePage({ read: () => domain.query(), title: 'shop' });
 * console.log(`open ${page.url}`);
 * await page.close();
 */
export async function servePage(options: PageOptions): Promise<RunningPage> {
  const { port = 0, intervalMs = 500 } = options;
  if (!(intervalMs >= intervalMsMin)) {
    throw new RangeError(`intervalMs is ${intervalMsMin} at least, not ${intervalMs}`);
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
    const reason = this.#whyNot(request);
    if (reason !== undefined) {
      tell(response, reason.status, reason.text);
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
        const text = this.#views.explain(Number(searchParams.get('resource')));
        tell(response, text === undefined ? 404 : 200, text ?? 'nobody uses that any more');
        break;
      }
      default:
        tell(response, 404, 'there is no such page');
    }
  }

  /** A page of another site may make a browser ask, under whatever name it gives this address. */
  #whyNot({ method, headers, url = '/' }: IncomingMessage) {
    const hosts = ['127.0.0.1', 'localhost'].map((name) => `${name}:${this.#port}`);
    const { host = '', origin } = headers;
    const site = headers['sec-fetch-site'] ?? 'none';
    const isFromHere = origin === undefined || origin === `http://${host}`;
    const isOfSite = site === 'none' || site === 'same-origin';
    if (!hosts.includes(host) || !isFromHere || !isOfSite) {
      return { status: 403, text: 'only for a browser that was given this address' };
    }
    if (!url.startsWith(`/${this.#key}/`)) return { status: 404, text: 'there is no such page' };
    return method === 'GET' ? undefined : { status: 405, text: 'this is for looking only' };
  }

  #addViewer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#viewers.size >= viewerCountMax) {
      tell(response, 503, 'too many look on');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 1000\n\n');
    this.#viewers.add(response);
    request.once('close', () => this.#viewers.delete(response));
    clearRealTimeout(this.#timer);
    void this.#look();
  }

  async #look(): Promise<void> {
    if (this.#isReading || this.#viewers.size === 0) return;
    this.#isReading = true;
    const message = await this.#message();
    this.#isReading = false;
    for (const viewer of this.#viewers) {
      // Who cannot keep up gets the next one.
      if (!viewer.writableNeedDrain) viewer.write(message);
    }
    if (this.#viewers.size === 0) return;
    this.#timer = setRealTimeout(() => void this.#look(), this.#intervalMs);
    this.#timer.unref();
  }

  async #message(): Promise<string> {
    try {
      const snapshot = await this.#options.read();
      const view = this.#views.viewOf(snapshot, this.#options.title ?? 'kds');
      return `event: view\ndata: ${JSON.stringify(view)}\n\n`;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return `event: trouble\ndata: ${JSON.stringify(text)}\n\n`;
    }
  }
}

function tell(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

/** Nothing runs there but what is in the page, and nothing is loaded from elsewhere. */
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
    // The icon, which is empty.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
