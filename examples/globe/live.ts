/**
 * The globe's page: what is on the screen now, who has which buffer and who waits for it, and
 * latencies. Beside it kds' own page of the same domain.
 *
 * A browser requests a picture when it has displayed the last one, and gets the next one on screen;
 * so it is sent as many as it can take, and the pipeline waits for nobody.
 */

import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Snapshot } from 'kds';
import type { DisplayStatistics } from 'kds/display';
import { type RunningPage, servePage } from 'kds/inspect/page';
import { encode } from './canvas.ts';
import { type DirectPipeline, startDirect } from './forms.ts';
import { makeScene } from './scene.ts';
import type { FromDisplay, ToDisplay } from './stage-worker.ts';

const waitingMax = 32;
const pageUrl = new URL('../examples/globe/page.html', import.meta.url);

/** Data for the page, beside the picture. */
interface State {
  readonly snapshot: Snapshot;
  readonly statistics: DisplayStatistics;
}

/** Runs and serves until the process is interrupted, or a stage fails. */
export async function serve(port: number, hz: number): Promise<void> {
  const live = new Live(startDirect(makeScene(Number.POSITIVE_INFINITY, hz)));
  const server = createServer((request, response) => void live.answer(request, response));
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  let page: RunningPage | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const { port: taken } = server.address() as AddressInfo;
    console.log(`the globe spins at http://127.0.0.1:${taken}/ until you press Ctrl-C`);
    const read = () => live.pipeline.domain.query();
    page = await servePage({ read, title: 'globe', intervalMs: 200 });
    console.log(`who holds which buffer, and who waits for whom: ${page.url}`);
    await Promise.race([interrupted, live.pipeline.ended]);
  } finally {
    await page?.close();
    server.close();
    server.closeAllConnections();
    await live.pipeline.close();
  }
}

class Live {
  readonly pipeline: DirectPipeline;
  readonly #frames = new Answers<Buffer>(() => this.#ask('frame'));
  readonly #states = new Answers<State>(() => this.#ask('statistics'));

  constructor(pipeline: DirectPipeline) {
    this.pipeline = pipeline;
    pipeline.display.on('message', (message: FromDisplay) => void this.#receive(message));
  }

  async answer({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [path] = url.split('?');
      if (method !== 'GET') send(response, 405, 'text/plain', 'this page is read-only');
      else if (path === '/') send(response, 200, 'text/html', await readFile(pageUrl));
      else if (path === '/frame.jpg') send(response, 200, 'image/jpeg', await this.#frames.next());
      else if (path === '/state.json') {
        send(response, 200, 'application/json', JSON.stringify(await this.#states.next()));
      } else send(response, 404, 'text/plain', 'there is no such page');
    } catch (error) {
      send(response, 503, 'text/plain', (error as Error).message);
    }
  }

  #ask(wanted: ToDisplay): void {
    this.pipeline.display.postMessage(wanted);
  }

  async #receive(message: FromDisplay): Promise<void> {
    if (message.kind === 'frame') this.#frames.publish(await encode(message.pixels, 'jpeg'));
    if (message.kind !== 'statistics') return;
    this.#states.publish({
      snapshot: this.pipeline.domain.querySync(),
      statistics: message.statistics,
    });
  }
}

/** Those who wait for the next of something, which is asked for once for all of them. */
class Answers<T> {
  readonly #ask: () => void;
  #waiting: ((answer: T) => void)[] = [];

  constructor(ask: () => void) {
    this.#ask = ask;
  }

  next(): Promise<T> {
    if (this.#waiting.length >= waitingMax) return Promise.reject(new Error('too many viewers'));
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#ask();
    });
  }

  publish(answer: T): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(answer);
  }
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  const headers = { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(body);
}
