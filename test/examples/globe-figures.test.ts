/** Figures of `npm start -- --frames`, from times that are written by hand. */

import { expect, it } from 'vitest';
import { figuresOf, mediansOf } from '../../examples/globe/figures.ts';
import { makeScene, Times } from '../../examples/globe/scene.ts';

it('takes of each form the median of its rounds, and all frames and missed vsyncs', () => {
  const round = (form: string, p50Ms: number, p99Ms: number, missed: number) => {
    return { form, p50Ms, p99Ms, missed, shown: 10 };
  };
  const rounds = [
    round('a', 1, 9, 0),
    round('b', 5, 5, 1),
    round('a', 2, 8, 2),
    round('a', 9, 1, 4),
  ];
  expect(mediansOf(rounds)).toEqual([
    { form: 'a', p50Ms: 2, p99Ms: 8, missed: 6, shown: 30 },
    { form: 'b', p50Ms: 5, p99Ms: 5, missed: 1, shown: 10 },
  ]);
});

it('leaves out the frames and the missed vsyncs of the warm-up', () => {
  const scene = makeScene(30, 60);
  const cells = new Float64Array(scene.times);
  const times = new Times(scene);
  for (let frame = 0; frame < 30; frame++) {
    const first = frame * Times.perFrame;
    // Geometry, render and compose take 1 ms each, 0.5 ms after one another; 5 ms in the warm-up.
    const gapMs = frame < 20 ? 5 : 0.5;
    let atMs = frame * 100;
    for (let stage = 0; stage < 3; stage++) {
      atMs += gapMs;
      cells[first + 2 * stage] = atMs;
      atMs += 1;
      cells[first + 2 * stage + 1] = atMs;
    }
    times.letGo(frame, frame * 100 + 299);
    times.show(frame, frame < 20 ? frame : 22);
  }
  const { p50Ms, missed, shown } = figuresOf('a form', scene, 20);
  expect({ p50Ms, missed, shown }).toEqual({ p50Ms: 0.5, missed: 3, shown: 10 });
});
