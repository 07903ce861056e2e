/** Shows a frame at each vsync on its canvas, and checks that it is whole, and the next one. */

import { readCode } from './code.ts';
import { clipLength, frameBytes, height, width } from './scene.ts';
import { serveStage } from './stage.ts';

/** A page that is hidden has no vsyncs: then the frames go on slowly. */
const vsyncMsMax = 250;

serveStage('display', (canvas) => {
  const context = canvas?.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const image = new ImageData(width, height);
  const copy = new Uint8Array(image.data.buffer, 0, frameBytes);
  return async (route, scene) => {
    const vsyncs = new Vsyncs(() => scene.count('missed'));
    try {
      for (;;) {
        const turn = await route.next();
        if (turn === undefined) return;
        await vsyncs.next();
        const { number, buffer } = turn;
        copy.set(scene.pixels[buffer] as Uint8Array);
        const isWhole = scene.isSealed(buffer, number, copy);
        turn.pass();
        context.putImageData(image, 0, 0);
        if (!isWhole) scene.count('torn');
        else if (readCode(copy) !== number % clipLength) scene.count('misordered');
        scene.count('shown');
      }
    } finally {
      vsyncs.stop();
    }
  };
});

/** Vsyncs that a frame is ready for, and, after the first one, those that it is not. */
class Vsyncs {
  readonly #onMissed: () => void;
  #show: (() => void) | undefined;
  #hasShown = false;
  #isStopped = false;

  constructor(onMissed: () => void) {
    this.#onMissed = onMissed;
    const onVsync = (): void => {
      if (this.#isStopped) return;
      requestAnimationFrame(onVsync);
      if (this.#show === undefined && this.#hasShown) this.#onMissed();
      this.#pass();
    };
    requestAnimationFrame(onVsync);
  }

  async next(): Promise<void> {
    const timer = setTimeout(() => this.#pass(), vsyncMsMax);
    await new Promise<void>((resolve) => {
      this.#show = resolve;
    });
    clearTimeout(timer);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #pass(): void {
    this.#hasShown ||= this.#show !== undefined;
    this.#show?.();
    this.#show = undefined;
  }
}
