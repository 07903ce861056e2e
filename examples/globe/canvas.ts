/** Canvases of Node. */

import { createCanvas } from '@napi-rs/canvas';
import { size } from './scene.ts';
import type { Context } from './work.ts';

export function makeContext(): Context {
  return createCanvas(size, size).getContext('2d') as unknown as Context;
}

/** A frame as a picture. */
export function encode(pixels: ArrayLike<number>, format: 'png' | 'jpeg'): Promise<Buffer> {
  const canvas = createCanvas(size, size);
  const context = canvas.getContext('2d');
  const image = context.createImageData(size, size);
  image.data.set(pixels);
  context.putImageData(image, 0, 0);
  return format === 'png' ? canvas.encode('png') : canvas.encode('jpeg', 85);
}
