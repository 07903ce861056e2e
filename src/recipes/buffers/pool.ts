/** Buffers of one size, made and sent together, for example for a swap chain. */

import { checkIsObject, checkLabel } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import {
  type BufferOptions,
  checkWhole,
  createBuffer,
  openBuffer,
  type SharedBuffer,
} from './buffer.ts';
import type { BufferPoolHandle } from './handle.ts';

/**
 * Buffers of one size, made and sent together, for example for a swap chain.
 *
 * @since 0.1.0
 */
export interface BufferPool {
  /** The buffers; their order is the same in every thread. */
  readonly buffers: readonly SharedBuffer[];
  /** Send this to other threads, and open it there with {@link openBufferPool}. */
  readonly handle: BufferPoolHandle;
}

/**
 * Options of {@link createBufferPool}, the others for each buffer.
 *
 * @since 0.1.0
 */
export interface BufferPoolOptions extends BufferOptions {
  /** Number of buffers: 1 to 1024. */
  readonly count: number;
}

const countLimit = 1024;

/**
 * Makes `count` buffers of the same size. Their labels are followed by a number, from 0.
 *
 * @param options - Their number, size in bytes and label, and whether their views are guarded.
 * @throws TypeError, RangeError, {@link LimitError}, {@link UnsupportedError} as {@link
 * createBuffer}.
 * @waits Never.
 * @example
 * ```ts
 * import { createBufferPool, openBufferPool } from 'kds/buffers';
 *
 * const pool = createBufferPool({ count: 3, byteLength: 1024, label: 'frame' });
 * const same = openBufferPool(structuredClone(pool.handle)); // as a worker would
 * console.log(same.buffers[2]?.resource === pool.buffers[2]?.resource); // true
 * ```
 * @since 0.1.0
 */
export function createBufferPool(options: BufferPoolOptions): BufferPool {
  checkIsObject(options);
  const { count, label = 'buffer', ...each } = options;
  checkWhole('count', count, countLimit);
  checkLabel(label);
  const buffers = Array.from({ length: count }, (_, index) => {
    return createBuffer({ ...each, label: `${label} ${index}` });
  });
  return poolOf(buffers);
}

/**
 * Opens the same pool in another thread, from its handle.
 *
 * @param handle - {@link BufferPool.handle}, as it arrived.
 * @param options - Whether the views of this thread are guarded.
 * @throws TypeError, {@link ProtocolError} as {@link openBuffer}.
 * @waits Never.
 * @example
 * ```ts
 * import { createBufferPool, openBufferPool } from 'kds/buffers';
 *
 * const { handle } = createBufferPool({ count: 2, byteLength: 1024 });
 * const { buffers } = openBufferPool(structuredClone(handle), { isGuarded: true });
 * console.log(buffers.length); // 2
 * ```
 * @since 0.1.0
 */
export function openBufferPool(
  handle: BufferPoolHandle,
  options: Pick<BufferOptions, 'isGuarded'> = {},
): BufferPool {
  if (handle?.kind !== 'kds-buffer-pool' || !Array.isArray(handle.buffers)) {
    throw new TypeError(`a pool's handle is its property handle, not ${describe(handle)}`);
  }
  return poolOf(handle.buffers.map((buffer) => openBuffer(buffer, options)));
}

function poolOf(buffers: readonly SharedBuffer[]): BufferPool {
  return {
    buffers,
    handle: { kind: 'kds-buffer-pool', buffers: buffers.map(({ handle }) => handle) },
  };
}
