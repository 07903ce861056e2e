/** One domain that is open in an arena: its entry in the table of agents, and its end. */

import { generationOf, register } from './agents.ts';

export class Agent {
  readonly control: Int32Array;
  readonly number: number;
  readonly generation: number;
  #isClosed = false;
  readonly #whenClosed: (() => void)[] = [];

  /** Takes a free entry, LIVE or JOINING. @throws LimitError */
  constructor(control: Int32Array, state: number) {
    this.control = control;
    this.number = register(control, state);
    this.generation = generationOf(control, this.number);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Calls back when it is closed, or now if it is. */
  whenClosed(notify: () => void): void {
    if (this.#isClosed) notify();
    else this.#whenClosed.push(notify);
  }

  close(): void {
    this.#isClosed = true;
    for (const notify of this.#whenClosed) notify();
  }
}
