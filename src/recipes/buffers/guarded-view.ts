/**
 * A view that checks at each access whether it is still valid: a proxy of a typed array.
 *
 * Methods run on the array itself, after a check; results that outlive the call (iterators, parts)
 * check again at each step. The memory itself is not handed out.
 */

/**
 * The classes of typed arrays that a view of a buffer can have.
 *
 * @since 0.1.0
 */
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

/**
 * A class of typed arrays, for example `Float32Array`.
 *
 * @since 0.1.0
 */
export interface ViewConstructor<V extends TypedView> {
  /** Determines the type of the view. */
  readonly prototype: V;
  /** Size of an element, in bytes. */
  readonly BYTES_PER_ELEMENT: number;
  /**
   * Makes a view of a part of the memory.
   *
   * @param memory - The memory of the buffer.
   * @param byteOffset - Start of the view, in bytes.
   * @param length - Number of elements.
   */
  new (memory: SharedArrayBuffer, byteOffset: number, length: number): TypedView;
}

type Changing = 'set' | 'fill' | 'copyWithin' | 'reverse' | 'sort' | 'subarray';

/**
 * A view without the methods that write, and whose elements are readonly.
 *
 * @since 0.1.0
 */
export type ReadonlyView<V extends TypedView> = Readonly<Omit<V, Changing>>;

const changing: ReadonlySet<PropertyKey> = new Set([
  'set',
  'fill',
  'copyWithin',
  'reverse',
  'sort',
]);
const iterating: ReadonlySet<PropertyKey> = new Set([Symbol.iterator, 'values', 'entries', 'keys']);

type Method = (...args: unknown[]) => unknown;

export function guardView<V extends TypedView>(view: V, check: () => void, mayWrite: boolean): V {
  const refuseToWrite = (): void => {
    if (!mayWrite) throw new TypeError('this view is readonly: get one by write() under a grant');
  };
  return new Proxy(view, {
    get(target, key) {
      check();
      if (key === 'buffer') throw new TypeError('a guarded view does not hand out its memory');
      // Getters and methods of typed arrays need the array itself, and not a proxy.
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || key === 'constructor') return value;
      const method = value as Method;
      if (iterating.has(key)) return () => iterate(method.call(target) as Iterator<unknown>, check);
      return (...args: unknown[]): unknown => {
        check();
        if (changing.has(key)) refuseToWrite();
        const result = method.apply(target, args);
        if (result === target) return guardView(target, check, mayWrite);
        return key === 'subarray' ? guardView(result as V, check, mayWrite) : result;
      };
    },
    set(target, key, value) {
      check();
      refuseToWrite();
      return Reflect.set(target, key, value, target);
    },
    defineProperty(target, key, descriptor) {
      check();
      refuseToWrite();
      return Reflect.defineProperty(target, key, descriptor);
    },
  });
}

function* iterate(iterator: Iterator<unknown>, check: () => void): Generator<unknown> {
  for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
    check();
    yield step.value;
  }
}
