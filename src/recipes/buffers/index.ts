export {
  type BufferOptions,
  type Cover,
  createBuffer,
  openBuffer,
  type ReadonlyView,
  type SharedBuffer,
  type TypedView,
  type ViewConstructor,
} from './buffer.ts';
export type { BufferHandle, BufferPoolHandle } from './handle.ts';
export {
  type BufferPool,
  type BufferPoolOptions,
  createBufferPool,
  openBufferPool,
} from './pool.ts';
