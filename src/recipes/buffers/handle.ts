/** Buffers as plain data, for postMessage and workerData. */

import { ProtocolError } from '../../api/errors.ts';
import { describe } from '../../api/sets.ts';
import { isSharedMemory } from '../../api/shared-memory.ts';

export interface BufferHandle {
  readonly kind: 'kds-buffer';
  readonly resource: string;
  readonly label: string | undefined;
  readonly memory: SharedArrayBuffer;
}

export interface BufferPoolHandle {
  readonly kind: 'kds-buffer-pool';
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
