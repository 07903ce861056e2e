/** One stage's work on one frame, under what covers its buffers; the same in every form. */

import type { Cover } from 'kds/buffers';
import { Buffers, type Scene, Times, type WorkStage } from './scene.ts';
import { Composer, type Context, Painter, project } from './work.ts';

export class StageWork {
  readonly #buffers: Buffers;
  readonly #times: Times;
  readonly #firstNumber: number;
  readonly #painter: Painter;
  readonly #composer: Composer;

  constructor(scene: Scene, makeContext: () => Context) {
    this.#buffers = new Buffers(scene);
    this.#times = new Times(scene);
    this.#firstNumber = scene.firstNumber;
    this.#painter = new Painter(makeContext());
    this.#composer = new Composer(makeContext());
  }

  run(stage: WorkStage, frame: number, cover: Cover): void {
    const times = this.#times;
    const number = this.#firstNumber + frame;
    times.begin(stage, frame);
    const vertices = this.#buffers.vertexOf(frame);
    const pixels = this.#buffers.frameOf(frame);
    if (stage === 'geometry') {
      project(vertices.write(cover, Float32Array), number);
    } else if (stage === 'render') {
      const outlines = vertices.read(cover, Float32Array);
      this.#painter.paint(outlines, pixels.write(cover, Uint8ClampedArray));
    } else {
      const spentMs = times.ended('render', frame) - times.began('geometry', frame);
      const text = `frame ${number}   ${spentMs.toFixed(1)} ms from geometry to pixels`;
      this.#composer.compose(pixels.write(cover, Uint8ClampedArray), text);
    }
    times.end(stage, frame);
  }
}
