/** The main thread as the coordinator: each frame comes back to it after each stage. */

import type { TurnMessage } from './mailbox.ts';
import { bufferCount, type Stage, stages } from './scene.ts';

export class Relay {
  readonly #send: (stage: Stage, message: TurnMessage) => void;
  /** Buffers of the frames under way, by frame. */
  readonly #taken = new Map<number, number>();
  #poolSize: number;
  #next = 0;

  constructor(poolSize: number, send: (stage: Stage, message: TurnMessage) => void) {
    this.#poolSize = poolSize;
    this.#send = send;
  }

  get inFlight(): number {
    return this.#taken.size;
  }

  setPoolSize(poolSize: number): void {
    this.#poolSize = poolSize;
    if (this.#next > 0) this.#giveBuffers();
  }

  start(): void {
    this.#next = 0;
    this.#taken.clear();
    this.#giveBuffers();
  }

  /** A stage has passed a frame on. */
  pass(stage: Stage, number: number): void {
    const next = stages[stages.indexOf(stage) + 1];
    if (next !== undefined) this.#sendTurn(next, number);
    else {
      this.#taken.delete(number);
      this.#giveBuffers();
    }
  }

  #giveBuffers(): void {
    const taken = new Set(this.#taken.values());
    for (let buffer = 0; buffer < bufferCount && taken.size < this.#poolSize; buffer++) {
      if (taken.has(buffer)) continue;
      taken.add(buffer);
      const number = this.#next++;
      this.#taken.set(number, buffer);
      this.#sendTurn('decoder', number);
    }
  }

  #sendTurn(stage: Stage, number: number): void {
    this.#send(stage, { kind: 'turn', number, buffer: this.#taken.get(number) as number });
  }
}
