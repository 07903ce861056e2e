/** Whether there is memory that threads share, and what is such memory. */

import { UnsupportedError } from './errors.ts';

/** @throws UnsupportedError where a browser keeps it from the page. */
export function checkCanShareMemory(): void {
  if (typeof globalThis.SharedArrayBuffer === 'function') return;
  throw new UnsupportedError(
    'no SharedArrayBuffer: a browser offers it only to a page that is cross-origin isolated. ' +
      'Serve the page with the headers Cross-Origin-Opener-Policy (COOP): same-origin and ' +
      'Cross-Origin-Embedder-Policy (COEP): require-corp',
  );
}

/** Of another realm too, as of the page around a frame: `instanceof` knows only its own. */
export function isSharedMemory(value: unknown): value is SharedArrayBuffer {
  if (typeof globalThis.SharedArrayBuffer !== 'function') return false;
  try {
    byteLengthOf(value);
    return true;
  } catch {
    return false;
  }
}

function byteLengthOf(value: unknown): unknown {
  return Reflect.get(SharedArrayBuffer.prototype, 'byteLength', value);
}
