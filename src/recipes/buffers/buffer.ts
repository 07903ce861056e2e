/**
 * A buffer in shared memory with its resource embedded (the dma-buf with a kds_resource of 2012):
 * the buffer names the resource to request, and its bytes are accessible under a grant only.
 *
 * JavaScript cannot revoke a typed array. So the user of a plain view must stop at the end of the
 * grant; a guarded view, for development, checks the grant at each access.
 */

import { GrantLostError, InvalidSetError } from '../../api/errors.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { describe, type SetSpec } from '../../api/sets.ts';
import { checkCanShareMemory } from '../../api/shared-memory.ts';
import type { Unit } from '../../api/units.ts';
import {
  guardView,
  type ReadonlyView,
  type TypedView,
  type ViewConstructor,
} from './guarded-view.ts';
import { type BufferHandle, checkBufferHandle } from './handle.ts';

/**
 * An object that knows its set: a grant of a local domain, a running job, or a task.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import type { Cover } from 'kds/buffers';
 *
 * const grant = await createDomain().acquire({ exclusive: 'frame' });
 * const cover: Cover = grant;
 * console.log(cover.covers({ shared: 'frame' })); // true
 * grant.release();
 * ```
 * @since 0.1.0
 */
export interface Cover {
  /**
   * Checks whether all of a set is held, in that mode or a stronger one.
   *
   * @param set - The set. `{}` asks only whether anything is held.
   * @waits Never.
   */
  covers(set: SetSpec): boolean;
  /**
   * The units that it has: buffers of a {@link BufferPool}, which are units of the pool's resource.
   *
   * @since 0.2.0
   */
  readonly units?: Readonly<Record<string, readonly Unit[]>>;
}

/**
 * Options of {@link createBuffer}.
 *
 * @since 0.1.0
 */
export interface BufferOptions {
  /** Size in bytes: 1 to 2^31 - 1. */
  readonly byteLength: number;
  /**
   * Used in errors, and in the resource's name. At most 1024 code units. Default: no label, and
   * 'buffer' in the name.
   */
  readonly label?: string | undefined;
  /**
   * For development: views throw GrantLostError once their grant has ended, and readonly views
   * throw TypeError on writing. Each access then costs a microsecond, and APIs that need a real
   * typed array (Atomics, a canvas) refuse such a view. Default false.
   */
  readonly isGuarded?: boolean | undefined;
}

/**
 * Shared memory with its resource embedded: its bytes are accessible under a grant only. JavaScript
 * cannot revoke a typed array, so the user of a plain view must stop at the end of the grant.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createBuffer, openBuffer } from 'kds/buffers';
 *
 * const buffer = createBuffer({ byteLength: 8 });
 * const same = openBuffer(structuredClone(buffer.handle)); // as a worker would
 * await createDomain().run({ exclusive: buffer.resource }, (grant) => {
 *   buffer.write(grant)[0] = 7;
 *   console.log(same.read(grant)[0]); // 7
 * });
 * ```
 * @since 0.1.0
 */
export interface SharedBuffer {
  /** The resource to request, globally unique: shared to read, exclusive to write. */
  readonly resource: string;
  /** The label of its options. */
  readonly label: string | undefined;
  /** Size in bytes. */
  readonly byteLength: number;
  /** Send this to other threads, and open it there with {@link openBuffer}. */
  readonly handle: BufferHandle;

  /**
   * Returns a view of all bytes to read, valid until `cover` ends.
   *
   * @param cover - A grant of a local domain, a running job or a task whose set has the buffer.
   * @throws {@link GrantLostError} if the grant has ended.
   * @throws {@link InvalidSetError} if it does not hold this buffer.
   * @throws TypeError if `cover` is another value, such as a grant of a remote backend.
   * @waits Never.
   */
  read(cover: Cover): ReadonlyView<Uint8Array>;
  /**
   * Returns a view of typed elements to read, valid until `cover` ends. Throws as the view of
   * bytes; TypeError if `View` is no class of typed arrays, or an option is not a number;
   * RangeError if a number is not whole, or the part is outside of the buffer or not aligned to its
   * elements.
   *
   * @param cover - A grant of a local domain, a running job or a task whose set has the buffer.
   * @param View - Class of the view, for example `Float32Array`.
   * @param byteOffset - Start of the view, in bytes: a multiple of the size of an element. Default
   * 0.
   * @param length - Number of elements. Default: as many as fit.
   * @waits Never.
   */
  read<V extends TypedView>(
    cover: Cover,
    View: ViewConstructor<V>,
    byteOffset?: number,
    length?: number,
  ): ReadonlyView<V>;

