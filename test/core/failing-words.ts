/** A thread that ends between two of its writes to the words of core. */

/** Words that fail at the `count`-th write. */
export function failing(words: Int32Array, count: number): Int32Array {
  let left = count;
  return new Proxy(words, {
    get: (target, key) => Reflect.get(target, key),
    set: (target, key, value) => {
      if (left-- === 0) throw new Error('died');
      return Reflect.set(target, key, value);
    },
  });
}
