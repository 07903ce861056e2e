/** The clip: generated pictures, encoded by the browser's own encoder. */

import { drawCode, stripHeight } from './code.ts';
import { type Codec, clipLength, fps, height, width } from './scene.ts';

/** A frame of the clip, encoded. The first one is a key frame. */
interface Chunk {
  readonly type: EncodedVideoChunkType;
  readonly data: ArrayBuffer;
}

export interface Clip {
  readonly codec: Codec;
  readonly config: VideoDecoderConfig;
  readonly chunks: readonly Chunk[];
}

const codecStrings: Readonly<Record<Codec, string>> = {
  vp8: 'vp8',
  vp9: 'vp09.00.10.08',
  av1: 'av01.0.04M.08',
};
const bitrate = 2_000_000;

/** Time of a frame in the video, in microseconds. */
export function timestampOf(number: number): number {
  return Math.round((number * 1e6) / fps);
}

/** In a worker: the encoder takes the time of a second or two. */
export async function encodeClip(codec: Codec): Promise<Clip> {
  const chunks: Chunk[] = [];
  let config: VideoDecoderConfig | undefined;
  let failure: Error | undefined;
  const encoder = new VideoEncoder({
    output: (chunk, metadata) => {
      config ??= metadata?.decoderConfig;
      const data = new ArrayBuffer(chunk.byteLength);
      chunk.copyTo(data);
      chunks.push({ type: chunk.type, data });
    },
    error: (error) => {
      failure = error;
    },
  });
  const format = { codec: codecStrings[codec], width, height, bitrate, framerate: fps };
  // Realtime: each picture gives a chunk, at once and in order.
  encoder.configure({ ...format, latencyMode: 'realtime' });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  for (let number = 0; number < clipLength; number++) {
    drawPicture(context, number);
    drawCode(context, number);
    const frame = new VideoFrame(canvas, { timestamp: timestampOf(number) });
    encoder.encode(frame, { keyFrame: number === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  if (failure !== undefined) throw failure;
  if (config === undefined || chunks.length !== clipLength) {
    throw new Error(`the ${codec} encoder made ${chunks.length} of ${clipLength} frames`);
  }
  return { codec, config, chunks };
}

/** A round of the clip ends as it began. */
function drawPicture(context: OffscreenCanvasRenderingContext2D, number: number): void {
  const turn = number / clipLength;
  const sky = context.createLinearGradient(0, stripHeight, 0, height - stripHeight);
  sky.addColorStop(0, '#12355b');
  sky.addColorStop(1, '#d98e5f');
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  const angle = 2 * Math.PI * turn;
  drawDisc(context, width * turn, 70 - 25 * Math.sin(angle), 17, '#ffe9a8');
  drawDisc(context, width * turn - width, 70 - 25 * Math.sin(angle), 17, '#ffe9a8');
  for (const [layer, colour] of ['#35506b', '#24394f', '#152636'].entries()) {
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(0, height);
    for (let x = 0; x <= width; x += 4) {
      const phase = angle * (layer + 1) + (2 * Math.PI * x * (layer + 2)) / width;
      context.lineTo(x, 95 + 20 * layer + (14 - 3 * layer) * Math.sin(phase));
    }
    context.lineTo(width, height);
    context.fill();
  }
  context.fillStyle = '#fff';
  context.font = 'bold 26px sans-serif';
  context.textAlign = 'center';
  context.fillText(String(number).padStart(3, '0'), width / 2, 62);
}

function drawDisc(
  context: OffscreenCanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colour: string,
): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
