/**
 * The display of the pipeline, which writes down when it releases each frame. It sends frames and
 * statistics when its viewer requests them, and never waits for a viewer.
 */

import type { MessagePort } from 'node:worker_threads';
import type { Domain, SyncGrant } from 'kds';
import type { SharedBuffer } from 'kds/buffers';
import {
  createDisplay,
  type Display,
  type DisplayStatistics,
  type ShownFrame,
  timerVsync,
  type Vsync,
} from 'kds/display';
import { type Scene, Times } from './scene.ts';

/** Request of the viewer: the next frame that is displayed, or the statistics. */
export type ToDisplay = 'frame' | 'statistics';

export type FromDisplay =
  | { readonly kind: 'frame'; readonly pixels: Uint8ClampedArray<ArrayBuffer> }
  | { readonly kind: 'statistics'; readonly statistics: DisplayStatistics };

export function createTimedDisplay(
  domain: Domain<SyncGrant>,
  scene: Scene,
  buffers: readonly SharedBuffer[],
  viewer: MessagePort | undefined,
): Display<SharedBuffer, SyncGrant> {
  const times = new Times(scene);
  let vsyncMs = 0;
  let isFrameWanted = false;
  const send = (message: FromDisplay, transferred: ArrayBuffer[] = []): void => {
    viewer?.postMessage(message, transferred);
  };
  const onShown = ({ number, buffer, grant }: ShownFrame<SharedBuffer, SyncGrant>): void => {
    if (number > 0) times.letGo(number - 1, vsyncMs);
    const { missed, skipped } = display.statistics();
    times.show(number, missed + skipped);
    if (!isFrameWanted) return;
    isFrameWanted = false;
    const pixels = Uint8ClampedArray.from(buffer.read(grant, Uint8ClampedArray));
    send({ kind: 'frame', pixels }, [pixels.buffer]);
  };
  const timer = timerVsync({ hz: scene.hz });
  // The old frame is released before onShown is called: its next holder may have started by then.
  const vsync: Vsync = {
    now: () => timer.now(),
    start: (onVsync) => {
      return timer.start((event) => {
        vsyncMs = Times.now();
        onVsync(event);
      });
    },
  };
  const display = createDisplay<SharedBuffer, SyncGrant>(domain, { buffers, vsync, onShown });
  viewer?.on('message', (wanted: ToDisplay) => {
    if (wanted === 'frame') isFrameWanted = true;
    else send({ kind: 'statistics', statistics: display.statistics() });
  });
  return display;
}
