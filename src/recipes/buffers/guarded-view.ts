/**
 * A view that looks, at each access, whether it is still good: a proxy of a typed array.
 *
 * Methods run on the array itself, after a look; what goes on after they have returned (iterators,
 * parts) looks again at each step. The memory itself is not handed out.
 */

import type { TypedView } from './buffer.ts';

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
    if (!mayWrite) throw new TypeError('this view is to read: get one by write() under a grant');
  };
  return new Proxy(view, {
    get(target, key) {
      check();
      if (key === 'buffer') throw new TypeError('a guarded view does not hand out its memory');
      // Getters and methods of typed arrays want the array itself, and not a proxy.
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
