/**
 * A buffer in shared memory with its resource embedded (the dma-buf with a kds_resource of 2012):
 * whoever has the buffer knows what to ask for, and nobody gets at its bytes without a grant.
 *
 * JavaScript cannot take a typed array back. So a plain view is a promise of its user to stop at
 * the grant's end; a guarded one, for development, looks at each access whether it still may.
 */

import { GrantLostError, InvalidSetError } from '../../api/errors.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { describe, type SetSpec } from '../../api/sets.ts';
import { checkCanShareMemory } from '../../api/shared-memory.ts';
import { guardView } from './guarded-view.ts';
import { type BufferHandle, checkBufferHandle } from './handle.ts';

/** What knows which set it holds: a grant of a host within reach, a running job, a task. */
export interface Cover {
  covers(set: SetSpec): boolean;
}

export type TypedView =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

export interface ViewConstructor<V extends TypedView> {
  readonly prototype: V;
  readonly BYTES_PER_ELEMENT: number;
  new (memory: SharedArrayBuffer, byteOffset: number, length: number): TypedView;
}

type Changing = 'set' | 'fill' | 'copyWithin' | 'reverse' | 'sort' | 'subarray';

/** A view to look at. */
export type ReadonlyView<V extends TypedView> = Readonly<Omit<V, Changing>>;

export interface BufferOptions {
  /** 1 to 2^31 - 1. */
  readonly byteLength: number;
  /** Told in errors, and in the resource's name. */
  readonly label?: string | undefined;
  /**
   * For development: views throw GrantLostError once their grant has ended, and views to read throw
   * TypeError on writing. Each access then costs a microsecond, and what wants a real typed array
   * (Atomics, a canvas) does not take them. Default false.
   */
  readonly isGuarded?: boolean | undefined;
}

export interface SharedBuffer {
  /** The resource to ask for, unique in the world: shared to read, exclusive to write. */
  readonly resource: string;
  readonly label: string | undefined;
  readonly byteLength: number;
  /** Send this to workers, and open it there with `openBuffer`. */
  readonly handle: BufferHandle;

  /**
   * A view to look at, good until `cover` ends. By default of bytes, from `byteOffset` (default 0)
   * to the end or for `length` elements. Never waits.
   *
   * @throws GrantLostError if the grant has ended; InvalidSetError if it does not hold this buffer;
   * TypeError for what is no grant; RangeError for a part that there is not.
   */
  read(cover: Cover): ReadonlyView<Uint8Array>;
  read<V extends TypedView>(
    cover: Cover,
    View: ViewConstructor<V>,
    byteOffset?: number,
    length?: number,
  ): ReadonlyView<V>;

  /** The same, to write. The grant has to hold the buffer exclusive. */
  write(cover: Cover): Uint8Array;
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
 * @throws TypeError, RangeError, LimitError for options that are none; RangeError if the system has
 * not that much memory.
 * @example
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
 */
export function createBuffer(options: BufferOptions): SharedBuffer {
  checkIsObject(options);
  const { byteLength, label, isGuarded = false } = options;
  checkWhole('byteLength', byteLength, byteLengthLimit);
  if (label !== undefined) checkLabel(label);
  checkGuarded(isGuarded);
  const [a, b, c, d] = globalThis.crypto.getRandomValues(new Uint32Array(4)).map((n) => n >>> 0);
  const resource = `${label ?? 'buffer'} ${[a, b, c, d].map((n) => n?.toString(36)).join('-')}`;
  checkCanShareMemory();
  const memory = new SharedArrayBuffer(byteLength);
  return new MemoryBuffer({ kind: 'kds-buffer', resource, label, memory }, isGuarded);
}

/**
 * The same buffer in another thread, from its handle.
 *
 * @throws TypeError for what is no handle; ProtocolError for one that is damaged.
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
    const { memory } = this.handle;
    const room = Math.floor((memory.byteLength - byteOffset) / View.BYTES_PER_ELEMENT);
    // The language checks the rest: whole numbers, alignment, room.
    const view = new View(memory, byteOffset, length ?? room) as V;
    if (!this.#isGuarded) return view;
    const check = (): void => this.#check(cover, set);
    return guardView(view, check, set.exclusive !== undefined);
  }

  #check(cover: Cover, set: SetSpec): void {
    if (typeof cover?.covers !== 'function') {
      throw new TypeError(
        `a view needs a grant of a host within reach, or a running job, not ${describe(cover)}`,
      );
    }
    if (cover.covers(set)) return;
    const name = describe(this.label ?? this.resource);
    if (!cover.covers({})) {
      throw new GrantLostError(`buffer ${name}: the grant has ended, and views of it with it`);
    }
    const mode = set.exclusive === undefined ? 'at all' : 'exclusive';
    throw new InvalidSetError(
      `buffer ${name} is not held ${mode} by this grant: ask for its resource in the same set`,
    );
  }
}

/** @throws TypeError, RangeError */
export function checkWhole(name: string, value: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number, not ${describe(value)}`);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new RangeError(`${name} is a whole number from 1 to ${max}, not ${value}`);
  }
}

function checkGuarded(isGuarded: boolean): void {
  if (typeof isGuarded === 'boolean') return;
  throw new TypeError(`isGuarded is a boolean, not ${describe(isGuarded)}`);
}
