/**
 * A spinning globe, the pipeline of 2012 on real map data: geometry, render, compose, display.
 *
 *     npm start -- --frames 300 --out globe.png
 *
 * runs it in three forms, in turns, prints how long a hand-over from one stage to the next takes in
 * each, and writes the last frame on the screen. With `--json` it prints the figures of each round.
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
import { type Figures, figuresOf, mediansOf, tableOf } from './figures.ts';
import { run, startBounced, startDirect } from './forms.ts';
import { serve } from './live.ts';
import { Buffers, makeScene, type Scene } from './scene.ts';

const frameCountMax = 100_000;
const roundCountMax = 5;
const roundFramesMin = 20;
/** Of each form in each round: its workers start, and their code is compiled. */
const warmUpFrames = 60;
const forms = [
  { name: 'worker to worker, directly', start: startDirect, isHalfBusy: false },
  { name: 'through an idle main thread', start: startBounced, isHalfBusy: false },
  { name: 'through a half busy main thread', start: startBounced, isHalfBusy: true },
] as const;

const { values } = parseArgs({
  options: {
    frames: { type: 'string' },
    hz: { type: 'string', default: '60' },
    out: { type: 'string', default: 'globe.png' },
    port: { type: 'string', default: '8080' },
    json: { type: 'boolean', default: false },
  },
});
const hz = wholeNumber('--hz', values.hz, 1, 1000);
traceIfAsked();
if (values.frames !== undefined) {
  await compare(wholeNumber('--frames', values.frames, 20, frameCountMax));
} else {
  process.exitCode = await serve(wholeNumber('--port', values.port, 0, 65_535), hz);
}

async function compare(frameCount: number): Promise<void> {
  const roundCount = Math.min(roundCountMax, Math.floor(frameCount / roundFramesMin));
  const perRound = Math.ceil(frameCount / roundCount);
  const rounds: Figures[] = [];
  let last: Scene | undefined;
  print(`${roundCount} rounds of ${perRound} frames at ${hz} Hz, after ${warmUpFrames} each:`);
  for (let round = 0; round < roundCount; round++) {
    print(`  round ${round + 1} ...`);
    for (const form of round % 2 === 0 ? forms : forms.toReversed()) {
      const scene = makeScene(warmUpFrames + perRound, hz);
      const stop = form.isHalfBusy ? keepHalfBusy() : () => {};
      await run(form.start, scene);
      stop();
      rounds.push(figuresOf(form.name, scene, warmUpFrames));
      last = scene;
    }
  }
  const inOrder = forms.flatMap(({ name }) => rounds.filter(({ form }) => form === name));
  if (values.json) console.log(JSON.stringify(inOrder));
  print(`\n${tableOf(mediansOf(inOrder))}\n`);
  await writePicture(last as Scene, values.out);
  print(`the last frame is in ${values.out}`);
}

function print(text: string): void {
  if (!values.json) console.log(text);
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
