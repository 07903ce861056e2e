/** Row 5: steps while so many names are held, each by a grant of its own. */

import { createDomain, type SyncGrant } from 'kds';
import { keepAlive, type Subject } from './sampling.ts';

const sizes = [1_000, 100_000, 1_000_000];
const stepCount = 100_000;

/** A name that nobody holds is taken and let go, beside all the others. */
export function besideHeld(): Subject[] {
  return sizes.map((size) => {
    const { domain, grants } = hold(size);
    keepAlive(grants);
    return stepSubject(`kds, beside ${size.toLocaleString('en')} held`, () => {
      let sum = 0;
      for (let step = 0; step < stepCount; step++) {
        const grant = domain.tryAcquireSync({ exclusive: 'free' }) as SyncGrant;
        sum += grant.token;
        grant.release();
      }
      return sum;
    });
  });
}

/** One after the other, in no order that a cache could foresee, is let go and taken again. */
export function amongHeld(): Subject[] {
  return sizes.map((size) => {
    const { domain, names, grants } = hold(size);
    const order = Int32Array.from({ length: stepCount }, scattered(size));
    return stepSubject(`kds, among ${size.toLocaleString('en')} held`, () => {
      for (let step = 0; step < stepCount; step++) {
        const at = order[step] as number;
        (grants[at] as SyncGrant).release();
        grants[at] = domain.tryAcquireSync({ exclusive: names[at] as string }) as SyncGrant;
      }
      return grants[0]?.token;
    });
  });
}

/** The floor of that: a Map of as many names, in the same order looked into and nothing more. */
export function amongNames(): Subject[] {
  return sizes.map((size) => {
    const names = Array.from({ length: size }, (_, index) => `name ${index}`);
    const objects = new Map(names.map((name, index) => [name, { index }]));
    const order = Int32Array.from({ length: stepCount }, scattered(size));
    return stepSubject(`a Map, among ${size.toLocaleString('en')} names`, () => {
      let sum = 0;
      for (let step = 0; step < stepCount; step++) {
        sum += objects.get(names[order[step] as number] as string)?.index ?? 0;
      }
      return sum;
    });
  });
}

function hold(size: number) {
  const domain = createDomain();
  const names = Array.from({ length: size }, (_, index) => `name ${index}`);
  const grants = names.map((name) => domain.tryAcquireSync({ exclusive: name }) as SyncGrant);
  return { domain, names, grants };
}

function stepSubject(name: string, steps: () => unknown): Subject {
  let kept: unknown;
  return {
    name,
    sample() {
      const startMs = performance.now();
      kept = steps();
      const ms = performance.now() - startMs;
      if (kept === undefined) throw new Error(`${name} has done nothing`);
      return (ms / stepCount) * 1e6;
    },
  };
}

/** Numbers below `size`, each run the same (xorshift32). */
function scattered(size: number): () => number {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % size;
  };
}
