/** Buffers as plain data, for postMessage and workerData. */

import { ProtocolError } from '../../api/errors.ts';
import { describe } from '../../api/sets.ts';
import { isSharedMemory } from '../../api/shared-memory.ts';

/**
 * A buffer as plain data, for `postMessage` and `workerData`: see {@link openBuffer}.
 *
 * @since 0.1.0
 */
export interface BufferHandle {
  /** Identifies handles of buffers. */
  readonly kind: 'kds-buffer';
  /** See {@link SharedBuffer.resource}. */
  readonly resource: string;
  /** See {@link SharedBuffer.label}. */
  readonly label: string | undefined;
  /**
   * The resource of its pool, and its number in there; absent of a buffer without a pool.
   *
   * @since 0.2.0
   */
  readonly pool?: {
    /** See {@link BufferPool.resource}. */
    readonly resource: string;
    /** The number of the buffer in its pool, from 0. */
    readonly number: number;
  };
  /** The bytes. Access them by views of the buffer, which check the grant. */
  readonly memory: SharedArrayBuffer;
}

/**
 * A pool as plain data, for `postMessage` and `workerData`: see {@link openBufferPool}.
 *
 * @since 0.1.0
 */
export interface BufferPoolHandle {
  /** Identifies handles of pools. */
  readonly kind: 'kds-buffer-pool';
  /**
   * See {@link BufferPool.resource}.
   *
   * @since 0.2.0
   */
  readonly resource: string;
  /** Handles of the buffers, in their order. */
  readonly buffers: readonly BufferHandle[];
}

/** @throws TypeError for an invalid handle; ProtocolError for a damaged one. */
export function checkBufferHandle(handle: BufferHandle): void {
  if (handle?.kind !== 'kds-buffer') {
    throw new TypeError(`a buffer's handle is its property handle, not ${describe(handle)}`);
  }
  const { resource, memory } = handle;
  if (typeof resource === 'string' && isSharedMemory(memory)) return;
  throw new ProtocolError('the handle of a buffer is damaged: it lacks its resource or its memory');
}
