/**
 * How frames reach a stage and leave it: the same for the stage whether workers wake each other, or
 * the main thread sends them messages.
 */

import type { Scene, Stage } from './scene.ts';

/** A frame's buffer, in the hands of a stage until it passes the frame on. */
export interface Handed {
  readonly buffer: number;
  pass(): void;
}

/** Where the frames of a route come from, in order. */
export interface Source {
  /** Undefined if there will be no more, as the source was closed, or the stage before ended. */
  next(number: number): Promise<Handed | undefined>;
  close(): Promise<void>;
}

export interface Turn extends Handed {
  readonly number: number;
}

export class Route {
  readonly #source: Source;
  readonly #scene: Scene;
  readonly #stage: Stage;
  #number = 0;
  /** The turn that the stage has. */
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(source: Source, scene: Scene, stage: Stage) {
    this.#source = source;
    this.#scene = scene;
    this.#stage = stage;
  }

  /** The turn of the next frame, which the stage passes on before it requests the one after. */
  async next(): Promise<Turn | undefined> {
    if (this.#isClosed) return undefined;
    const number = this.#number;
    const handed = await this.#source.next(number);
    if (handed === undefined || this.#isClosed) return undefined;
    this.#number++;
    const { times } = this.#scene;
    times.begin(this.#stage, number);
    let onPassed = (): void => {};
    this.#work = new Promise((resolve) => {
      onPassed = resolve;
    });
    const pass = (): void => {
      times.end(this.#stage, number);
      handed.pass();
      onPassed();
    };
    return { number, buffer: handed.buffer, pass };
  }

  /** Waits for the turn that the stage has: its buffer is not given up while it is in use. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
    await this.#source.close();
  }
}
