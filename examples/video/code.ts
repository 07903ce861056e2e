/**
 * The number of a frame as large black and white blocks, which lossy coding leaves readable: eight
 * bits, and the same bits inverted, side by side. A strip of them is at the top of a picture, and
 * one at its bottom, so a picture of two frames has two numbers.
 */

import { height, width } from './scene.ts';

const bitCount = 8;
const blockCount = 2 * bitCount;
const blockWidth = width / blockCount;
export const stripHeight = 20;

/** Values of a pixel that count as black or as white. */
const blackMax = 80;
const whiteMin = 175;

/** What is needed of a canvas's context. */
type Context = Pick<OffscreenCanvasRenderingContext2D, 'fillStyle' | 'fillRect'>;

/** Draws both strips. The number is 0 to 255. */
export function drawCode(context: Context, number: number): void {
  for (let block = 0; block < blockCount; block++) {
    context.fillStyle = isWhite(number, block) ? '#fff' : '#000';
    context.fillRect(block * blockWidth, 0, blockWidth, stripHeight);
    context.fillRect(block * blockWidth, height - stripHeight, blockWidth, stripHeight);
  }
}

/** Reads both strips. Undefined if they are not those of one frame. */
export function readCode(pixels: Uint8Array | Uint8ClampedArray): number | undefined {
  const [top, bottom] = [0, height - stripHeight].map((y) => readStrip(pixels, y));
  return top === bottom ? top : undefined;
}

function readStrip(pixels: Uint8Array | Uint8ClampedArray, y: number): number | undefined {
  let bits = 0;
  for (let block = 0; block < blockCount; block++) {
    const x = block * blockWidth + blockWidth / 2;
    // The green channel of the block's middle.
    const value = pixels[4 * ((y + stripHeight / 2) * width + x) + 1] as number;
    if (value > blackMax && value < whiteMin) return undefined;
    if (value >= whiteMin) bits |= 1 << block;
  }
  const number = bits & (2 ** bitCount - 1);
  return bits >>> bitCount === (~number & (2 ** bitCount - 1)) ? number : undefined;
}

function isWhite(number: number, block: number): boolean {
  const bit = (number >> (block % bitCount)) & 1;
  return block < bitCount ? bit === 1 : bit === 0;
}
