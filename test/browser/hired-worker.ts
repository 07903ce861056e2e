/** The page's side of one of its workers. */

import type { ThreadsDomain } from '../../src/backends/threads/index.ts';
import type { Answer, Order } from './worker-messages.ts';

export class HiredWorker {
  readonly #worker: Worker;
  readonly #answers: Answer[] = [];
  readonly #waiting: ((answer: Answer) => void)[] = [];

  /** `script` as the site serves it. The domain is told of it before it can open one of its own. */
  constructor(domain: ThreadsDomain, script: string) {
    this.#worker = new Worker(script, { type: 'module' });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const hear = this.#waiting.shift();
      if (hear === undefined) this.#answers.push(data);
      else hear(data);
    };
    domain.attachWorker(this.#worker);
  }

  /** Resolves with what it answers; it does one thing after the other. */
  tell(order: Order): Promise<Answer> {
    this.#worker.postMessage(order);
    return this.answer();
  }

  /** What it says next, unasked. */
  answer(): Promise<Answer> {
    const answer = this.#answers.shift();
    if (answer !== undefined) return Promise.resolve(answer);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
