/** Buffers of one size, made and sent together, for example for a swap chain. */

import type { Domain } from '../../api/domain.ts';
import { ProtocolError } from '../../api/errors.ts';
import type { Grant } from '../../api/grant.ts';
import { type AcquireOptions, checkIsObject, checkLabel } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import {
  type BufferOptions,
  type Cover,
  checkWhole,
  createMemory,
  isUnitOf,
  openBuffer,
  type SharedBuffer,
  uniqueName,
} from './buffer.ts';
import type { BufferPoolHandle } from './handle.ts';

/**
 * Options of {@link BufferPool.acquire}, the others for the request.
 *
 * @since 0.2.0
 */
export interface AcquireBuffersOptions extends AcquireOptions {
  /** Number of buffers: 1 to all of the pool. Default 1. */
  readonly take?: number | undefined;
}

/**
 * Buffers of one size, made and sent together, for example for a swap chain.
 *
 * @example
 * ```ts
 * import { type BufferPool, createBufferPool, openBufferPool } from 'kds/buffers';
 *
 * const pool: BufferPool = createBufferPool({ count: 3, byteLength: 1024, label: 'frame' });
 * const opened = openBufferPool(pool.handle); // as another thread does
 * console.log(opened.resource === pool.resource, opened.buffers.length); // true 3
 * ```
 * @since 0.1.0
 */
export interface BufferPool {
  /**
   * The resource of the pool, globally unique: each buffer is a unit of it. A set that takes units
   * of it has buffers of the pool: see {@link buffersOf}.
   *
   * @since 0.2.0
   */
  readonly resource: string;
  /** The buffers; their order is the same in every thread. */
  readonly buffers: readonly SharedBuffer[];
  /** Send this to other threads, and open it there with {@link openBufferPool}. */
  readonly handle: BufferPoolHandle;
  /**
   * Acquires any buffers that are free, to read and write under the grant. Waits in line until that
   * many are. Use either this or the resources of the single buffers: a unit of the pool does not
   * exclude a request for its buffer's own resource.
   *
   * @param domain - The domain of the pool, the same in each thread, or a session of it.
   * @param options - The number of buffers, and the options of {@link Domain.acquire}.
   * @returns The buffers, and the grant to pass to their views and to release.
   * @throws TypeError if the domain is invalid or `take` is no number.
   * @throws RangeError if `take` is not 1 to the number of buffers.
   * @throws {@link UnsupportedError} if the domain lacks the {@link Capability} `units`.
   * @throws As {@link Domain.acquire}.
   * @waits Resolves when that many buffers are free.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   * import { createBufferPool } from 'kds/buffers';
   *
   * const pool = createBufferPool({ count: 3, byteLength: 1024, label: 'frame' });
   * const { buffers, grant } = await pool.acquire(createDomain(), { take: 2 });
   * for (const buffer of buffers) buffer.write(grant).fill(7);
   * console.log(buffers.map(({ label }) => label)); // [ 'frame 0', 'frame 1' ]
   * await grant.release();
   * ```
   * @since 0.2.0
   */
  acquire<G extends Grant>(
    domain: Domain<G>,
    options?: AcquireBuffersOptions,
  ): Promise<{ readonly buffers: readonly SharedBuffer[]; readonly grant: G }>;
  /**
   * Returns the buffers that a grant, a running job or a task has as units of the pool.
   *
   * @param cover - The grant, job or task.
   * @throws TypeError if it is another value, such as a grant of a remote backend.
   * @waits Never.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   * import { createBufferPool } from 'kds/buffers';
   *
   * const pool = createBufferPool({ count: 3, byteLength: 1024, label: 'frame' });
   * const units = { [pool.resource]: { take: 1, of: pool.buffers.length } };
   * await createDomain().run({ shared: 'scene', units }, (grant) => {
   *   console.log(pool.buffersOf(grant)[0]?.label); // frame 0
   * });
   * ```
   * @since 0.2.0
   */
  buffersOf(cover: Cover): readonly SharedBuffer[];
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
  const resource = uniqueName(`${label} pool`);
  const buffers = Array.from({ length: count }, (_, number) => {
    return createMemory({ ...each, label: `${label} ${number}` }, { resource, number });
  });
  return new Pool(resource, buffers);
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
  const { resource, buffers } = handle;
  if (typeof resource !== 'string') {
    throw new ProtocolError('the handle of a pool is damaged: it lacks its resource');
  }
  const opened = buffers.map((buffer) => openBuffer(buffer, options));
  return new Pool(resource, opened);
}

class Pool implements BufferPool {
  readonly resource: string;
  readonly buffers: readonly SharedBuffer[];
  readonly handle: BufferPoolHandle;

  constructor(resource: string, buffers: readonly SharedBuffer[]) {
    this.resource = resource;
    this.buffers = buffers;
    const handles = buffers.map(({ handle }) => handle);
    this.handle = { kind: 'kds-buffer-pool', resource, buffers: handles };
  }

  async acquire<G extends Grant>(
    domain: Domain<G>,
    options: AcquireBuffersOptions = {},
  ): Promise<{ readonly buffers: readonly SharedBuffer[]; readonly grant: G }> {
    if (typeof domain?.acquire !== 'function') {
      throw new TypeError(`buffers are acquired in a domain, not ${describe(domain)}`);
    }
    checkIsObject(options);
    const { take = 1, ...own } = options;
    const of = this.buffers.length;
    checkWhole('take', take, of);
    // Asserted, and not declared: every thread can, and nothing of the pool is left in the domain.
    const grant = await domain.acquire({ units: { [this.resource]: { take, of } } }, own);
    const units = grant.units[this.resource] ?? [];
    const buffers = this.buffers.filter(({ label }, number) => {
      return units.some((unit) => unit === number || unit === label);
    });
    return { buffers, grant };
  }

  buffersOf(cover: Cover): readonly SharedBuffer[] {
    if (typeof cover?.covers !== 'function') {
      throw new TypeError(
        `buffers are those of a grant of a local domain, or a running job, not ${describe(cover)}`,
      );
    }
    return this.buffers.filter(({ handle }) => isUnitOf(cover, handle));
  }
}
