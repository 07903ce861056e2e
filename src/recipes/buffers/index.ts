/** kds/buffers: shared memory with its resource embedded (docs/jobs.md). */

export {
  type BufferOptions,
  type Cover,
  createBuffer,
  openBuffer,
  type SharedBuffer,
} from './buffer.ts';
export type { ReadonlyView, TypedView, ViewConstructor } from './guarded-view.ts';
export type { BufferHandle, BufferPoolHandle } from './handle.ts';
export {
  type AcquireBuffersOptions,
  type BufferPool,
  type BufferPoolOptions,
  createBufferPool,
  openBufferPool,
} from './pool.ts';
