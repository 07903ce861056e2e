/** What all threads of the example know: sizes, buffers, and the times that they write down. */

import {
  type BufferPool,
  type BufferPoolHandle,
  createBufferPool,
  openBufferPool,
} from 'kds/buffers';

export const size = 480;
const vertexCountMax = 2 ** 16;
const timeCountMax = 2 ** 17;
export const vertexBufferCount = 2;
export const frameBufferCount = 3;

export const stages = ['geometry', 'render', 'compose', 'display'] as const;
export type Stage = (typeof stages)[number];
export const hasWork = ['geometry', 'render', 'compose'] as const;
export type WorkStage = (typeof hasWork)[number];

export interface Scene {
  /** Infinity: until it is ended. */
  readonly frameCount: number;
  /** Number of the last frames whose times are kept. */
  readonly timeCount: number;
  /** Number that the picture of the first frame has: the globe goes on from there. */
  readonly firstNumber: number;
  readonly hz: number;
  readonly vertices: BufferPoolHandle;
  readonly frames: BufferPoolHandle;
  readonly times: SharedArrayBuffer;
  /** How many frames each stage has asked for its buffers for. */
  readonly asked: SharedArrayBuffer;
}

export interface SceneOptions {
  readonly firstNumber?: number;
  readonly timeCount?: number;
}

export function makeScene(frameCount: number, hz: number, options: SceneOptions = {}): Scene {
  const { firstNumber = 0, timeCount = Math.min(frameCount, timeCountMax) } = options;
  const vertexBytes = 4 * (1 + 3 * vertexCountMax);
  return {
    frameCount,
    timeCount,
    firstNumber,
    hz,
    vertices: createBufferPool({
      count: vertexBufferCount,
      byteLength: vertexBytes,
      label: 'vertices',
    }).handle,
    frames: createBufferPool({
      count: frameBufferCount,
      byteLength: 4 * size * size,
      label: 'frame',
    }).handle,
    times: new SharedArrayBuffer(8 * Times.perFrame * timeCount),
    asked: new SharedArrayBuffer(4 * stages.length),
  };
}

/** The buffers of a scene, as each thread opens them. */
export class Buffers {
  readonly vertices: BufferPool;
  readonly frames: BufferPool;

  constructor({ vertices, frames }: Scene) {
    this.vertices = openBufferPool(vertices);
    this.frames = openBufferPool(frames);
  }

  vertexOf(frame: number) {
    return this.vertices.buffers[frame % vertexBufferCount] as BufferPool['buffers'][number];
  }

  frameOf(frame: number) {
    return this.frames.buffers[frame % frameBufferCount] as BufferPool['buffers'][number];
  }

  /** What a stage reads and writes for a frame: that is all that puts the stages in order. */
  setOf(stage: WorkStage, frame: number): { reads: string[]; writes: string[] } {
    const vertices = this.vertexOf(frame).resource;
    const pixels = this.frameOf(frame).resource;
    if (stage === 'geometry') return { reads: [], writes: [vertices] };
    if (stage === 'render') return { reads: [vertices], writes: [pixels] };
    return { reads: [], writes: [pixels] };
  }
}

/** When each stage began and ended each frame, in ms on the one clock of the process. */
export class Times {
  static readonly perFrame = 2 * hasWork.length + 2;
  readonly #cells: Float64Array;
  readonly #count: number;

  constructor({ times, timeCount }: Scene) {
    this.#cells = new Float64Array(times);
    this.#count = timeCount;
  }

  static now(): number {
    // In a browser the page and its workers begin to count at different times.
    if (globalThis.process === undefined) return performance.timeOrigin + performance.now();
    return Number(process.hrtime.bigint()) / 1e6;
  }

  begin(stage: WorkStage, frame: number): void {
    this.#cells[this.#at(stage, frame)] = Times.now();
  }

  end(stage: WorkStage, frame: number): void {
    this.#cells[this.#at(stage, frame) + 1] = Times.now();
  }

  /** The vsync at which the display releases a frame's buffer. */
  letGo(frame: number, vsyncMs: number): void {
    this.#cells[this.#of(frame) + Times.perFrame - 2] = vsyncMs;
  }

  /** The frame is on the screen; that many vsyncs have been missed until then. */
  show(frame: number, missedCount: number): void {
    this.#cells[this.#of(frame) + Times.perFrame - 1] = missedCount;
  }

  missedUntil(frame: number): number {
    return this.#cells[this.#of(frame) + Times.perFrame - 1] as number;
  }

  began(stage: WorkStage, frame: number): number {
    return this.#cells[this.#at(stage, frame)] as number;
  }

  /** Minus infinity before the first frame: then nothing was in the way. */
  ended(stage: WorkStage, frame: number): number {
    if (frame < 0) return Number.NEGATIVE_INFINITY;
    return this.#cells[this.#at(stage, frame) + 1] as number;
  }

  wasLetGo(frame: number): number {
    if (frame < 0) return Number.NEGATIVE_INFINITY;
    return this.#cells[this.#of(frame) + Times.perFrame - 2] as number;
  }

  #at(stage: WorkStage, frame: number): number {
    return this.#of(frame) + 2 * hasWork.indexOf(stage);
  }

  #of(frame: number): number {
    return (frame % this.#count) * Times.perFrame;
  }
}
