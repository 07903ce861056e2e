/** kds/display: a swap chain of buffers and its vsyncs (docs/display.md). */

export { createDisplay, type Display, type DisplayStatistics } from './display.ts';
export type { AcquireBufferOptions, DisplayOptions, ShownFrame } from './display-options.ts';
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
