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
import {
  guardView,
  type ReadonlyView,
  type TypedView,
  type ViewConstructor,
} from './guarded-view.ts';
import { type BufferHandle, checkBufferHandle } from './handle.ts';

/** An object that knows its set: a grant of a local domain, a running job, a task. */
export interface Cover {
  covers(set: SetSpec): boolean;
}

export interface BufferOptions {
  /** 1 to 2^31 - 1. */
  readonly byteLength: number;
  /** Used in errors, and in the resource's name. */
  readonly label?: string | undefined;
  /**
   * For development: views throw GrantLostError once their grant has ended, and readonly views
   * throw TypeError on writing. Each access then costs a microsecond, and APIs that need a real
   * typed array (Atomics, a canvas) refuse such a view. Default false.
   */
  readonly isGuarded?: boolean | undefined;
}

export interface SharedBuffer {
  /** The resource to request, globally unique: shared to read, exclusive to write. */
  readonly resource: string;
  readonly label: string | undefined;
  readonly byteLength: number;
  /** Send this to workers, and open it there with `openBuffer`. */
  readonly handle: BufferHandle;

  /**
   * A view to read, valid until `cover` ends. By default of bytes, from `byteOffset` (default 0) to
   * the end or for `length` elements. Never waits.
   *
   * @throws GrantLostError if the grant has ended; InvalidSetError if it does not hold this buffer;
   * TypeError for an invalid grant; RangeError for a part outside of the buffer.
   */
  read(cover: Cover): ReadonlyView<Uint8Array>;
  read<V extends TypedView>(
    cover: Cover,
    View: ViewConstructor<V>,
    byteOffset?: number,
    length?: number,
  ): ReadonlyView<V>;

  /** A view to write. The grant must hold the buffer exclusive. */
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
 * @throws TypeError, RangeError, LimitError for invalid options; RangeError if the system lacks the
 * memory.
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
 * Opens the same buffer in another thread, from its handle.
 *
 * @throws TypeError for an invalid handle; ProtocolError for a damaged one.
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
        `a view needs a grant of a local domain, or a running job, not ${describe(cover)}`,
      );
    }
    if (cover.covers(set)) return;
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
