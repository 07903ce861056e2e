/**
 * Frames are requested ahead, stage after stage: counters in shared memory have the number of
 * frames that each stage has requested, so that all requests are queued in the order of the
 * pipeline ("atom enqueued" of kds.txt). The work itself waits for grants alone.
 */

import { frameBufferCount, type Scene, type Stage, stages, vertexBufferCount } from './scene.ts';

/** Of which stage and, relative to its own, frame. */
const comesAfter: Readonly<Record<Stage, readonly (readonly [Stage, number])[]>> = {
  geometry: [['render', -vertexBufferCount]],
  render: [
    ['geometry', 0],
    ['display', -frameBufferCount],
  ],
  compose: [['render', 0]],
  display: [['compose', 0]],
};

/**
 * Requests the buffers of all frames of a stage. A request that is granted at once runs its work
 * from the next microtask. So this does not yield to microtasks while more can be requested: if it
 * did, the work would come before the requests of all later stages, which would then be late, and
 * stay late.
 *
 * @param request - Requests a frame. Returns a promise if its request is not queued yet.
 */
export async function requestInOrder(
  stage: Stage,
  scene: Scene,
  request: (frame: number) => Promise<void> | undefined,
): Promise<void> {
  const asked = new Int32Array(scene.asked);
  for (let frame = 0; frame < scene.frameCount; frame++) {
    for (const [before, offset] of comesAfter[stage]) {
      const at = stages.indexOf(before);
      for (let count = Atomics.load(asked, at); count <= frame + offset; ) {
        await Atomics.waitAsync(asked, at, count).value;
        count = Atomics.load(asked, at);
      }
    }
    const queued = request(frame);
    if (queued !== undefined) await queued;
    const at = stages.indexOf(stage);
    Atomics.add(asked, at, 1);
    Atomics.notify(asked, at);
  }
}

/** Resolves when a job's request is queued; undefined if it is. */
export function queuedOf(job: {
  readonly state: string;
  readonly enqueued: Promise<void> | undefined;
}): Promise<void> | undefined {
  return job.state === 'submitted' ? job.enqueued : undefined;
}
