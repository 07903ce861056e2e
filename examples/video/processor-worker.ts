/** Draws the edges of the right half of each frame, in its buffer. */

import { readCode, stripHeight } from './code.ts';
import { clipLength, height, width } from './scene.ts';
import { serveStage } from './stage.ts';

serveStage('processor', () => async (route, scene) => {
  const edges = new Edges();
  for (;;) {
    const turn = await route.next();
    if (turn === undefined) return;
    const { number, buffer } = turn;
    const pixels = scene.pixels[buffer] as Uint8Array;
    if (!scene.isSealed(buffer, number, pixels)) scene.count('torn');
    else if (readCode(pixels) !== number % clipLength) scene.count('misordered');
    edges.draw(pixels);
    scene.seal(buffer, number);
    turn.pass();
  }
});

const left = width / 2;

class Edges {
  readonly #luma = new Uint8Array(width * height);

  /** By Sobel's operator. The strips with the number stay as they are. */
  draw(pixels: Uint8Array): void {
    const luma = this.#luma;
    for (let y = stripHeight; y < height - stripHeight; y++) {
      for (let x = left - 1; x < width; x++) {
        const at = 4 * (y * width + x);
        const [red, green, blue] = [pixels[at], pixels[at + 1], pixels[at + 2]] as number[];
        luma[at / 4] =
          ((red as number) * 77 + (green as number) * 150 + (blue as number) * 29) >> 8;
      }
    }
    for (let y = stripHeight + 1; y < height - stripHeight - 1; y++) {
      for (let x = left; x < width - 1; x++) {
        const at = y * width + x;
        const of = (dx: number, dy: number): number => luma[at + dy * width + dx] as number;
        const across = of(1, -1) + 2 * of(1, 0) + of(1, 1) - of(-1, -1) - 2 * of(-1, 0) - of(-1, 1);
        const down = of(-1, 1) + 2 * of(0, 1) + of(1, 1) - of(-1, -1) - 2 * of(0, -1) - of(1, -1);
        const edge = Math.min(255, Math.abs(across) + Math.abs(down));
        pixels[4 * at] = edge >> 2;
        pixels[4 * at + 1] = edge;
        pixels[4 * at + 2] = 40 + ((edge * 3) >> 2);
      }
    }
  }
}
