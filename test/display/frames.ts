/** Frames that can be told whole from torn: a number, a checksum over it and all pixels, pixels. */

const pixelCount = 64;
export const frameBytes = 4 * (2 + pixelCount);
const numberAt = 0;
const checksumAt = 1;
const pixelsAt = 2;

/** Draws the first half, or the second one and what makes it whole. */
export function draw(words: Int32Array, number: number, half: 0 | 1): void {
  const from = pixelsAt + (half * pixelCount) / 2;
  if (half === 0) words[numberAt] = number;
  for (let at = from; at < from + pixelCount / 2; at++)
    words[at] = Math.imul(number + at, 0x9e3779b1);
  if (half === 1) words[checksumAt] = checksumOf(words);
}

/** The number of a frame; undefined if it is torn. */
export function numberOf(words: ArrayLike<number>): number | undefined {
  return words[checksumAt] === checksumOf(words) ? words[numberAt] : undefined;
}

function checksumOf(words: ArrayLike<number>): number {
  let sum = (words[numberAt] as number) + 1;
  for (let at = pixelsAt; at < pixelsAt + pixelCount; at++) {
    sum = Math.imul(sum ^ (words[at] as number), 0x01000193);
  }
  return sum;
}
