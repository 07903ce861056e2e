/**
 * A view that checks at each access whether it is still valid: a proxy of a typed array.
 *
 * Methods run on the array itself, after a check; results that outlive the call (iterators, parts)
 * check again at each step. The memory itself is not handed out.
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

export interface ViewConstructor<V extends TypedView> {
  readonly prototype: V;
  readonly BYTES_PER_ELEMENT: number;
  new (memory: SharedArrayBuffer, byteOffset: number, length: number): TypedView;
}

type Changing = 'set' | 'fill' | 'copyWithin' | 'reverse' | 'sort' | 'subarray';

/** A view that cannot be written. */
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
