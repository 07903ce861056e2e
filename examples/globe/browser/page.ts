/**
 * The page: a display at the browser's own frames, on a canvas that everybody sees. The stages are
 * in workers, which draw on canvases that nobody sees, into buffers in shared memory.
 */

import type { SyncGrant } from 'kds';
import type { SharedBuffer } from 'kds/buffers';
import { animationFrameVsync, createDisplay } from 'kds/display';
import { createArena, openThreadsDomain } from 'kds/threads';
import { requestInOrder } from '../asking.ts';
import { Buffers, hasWork, makeScene, size, type WorkStage } from '../scene.ts';

/** What a worker of the page is begun with. */
export interface Beginning {
  readonly stage: WorkStage;
  readonly scene: ReturnType<typeof makeScene>;
  readonly arena: ReturnType<typeof createArena>;
}

const reportMs = 500;
/** Of the frame whose picture is sent to the server. */
const pictureNumber = 60;
const scene = makeScene(Number.POSITIVE_INFINITY, 60);
const arena = createArena();
const domain = openThreadsDomain(arena, { label: 'page' });
const buffers = new Buffers(scene);
const canvas = document.querySelector('canvas') as HTMLCanvasElement;
const context = canvas.getContext('2d');
const image = new ImageData(size, size);

for (const stage of hasWork) {
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { type: 'module' });
  domain.attachWorker(worker);
  const beginning: Beginning = { stage, scene, arena };
  worker.postMessage(beginning);
}

const display = createDisplay<SharedBuffer, SyncGrant>(domain, {
  buffers: buffers.frames.buffers,
  vsync: animationFrameVsync(),
  onShown: ({ number, buffer, grant }) => {
    image.data.set(buffer.read(grant, Uint8ClampedArray));
    context?.putImageData(image, 0, 0);
    if (number === pictureNumber) sendPicture();
  },
});

function sendPicture(): void {
  canvas.toBlob((body) => void fetch('/picture', { method: 'POST', body }));
}

setInterval(() => {
  const statistics = JSON.stringify(display.statistics(), undefined, 2);
  (document.querySelector('pre') as HTMLPreElement).textContent = statistics;
  navigator.sendBeacon('/statistics', statistics);
}, reportMs);

await requestInOrder('display', scene, (frame) => {
  display.present(buffers.frameOf(frame), { number: frame });
  return undefined;
});