  /**
   * Returns a view of all bytes to write, valid until `cover` ends.
   *
   * @param cover - A grant of a local domain, a running job or a task that has the buffer
   * exclusive.
   * @throws {@link GrantLostError} if the grant has ended.
   * @throws {@link InvalidSetError} if it does not hold this buffer exclusive.
   * @throws TypeError if `cover` is another value, such as a grant of a remote backend.
   * @waits Never.
   */
  write(cover: Cover): Uint8Array;
  /**
   * Returns a view of typed elements to write, valid until `cover` ends. Throws as the view of
   * bytes; TypeError if `View` is no class of typed arrays, or an option is not a number;
   * RangeError if a number is not whole, or the part is outside of the buffer or not aligned to its
   * elements.
   *
   * @param cover - A grant of a local domain, a running job or a task that has the buffer
   * exclusive.
   * @param View - Class of the view, for example `Float32Array`.
   * @param byteOffset - Start of the view, in bytes: a multiple of the size of an element. Default
   * 0.
   * @param length - Number of elements. Default: as many as fit.
   * @waits Never.
   */
  write<V extends TypedView>(
    cover: Cover,
    View: ViewConstructor<V>,
    byteOffset?: number,
    length?: number,
  ): V;
}

const byteLengthLimit = 2 ** 31 - 1;

/**
 * Makes a buffer, filled with zeros.
 *
 * @param options - Its size in bytes, its label, and whether its views are guarded.
 * @throws TypeError if an option is invalid.
 * @throws RangeError if `byteLength` is out of its bounds, or the system lacks the memory.
 * @throws {@link LimitError} if `label` is longer than 1024 code units.
 * @throws {@link UnsupportedError} in a page that is not cross-origin isolated.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createBuffer } from 'kds/buffers';
 *
 * const domain = createDomain();
 * const frame = createBuffer({ byteLength: 640 * 480 * 4, label: 'frame' });
 * await domain.run({ exclusive: frame.resource }, (grant) => {
 *   frame.write(grant, Uint32Array).fill(0xff00ff00);
 * });
 * await domain.run({ shared: frame.resource }, (grant) => {
 *   console.log(frame.read(grant)[1]); // 255
 * });
 * ```
 * @since 0.1.0
 */
export function createBuffer(options: BufferOptions): SharedBuffer {
  return createMemory(options);
}

/** `pool`: the buffer's pool, and its number in there. */
export function createMemory(options: BufferOptions, pool?: BufferHandle['pool']): SharedBuffer {
  checkIsObject(options);
  const { byteLength, label, isGuarded = false } = options;
  checkWhole('byteLength', byteLength, byteLengthLimit);
  if (label !== undefined) checkLabel(label);
  checkGuarded(isGuarded);
  const resource = uniqueName(label ?? 'buffer');
  checkCanShareMemory();
  const memory = new SharedArrayBuffer(byteLength);
  const handle: BufferHandle = { kind: 'kds-buffer', resource, label, memory };
  return new MemoryBuffer(pool === undefined ? handle : { ...handle, pool }, isGuarded);
}

/** A name of a resource that is globally unique. */
export function uniqueName(label: string): string {
  const [a, b, c, d] = globalThis.crypto.getRandomValues(new Uint32Array(4)).map((n) => n >>> 0);
  return `${label} ${[a, b, c, d].map((n) => n?.toString(36)).join('-')}`;
}

/**
 * Opens the same buffer in another thread, from its handle.
 *
 * @param handle - {@link SharedBuffer.handle}, as it arrived.
 * @param options - Whether the views of this thread are guarded.
 * @throws TypeError if the handle or an option is invalid.
 * @throws {@link ProtocolError} if the handle lacks its resource or its memory.
 * @waits Never.
 * @example
 * ```ts
 * import { createBuffer, openBuffer } from 'kds/buffers';
 *
 * const buffer = createBuffer({ byteLength: 1024 });
 * const same = openBuffer(structuredClone(buffer.handle)); // as a worker would
 * console.log(same.resource === buffer.resource); // true
 * ```
 * @since 0.1.0
 */
