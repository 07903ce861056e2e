/**
 * Frames are requested ahead, stage after stage: counters in shared memory have the number of
 * frames that each stage has requested, so that all requests are queued in the order of the
 * pipeline ("atom enqueued" of kds.txt). The work itself waits for grants alone.
 */

import { frameBufferCount, type Scene, type Stage, stages, vertexBufferCount } from './scene.ts';

export interface Asking {
  /** Resolves when all requests are queued that must precede this stage's for a frame. */
  turnOf(frame: number): Promise<void>;
  /** This stage's request for the next frame stands in line. */
  hasAsked(): void;
}

/** Of which stage and, relative to its own, frame. */
const comesAfter: Readonly<Record<Stage, readonly (readonly [Stage, number])[]>> = {
  geometry: [['render', -vertexBufferCount]],
  render: [
    ['geometry', 0],
    ['display', -frameBufferCount],
  ],
  compose: [['render', 0]],
  display: [['compose', 0]],
};

export function askingFor(stage: Stage, scene: Scene): Asking {
  const asked = new Int32Array(scene.asked);
  return {
    async turnOf(frame) {
      for (const [before, offset] of comesAfter[stage]) {
        const at = stages.indexOf(before);
        for (let count = Atomics.load(asked, at); count <= frame + offset; ) {
          await Atomics.waitAsync(asked, at, count).value;
          count = Atomics.load(asked, at);
        }
      }
    },
    hasAsked() {
      const at = stages.indexOf(stage);
      Atomics.add(asked, at, 1);
      Atomics.notify(asked, at);
    },
  };
}
