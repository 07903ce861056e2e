/** Decodes the clip again and again, each frame into a buffer. */

import { type Clip, timestampOf } from './clip.ts';
import { clipLength, type Scene, Times } from './scene.ts';
import { serveStage } from './stage.ts';

/** Chunks that the decoder has, and decoded frames that wait for a buffer. */
const aheadMax = 4;

serveStage('decoder', () => async (route, scene, clip) => {
  const decoding = new Decoding(clip, scene);
  const { times } = scene;
  try {
    for (;;) {
      const frame = await decoding.next();
      const readyMs = Times.now();
      const turn = await route.next();
      if (turn === undefined) return;
      const { number, buffer } = turn;
      times.setReady(number, Math.max(readyMs, times.freed(number, scene.numberIn(buffer))));
      await frame.copyTo(scene.pixels[buffer] as Uint8Array, { format: 'RGBA' });
      decoding.closeFirst();
      scene.seal(buffer, number);
      turn.pass();
    }
  } finally {
    decoding.close();
  }
});

/** A decoder, and its frames in order until they are closed. */
class Decoding {
  readonly #clip: Clip;
  readonly #scene: Scene;
  readonly #decoder: VideoDecoder;
  readonly #frames: VideoFrame[] = [];
  #decoded = 0;
  #put = 0;
  #error: Error | undefined;
  #notify: () => void = () => {};

  constructor(clip: Clip, scene: Scene) {
    this.#clip = clip;
    this.#scene = scene;
    this.#decoder = new VideoDecoder({
      output: (frame) => this.#receive(frame),
      error: (error) => {
        this.#error = error;
        this.#notify();
      },
    });
    this.#decoder.configure({ ...clip.config, optimizeForLatency: true });
  }

  /** The first frame, which stays until `closeFirst`. */
  async next(): Promise<VideoFrame> {
    for (;;) {
      this.#decode();
      if (this.#error !== undefined) throw this.#error;
      const [first] = this.#frames;
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  closeFirst(): void {
    const frame = this.#frames.shift() as VideoFrame;
    // A frame that is closed has no format any more.
    if (frame.format === null) this.#scene.count('closedTwice');
    frame.close();
    if (frame.format === null) this.#scene.count('closed');
  }

  close(): void {
    // After that, no frame is put out.
    if (this.#decoder.state !== 'closed') this.#decoder.close();
    while (this.#frames.length > 0) this.closeFirst();
  }

  #decode(): void {
    const { chunks } = this.#clip;
    while (this.#decoded - this.#put + this.#frames.length < aheadMax) {
      const number = this.#decoded++;
      const { type, data } = chunks[number % clipLength] as (typeof chunks)[number];
      const timestamp = timestampOf(number);
      this.#decoder.decode(new EncodedVideoChunk({ type, data, timestamp }));
    }
  }

  #receive(frame: VideoFrame): void {
    this.#scene.count('opened');
    if (frame.timestamp !== timestampOf(this.#put)) this.#scene.count('misordered');
    this.#put++;
    this.#frames.push(frame);
    this.#notify();
  }
}
