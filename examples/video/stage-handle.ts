/** A stage's worker, as the page has it. */

import type { ThreadsDomain } from 'kds/threads';
import type { FromStage, ToStage } from './messages.ts';
import type { SceneMemory, Stage } from './scene.ts';

export class StageHandle {
  readonly stage: Stage;
  readonly #worker: Worker;
  readonly #expected = new Map<FromStage['kind'], () => void>();
  #isTerminated = false;

  constructor(stage: Stage, onMessage: (message: FromStage) => void) {
    this.stage = stage;
    this.#worker = new Worker(new URL(`./${stage}-worker.mjs`, import.meta.url), {
      type: 'module',
    });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromStage>) => {
      if (this.#isTerminated) return;
      this.#resolve(data.kind);
      onMessage(data);
    });
    this.#worker.addEventListener('error', ({ message }) => {
      onMessage({ kind: 'failed', message: `${stage}: ${message}` });
    });
  }

  get isTerminated(): boolean {
    return this.#isTerminated;
  }

  async start(
    domain: ThreadsDomain,
    memory: SceneMemory,
    canvas: OffscreenCanvas | undefined,
  ): Promise<void> {
    domain.attachWorker(this.#worker);
    const transfer = canvas === undefined ? [] : [canvas];
    await this.request({ kind: 'start', arena: domain.arena, memory, canvas }, 'ready', transfer);
  }

  send(message: ToStage, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Sends a message; resolves with its answer, or when the worker is terminated. */
  async request(
    message: ToStage,
    answer: FromStage['kind'],
    transfer: Transferable[] = [],
  ): Promise<void> {
    if (this.#isTerminated) return;
    await new Promise<void>((resolve) => {
      this.#expected.set(answer, resolve);
      this.send(message, transfer);
    });
  }

  terminate(): void {
    this.#worker.terminate();
    this.#isTerminated = true;
    for (const kind of this.#expected.keys()) this.#resolve(kind);
  }

  #resolve(kind: FromStage['kind']): void {
    this.#expected.get(kind)?.();
    this.#expected.delete(kind);
  }
}
