import { defaultOptions } from './options.ts';
import { type Design, Simulation } from './simulation.ts';

const [
  design = 'sequenced',
  load = '100000',
  size = '2',
  rc = '4194304',
  skew = '0',
  epoch = '2',
  ms = '3000',
  shared = '0',
] = process.argv.slice(2);
const o = {
  ...defaultOptions,
  epochMs: Number(epoch),
  workload: {
    ...defaultOptions.workload,
    setSize: Number(size),
    resourceCount: Number(rc),
    skew: Number(skew),
    thinkMs: 1e9 / Number(load),
    sharedPart: Number(shared),
  },
};
const t = performance.now();
const s = new Simulation(design as Design, o, 1000);
s.run(Number(ms));
console.log(
  design,
  load,
  size,
  rc,
  skew,
  epoch,
  JSON.stringify(s.figures(Number(ms)), (_, v) =>
    typeof v === 'number' ? Math.round(v * 1000) / 1000 : v,
  ),
  Math.round(performance.now() - t),
  'ms real',
);
