/**
 * The live pipeline, until the process is interrupted. The main thread starts it in the form that
 * the page wants, and in two of the forms also works for it. So the page's server and the encoder
 * of its pictures are in a thread of their own, page-worker.ts, which receives frames from the
 * display without the main thread.
 */

import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { keepHalfBusy } from '../shared/half-busy.ts';
import { startBounced, startDirect } from './forms.ts';
import type { FormName, FromPage, PageData, Started } from './messages.ts';
import { makeScene } from './scene.ts';

/** Times of this number of frames are kept: the page reads them several times a second. */
const timeCount = 4096;

/** Resolves with the exit code. Rejects if a stage fails. */
export async function serve(port: number, hz: number): Promise<number> {
  const pageData: PageData = { port };
  const page = new Worker(new URL('./page-worker.mjs', import.meta.url), { workerData: pageData });
  const live = new Live(page, hz);
  const interrupted = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(0));
    process.once('SIGTERM', () => resolve(0));
  });
  const refused = new Promise<number>((resolve) => {
    page.on('message', (message: FromPage) => {
      if (message.kind === 'wanted') live.want(message.form, message.firstNumber);
      else if (message.kind === 'listening') printStart(message.url, message.inspectUrl);
      else {
        console.error(message.message);
        resolve(1);
      }
    });
  });
  try {
    const ended = once(page, 'exit').then(() => 1);
    return await Promise.race([interrupted, refused, ended, live.failed]);
  } finally {
    await live.close();
    await page.terminate();
  }
}

function printStart(url: string, inspectUrl: string): void {
  console.log(`kds: four worker threads draw a globe into buffers that they share.

  page:                 ${url}
  holders and waiters:  ${inspectUrl}

Open the page in a browser: there you switch how the threads hand the buffers over.
Press Ctrl-C to stop.`);
}

/** The pipeline that runs now: one at a time. */
class Live {
  /** Rejects when a stage fails. */
  readonly failed: Promise<never>;
  readonly #page: Worker;
  readonly #hz: number;
  #fail: (error: unknown) => void = () => {};
  #wanted: { readonly form: FormName; readonly firstNumber: number } | undefined;
  #switching: Promise<void> | undefined;
  #stop: () => Promise<void> = async () => {};
  #isOpen = true;

  constructor(page: Worker, hz: number) {
    this.#page = page;
    this.#hz = hz;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
  }

  want(form: FormName, firstNumber: number): void {
    this.#wanted = { form, firstNumber };
    this.#switching ??= this.#switch().finally(() => {
      this.#switching = undefined;
    });
    this.#switching.catch(this.#fail);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#switching;
    await this.#stop();
  }

  /** Only the last form that was wanted is started. */
  async #switch(): Promise<void> {
    while (this.#wanted !== undefined && this.#isOpen) {
      await this.#stop();
      const { form, firstNumber } = this.#wanted;
      this.#wanted = undefined;
      this.#stop = this.#start(form, firstNumber);
    }
  }

  #start(form: FormName, firstNumber: number): () => Promise<void> {
    const scene = makeScene(Number.POSITIVE_INFINITY, this.#hz, { firstNumber, timeCount });
    const { port1: viewer, port2: display } = new MessageChannel();
    const start = form === 'direct' ? startDirect : startBounced;
    const pipeline = start(scene, viewer);
    pipeline.ended.catch(this.#fail);
    const stopTasks = form === 'busy' ? keepHalfBusy() : () => {};
    const started: Started = { form, scene, arena: pipeline.arena, display };
    this.#page.postMessage(started, [display]);
    return async () => {
      stopTasks();
      await pipeline.close();
    };
  }
}
