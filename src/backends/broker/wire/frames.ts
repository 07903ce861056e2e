/**
 * Frames: each is a line of UTF-8 that holds one JSON object. A line that is too long is refused as
 * soon as it is, so whatever comes, no more than one frame and one chunk are kept.
 */

import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../../../api/errors.ts';
import { quote } from '../../../runtime/escape.ts';

const lineFeed = 10;

/** What a frame holds, before it is checked. */
export type Frame = { readonly [key in string]?: unknown };

export class FrameDecoder {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  #byteCount = 0;

  /** `bytesMax`: the length of a frame, at most, without its line feed. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Reports each frame that ends in this chunk, in order, with its length in bytes.
   *
   * @throws ProtocolError for what is no frame; the decoder is of no use then. And what `onFrame`
   * throws.
   */
  push(chunk: Buffer, onFrame: (frame: Frame, byteCount: number) => void): void {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      // An empty line is nothing, so that a person may type some.
      if (line.length > 0) onFrame(parse(line), line.length);
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #take(last: Buffer): Buffer {
    this.#check(last.length);
    if (this.#parts.length === 0) return last;
    const line = Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#byteCount = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#check(part.length);
    this.#byteCount += part.length;
    this.#parts.push(part);
  }

  #check(byteCount: number): void {
    const total = this.#byteCount + byteCount;
    if (total > this.#bytesMax) {
      throw new ProtocolError(`a frame is over the limit of ${this.#bytesMax} bytes`);
    }
  }
}

export function encodeFrame(frame: object): string {
  return `${JSON.stringify(frame)}\n`;
}

function parse(line: Buffer): Frame {
  if (!isUtf8(line)) throw new ProtocolError(`a frame is no UTF-8: ${excerpt(line)}`);
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    throw new ProtocolError(`a frame is no JSON: ${excerpt(line)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(`a frame is a JSON object, not ${excerpt(line)}`);
  }
  return value as Frame;
}

function excerpt(line: Buffer): string {
  return quote(line.subarray(0, 60).toString('latin1'));
}
