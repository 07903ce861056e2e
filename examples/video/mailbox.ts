/** Frames that come by messages of the main thread, and go back to it. */

import type { Handed, Source } from './route.ts';

/** Message of the main thread: a stage has its turn with a frame. */
export interface TurnMessage {
  readonly kind: 'turn';
  readonly number: number;
  readonly buffer: number;
}

export class Mailbox implements Source {
  readonly #pass: (number: number) => void;
  readonly #received: TurnMessage[] = [];
  #isOpen = true;
  #notify: () => void = () => {};

  constructor(pass: (number: number) => void) {
    this.#pass = pass;
  }

  receive(message: TurnMessage): void {
    this.#received.push(message);
    this.#notify();
  }

  async next(number: number): Promise<Handed | undefined> {
    while (this.#isOpen && this.#received.length === 0) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
    const message = this.#received.shift();
    if (message === undefined || !this.#isOpen) return undefined;
    if (message.number !== number) throw new Error(`frame ${message.number} in place of ${number}`);
    return { buffer: message.buffer, pass: () => this.#pass(number) };
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#notify();
  }
}
