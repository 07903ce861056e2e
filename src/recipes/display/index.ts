export {
  type AcquireBufferOptions,
  createDisplay,
  type Display,
  type DisplayOptions,
  type DisplayStatistics,
  type ShownFrame,
} from './display.ts';
export type { DisplayBuffer, Flip, FlipFailure, FlipOutcome, FlipState } from './flip.ts';
export type { Latencies } from './latencies.ts';
export {
  animationFrameVsync,
  type ManualVsync,
  manualVsync,
  timerVsync,
  type Vsync,
  type VsyncEvent,
} from './vsync.ts';
