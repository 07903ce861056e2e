/** What all threads of the example know: sizes, memory that they share, and what they count. */

export const width = 320;
export const height = 180;
/** Bytes of a frame: RGBA. */
export const frameBytes = 4 * width * height;
export const fps = 60;
/** Frames of the clip, which is decoded again and again. */
export const clipLength = 120;

/** Buffers that there are; the pool has as many of them as the page sets. */
export const bufferCount = 6;
/** Turns of the line: frames that may be under way, with a buffer or waiting for one. */
export const turnCount = 6;

export const stages = ['decoder', 'processor', 'display'] as const;
export type Stage = (typeof stages)[number];

export const codecs = ['vp8', 'vp9', 'av1'] as const;
export type Codec = (typeof codecs)[number];

/** Counted in shared memory, so that what a terminated worker has counted is not lost. */
const counters = [
  /** VideoFrames that the decoder has put out, that were closed, and closed once more. */
  'opened',
  'closed',
  'closedTwice',
  /** VideoFrames that ended with a worker that was terminated. */
  'orphaned',
  'shown',
  /** Vsyncs without a new frame. */
  'missed',
  /** Frames whose pixels are not those of one frame, as it was decoded and processed. */
  'torn',
  /** Frames that are not the next one after the one before. */
  'misordered',
  /** How often a stage found that the one before it had ended. */
  'broken',
] as const;
export type Counter = (typeof counters)[number];

/** Words of a turn: the buffer of its frame, and the steps that were done in it. */
const wordsPerTurn = 2;
/** Words of a buffer: the number of its frame, and the sum of its pixels. */
const wordsPerBuffer = 2;
/** Times of a frame: `ready`, and the begin and the end of each stage. */
const timesPerFrame = 1 + 2 * stages.length;
const timeCount = 1024;

/** The memory of a scene, as it is sent to the workers. */
export interface SceneMemory {
  readonly pixels: readonly SharedArrayBuffer[];
  readonly words: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
  readonly times: SharedArrayBuffer;
}

export function makeSceneMemory(): SceneMemory {
  const wordCount = wordsPerTurn * turnCount + wordsPerBuffer * bufferCount;
  return {
    pixels: Array.from({ length: bufferCount }, () => new SharedArrayBuffer(frameBytes)),
    words: new SharedArrayBuffer(4 * wordCount),
    counts: new SharedArrayBuffer(4 * counters.length),
    times: new SharedArrayBuffer(8 * timesPerFrame * timeCount),
  };
}

/**
 * The memory as a thread uses it. Pixels and words have no Atomics: a thread uses those of a turn
 * and of its buffer only while it has the turn.
 */
export class Scene {
  readonly pixels: readonly Uint8Array<SharedArrayBuffer>[];
  readonly times: Times;
  readonly #words: Int32Array;
  readonly #counts: Int32Array;

  constructor({ pixels, words, counts, times }: SceneMemory) {
    this.pixels = pixels.map((memory) => new Uint8Array(memory));
    this.#words = new Int32Array(words);
    this.#counts = new Int32Array(counts);
    this.times = new Times(times);
  }

  count(counter: Counter, by = 1): void {
    Atomics.add(this.#counts, counters.indexOf(counter), by);
  }

  countOf(counter: Counter): number {
    return Atomics.load(this.#counts, counters.indexOf(counter));
  }

  /** The buffer of a turn's frame. */
  bufferOf(number: number): number {
    return this.#words[wordsPerTurn * (number % turnCount)] as number;
  }

  setBufferOf(number: number, buffer: number): void {
    this.#words[wordsPerTurn * (number % turnCount)] = buffer;
  }

  /** Whether the last step in the turn of a frame was the one before this stage's. */
  isNext(stage: Stage, number: number): boolean {
    return this.#words[wordsPerTurn * (number % turnCount) + 1] === stepOf(stage, number);
  }

  /** A stage has done its step of a frame. */
  step(stage: Stage, number: number): void {
    const next =
      stage === 'display' ? stepOf('decoder', number + turnCount) : stepOf(stage, number) + 1;
    this.#words[wordsPerTurn * (number % turnCount) + 1] = next;
  }

  /** Before the first frame. */
  reset(): void {
    this.#words.fill(-1);
    for (let number = 0; number < turnCount; number++) {
      this.#words[wordsPerTurn * number + 1] = stepOf('decoder', number);
    }
  }

  /** The frame that a buffer has, or had. */
  numberIn(buffer: number): number {
    return this.#words[this.#atBuffer(buffer)] as number;
  }

  /** Writes down which frame a buffer has, and the sum of its pixels. */
  seal(buffer: number, number: number): void {
    const at = this.#atBuffer(buffer);
    this.#words[at] = number;
    this.#words[at + 1] = sumOf(this.pixels[buffer] as Uint8Array);
  }

  /** Whether pixels of a buffer, or a copy of them, are those of a frame, as they were sealed. */
  isSealed(buffer: number, number: number, pixels: Uint8Array): boolean {
    const at = this.#atBuffer(buffer);
    return this.#words[at] === number && this.#words[at + 1] === sumOf(pixels);
  }

  #atBuffer(buffer: number): number {
    return wordsPerTurn * turnCount + wordsPerBuffer * buffer;
  }
}

function stepOf(stage: Stage, number: number): number {
  return stages.length * number + stages.indexOf(stage);
}

/** A sum that depends on each pixel and its position. */
function sumOf(pixels: Uint8Array): number {
  const words = new Int32Array(pixels.buffer, pixels.byteOffset, pixels.byteLength / 4);
  let sum = 0;
  for (let at = 0; at < words.length; at++) {
    sum = (Math.imul(sum, 31) + (words[at] as number)) | 0;
  }
  return sum;
}

/** When a frame was decoded, and when each stage began and ended it, in ms on one clock. */
export class Times {
  readonly #cells: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Float64Array(memory);
  }

  static now(): number {
    // The page and its workers begin to count at different times.
    return performance.timeOrigin + performance.now();
  }

  setReady(number: number, ms: number): void {
    this.#cells[this.#at(number)] = ms;
  }

  begin(stage: Stage, number: number): void {
    this.#cells[this.#at(number) + 1 + 2 * stages.indexOf(stage)] = Times.now();
  }

  end(stage: Stage, number: number): void {
    this.#cells[this.#at(number) + 2 + 2 * stages.indexOf(stage)] = Times.now();
  }

  /** When the decoder had the frame. */
  ready(number: number): number {
    return this.#cells[this.#at(number)] as number;
  }

  began(stage: Stage, number: number): number {
    return this.#cells[this.#at(number) + 1 + 2 * stages.indexOf(stage)] as number;
  }

  /** Minus infinity before the first frame: then nothing was in the way. */
  ended(stage: Stage, number: number): number {
    if (number < 0) return Number.NEGATIVE_INFINITY;
    return this.#cells[this.#at(number) + 2 + 2 * stages.indexOf(stage)] as number;
  }

  /** When the buffer and the turn of a frame were free; `before` was in that buffer. */
  freed(number: number, before: number): number {
    return Math.max(this.ended('display', before), this.ended('display', number - turnCount));
  }

  #at(number: number): number {
    return timesPerFrame * (number % timeCount);
  }
}