export function openBuffer(
  handle: BufferHandle,
  options: Pick<BufferOptions, 'isGuarded'> = {},
): SharedBuffer {
  checkBufferHandle(handle);
  checkIsObject(options);
  const { isGuarded = false } = options;
  checkGuarded(isGuarded);
  return new MemoryBuffer(handle, isGuarded);
}

class MemoryBuffer implements SharedBuffer {
  readonly handle: BufferHandle;
  readonly #isGuarded: boolean;

  constructor(handle: BufferHandle, isGuarded: boolean) {
    this.handle = handle;
    this.#isGuarded = isGuarded;
  }

  get resource(): string {
    return this.handle.resource;
  }

  get label(): string | undefined {
    return this.handle.label;
  }

  get byteLength(): number {
    return this.handle.memory.byteLength;
  }

  read<V extends TypedView>(
    cover: Cover,
    View: ViewConstructor<V> = Uint8Array as never,
    byteOffset = 0,
    length?: number,
  ): V {
    return this.#view(cover, { shared: this.resource }, View, byteOffset, length);
  }

  write<V extends TypedView>(
    cover: Cover,
    View: ViewConstructor<V> = Uint8Array as never,
    byteOffset = 0,
    length?: number,
  ): V {
    return this.#view(cover, { exclusive: this.resource }, View, byteOffset, length);
  }

  #view<V extends TypedView>(
    cover: Cover,
    set: SetSpec,
    View: ViewConstructor<V>,
    byteOffset: number,
    length: number | undefined,
  ): V {
    this.#check(cover, set);
    checkPart(View, byteOffset, length);
    const { memory } = this.handle;
    const room = Math.floor((memory.byteLength - byteOffset) / View.BYTES_PER_ELEMENT);
    // The language checks the rest: alignment and room.
    const view = new View(memory, byteOffset, length ?? room) as V;
    if (!this.#isGuarded) return view;
    const check = (): void => this.#check(cover, set);
    return guardView(view, check, set.exclusive !== undefined);
  }

  #check(cover: Cover, set: SetSpec): void {
    if (typeof cover?.covers !== 'function') {
      throw new TypeError(
        `a view needs a grant of a local domain, or a running job, not ${describe(cover)}`,
      );
    }
    if (cover.covers(set) || isUnitOf(cover, this.handle)) return;
    const name = describe(this.label ?? this.resource);
    if (!cover.covers({})) {
      throw new GrantLostError(`buffer ${name}: the grant has ended, and views of it with it`);
    }
    const mode = set.exclusive === undefined ? 'at all' : 'exclusive';
    throw new InvalidSetError(
      `buffer ${name} is not held ${mode} by this grant: request its resource in the same set`,
    );
  }
}

/** Whether a cover has the buffer as a unit of its pool: by number, or by its label as name. */
export function isUnitOf(cover: Cover, { pool, label }: BufferHandle): boolean {
  if (pool === undefined || !cover.covers({})) return false;
  const { resource, number } = pool;
  const { units = {} } = cover;
  const own = Object.hasOwn(units, resource) ? units[resource] : undefined;
  return own?.some((unit) => unit === number || unit === label) ?? false;
}

/** @throws TypeError, RangeError */
export function checkWhole(name: string, value: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number, not ${describe(value)}`);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new RangeError(`${name} is a whole number from 1 to ${max}, not ${value}`);
  }
}

/** The language would make whole numbers of them: of 'x' 0, of 1.5 1. */
function checkPart(View: unknown, byteOffset: unknown, length: unknown): void {
  const { BYTES_PER_ELEMENT } = (View ?? {}) as { readonly BYTES_PER_ELEMENT?: unknown };
  if (typeof View !== 'function' || typeof BYTES_PER_ELEMENT !== 'number') {
    throw new TypeError(`View is a class of typed arrays, not ${describe(View)}`);
  }
  checkIndex('byteOffset', byteOffset);
  if (length !== undefined) checkIndex('length', length);
}

function checkIndex(name: string, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number, not ${describe(value)}`);
  if (!Number.isInteger(value) || value < 0) {
    throw new RangeError(`${name} is a whole number, 0 or more, not ${value}`);
  }
}

function checkGuarded(isGuarded: boolean): void {
  if (typeof isGuarded === 'boolean') return;
  throw new TypeError(`isGuarded is a boolean, not ${describe(isGuarded)}`);
}
