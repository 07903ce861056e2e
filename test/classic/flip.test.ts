/**
 * What kds was made for (kds.txt, "Buffer publish/vsync"): jobs of a renderer draw into two buffers
 * in turn, a display shows them, and nobody passes anything on. All is asked for ahead of time.
 */

import { createDomain } from 'kds';
import {
  classic,
  KDS_FLAG_LOCKED_WAIT,
  type Kds,
  type kds_callback,
  type kds_resource,
  type kds_resource_set_pointer,
} from 'kds/classic';
import { describe, expect, it } from 'vitest';

interface Buffer {
  readonly name: string;
  readonly kds: kds_resource;
  /** The frame it contains; NaN while one is being drawn. */
  frame: number;
}

interface Job {
  readonly frame: number;
  readonly target: Buffer;
  readonly rset: kds_resource_set_pointer;
}

/** Runs a job when it owns its target and the engine, until the hardware says `complete`. */
class Renderer {
  readonly #engine: kds_resource = {};
  readonly #kds: Kds;
  readonly #log: string[];
  readonly #cb: kds_callback<Job, null> = {};
  #running: Job | undefined;

  constructor(kds: Kds, log: string[]) {
    this.#kds = kds;
    this.#log = log;
    kds.kds_resource_init(this.#engine);
    kds.kds_callback_init(this.#cb, false, (job) => this.#start(job));
  }

  draw(frame: number, target: Buffer): void {
    const job: Job = { frame, target, rset: { value: null } };
    const list = [this.#engine, target.kds];
    this.#kds.kds_async_waitall(job.rset, KDS_FLAG_LOCKED_WAIT, this.#cb, job, null, 2, [3], list);
  }

  complete(): void {
    const { target, frame, rset } = this.#running as Job;
    this.#running = undefined;
    target.frame = frame;
    this.#kds.kds_resource_set_release(rset);
  }

  #start(job: Job): void {
    this.#running = job;
    job.target.frame = Number.NaN;
    this.#log.push(`draws ${job.frame} into ${job.target.name}`);
  }
}

interface Flip {
  readonly target: Buffer;
  readonly rset: kds_resource_set_pointer;
}

/** Shows a buffer from the vsync on that follows its grant; only then the one before is let go. */
class Display {
  readonly #kds: Kds;
  readonly #log: string[];
  readonly #cb: kds_callback<Flip, Flip[]> = {};
  readonly #next: Flip[] = [];
  #shown: Flip | undefined;

  constructor(kds: Kds, log: string[]) {
    this.#kds = kds;
    this.#log = log;
    kds.kds_callback_init(this.#cb, true, (flip, next) => next.push(flip));
  }

  flip(target: Buffer): void {
    const flip: Flip = { target, rset: { value: null } };
    const flags = KDS_FLAG_LOCKED_WAIT;
    const list = [target.kds];
    this.#kds.kds_async_waitall(flip.rset, flags, this.#cb, flip, this.#next, 1, [0], list);
  }

  vsync(): void {
    const before = this.#shown;
    const next = this.#next.shift();
    if (next !== undefined) this.#shown = next;
    this.#log.push(`shows ${this.#shown?.target.frame ?? 'nothing'}`);
    if (next !== undefined && before !== undefined) {
      this.#kds.kds_resource_set_release(before.rset);
    }
  }
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a renderer and a display with two buffers', () => {
  it('displays a frame when it is drawn, and draws over it when it is replaced', async () => {
    const kds = classic(createDomain());
    const log: string[] = [];
    const [front, back] = ['front', 'back'].map((name): Buffer => {
      const buffer = { name, kds: {}, frame: 0 };
      kds.kds_resource_init(buffer.kds);
      return buffer;
    }) as [Buffer, Buffer];
    const renderer = new Renderer(kds, log);
    const display = new Display(kds, log);
    const newlyLogged = async (): Promise<string[]> => {
      await soon();
      return log.splice(0);
    };

    for (const [frame, target] of [back, front, back].entries()) {
      renderer.draw(frame + 1, target);
      display.flip(target);
    }
    display.vsync();
    expect(await newlyLogged()).toEqual(['shows nothing', 'draws 1 into back']);

    renderer.complete();
    display.vsync();
    expect(await newlyLogged()).toEqual(['shows 1', 'draws 2 into front']);
    display.vsync();
    expect(await newlyLogged()).toEqual(['shows 1']);

    // Frame 2 is drawn, but frame 1 is on the screen until the vsync: its buffer is not drawn into.
    renderer.complete();
    expect(await newlyLogged()).toEqual([]);
    display.vsync();
    expect(await newlyLogged()).toEqual(['shows 2', 'draws 3 into back']);

    display.vsync();
    renderer.complete();
    display.vsync();
    expect(await newlyLogged()).toEqual(['shows 2', 'shows 3']);

    // The display holds back and nothing else; of what it has shown before, nothing is left.
    expect(kds.kds_resource_term(front.kds)).toBe(0);
    expect(() => kds.kds_resource_term(back.kds)).toThrow();
  });
});
