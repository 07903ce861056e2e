/**
 * A spinning globe, the pipeline of 2012 on real map data: geometry, render, compose, display.
 *
 *     npm start -- --frames 300 --out globe.png
 *
 * runs it in three forms, prints how long a hand-over from one stage to the next takes in each, and
 * writes the last frame on the screen.
 *
 *     npm start -- --port 8080
 *
 * runs it until it is interrupted, and serves a live page on which one switches between the forms,
 * and kds' own page. With KDS_TRACE=globe.json all threads append their events to that file, for
 * Perfetto and `kds check-trace`.
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { traceIfAsked } from 'kds/inspect/trace';
import { createArena, openThreadsDomain } from 'kds/threads';
import { keepHalfBusy } from '../shared/half-busy.ts';
import { encode } from './canvas.ts';
import { type Figures, figuresOf, tableOf } from './figures.ts';
import { run, startBounced, startDirect } from './forms.ts';
import { serve } from './live.ts';
import { Buffers, makeScene, type Scene } from './scene.ts';

const frameCountMax = 100_000;

const { values } = parseArgs({
  options: {
    frames: { type: 'string' },
    hz: { type: 'string', default: '60' },
    out: { type: 'string', default: 'globe.png' },
    port: { type: 'string', default: '8080' },
  },
});
const hz = wholeNumber('--hz', values.hz, 1, 1000);
const figures: Figures[] = [];
traceIfAsked();
if (values.frames !== undefined) {
  await compare(wholeNumber('--frames', values.frames, 20, frameCountMax));
} else {
  process.exitCode = await serve(wholeNumber('--port', values.port, 0, 65_535), hz);
}

async function compare(frameCount: number): Promise<void> {
  const direct = makeScene(frameCount, hz);
  console.log(`${frameCount} frames at ${hz} Hz, three times:`);
  await measure('worker to worker, directly', direct, startDirect);
  await measure('through an idle main thread', makeScene(frameCount, hz), startBounced);
  const stop = keepHalfBusy();
  await measure('through a half busy main thread', makeScene(frameCount, hz), startBounced);
  stop();
  console.log(`\n${tableOf(figures)}\n`);
  await writePicture(direct, values.out);
  console.log(`the last frame is in ${values.out}`);
}

async function measure(form: string, scene: Scene, start: typeof startDirect): Promise<void> {
  console.log(`  ${form} ...`);
  figures.push(figuresOf(form, scene, await run(start, scene)));
}

async function writePicture(scene: Scene, file: string): Promise<void> {
  const domain = openThreadsDomain(createArena());
  const buffer = new Buffers(scene).frameOf(scene.frameCount - 1);
  const png = await domain.run({ shared: buffer.resource }, (grant) => {
    return encode(buffer.read(grant), 'png');
  });
  await writeFile(file, png);
  await domain.close();
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  console.error(`${name} is a whole number from ${min} to ${max}, not ${text}`);
  process.exit(64);
}
