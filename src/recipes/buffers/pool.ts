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

export interface BufferPool {
  readonly buffers: readonly SharedBuffer[];
  /** Send this to workers, and open it there with `openBufferPool`. */
  readonly handle: BufferPoolHandle;
}

export interface BufferPoolOptions extends BufferOptions {
  /** Number of buffers: 1 to 1024. */
  readonly count: number;
}

const countLimit = 1024;

/**
 * Makes `count` buffers of the same size. Their labels are followed by a number, from 0.
 *
 * @throws as {@link createBuffer}.
 * @example
 * import { createBufferPool, openBufferPool } from 'kds/buffers';
 *
 * const pool = createBufferPool({ count: 3, byteLength: 1024, label: 'frame' });
 * const same = openBufferPool(structuredClone(pool.handle)); // as a worker would
 * console.log(same.buffers[2]?.resource === pool.buffers[2]?.resource); // true
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
 * @throws as {@link openBuffer}.
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
