/**
 * A thread ends between any two of its writes to shared words: every step of every kind of
 * operation.
 *
 * All happens in one thread, so that thousands of deaths take seconds. The sources are bundled with
 * a step before each write; at step N it throws, there and ever after, so nothing more is written,
 * and no `finally` can. Then somebody else buries the dead. What must hold: the words are in order,
 * the dead one has left nothing, everybody else has or waits for what the rule says, and comes
 * through.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Threads from '../../../src/backends/threads/index.ts';
import { type Bundle, bundleWorker } from '../bundle.ts';
import { Scene } from './scene.ts';

/** More steps than these are walked by sample. */
const stepCountMax = process.env['KDS_FAULTS'] === 'all' ? Number.POSITIVE_INFINITY : 400;

let bundle: Bundle;
let threads: typeof Threads;

beforeAll(async () => {
  // What waits for a dead one is not to keep the tests alive.
  const { setInterval } = globalThis;
  Object.assign(globalThis, {
    setInterval: (...args: Parameters<typeof setInterval>) => {
      const timer = setInterval(...args).unref();
      return Object.assign(timer, { ref: () => timer });
    },
  });
  bundle = await bundleWorker(new URL('../../../src/backends/threads/index.ts', import.meta.url), {
    countSteps: true,
  });
  threads = await import(/* @vite-ignore */ bundle.path);
});
afterAll(() => bundle.remove());

/** What stands before the operation; returns the operation, of `a`. */
type Scenario = (scene: Scene) => Promise<() => void> | (() => void);

const long = 'a name that takes several slots, and is longer than most';
const many = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const scenarios: Record<string, Scenario> = {
  'asks for what is free': ({ domains: { a } }) => {
    return () => void a.tryAcquireSync({ exclusive: ['x', 'y'], shared: 'z' });
  },
  'asks for what is free, with a label and long names': ({ domains: { a } }) => {
    return () => void a.tryAcquireSync({ exclusive: [long, `${long}!`] }, { label: long });
  },
  'tries what is not free': async (scene) => {
    await scene.take('b', 'holder', { shared: ['x'] });
    return () => void scene.domains.a.tryAcquireSync({ shared: 'y', exclusive: 'x' });
  },
  'takes two names that are known, without a journal': ({ domains: { a } }) => {
    a.tryAcquireSync({ exclusive: ['x', 'y'] })?.release();
    return () => void a.tryAcquireSync({ exclusive: 'x', shared: 'y' });
  },
  'takes one name that is known, and does not block': async ({ domains: { a } }) => {
    (await a.acquire({ exclusive: ['x', 'y'] })).release();
    return () => dying(a.acquire({ shared: 'x' }));
  },
  'lets go of what nobody waits for': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'] });
    const other = scene.domains.a.tryAcquireSync({ exclusive: 'z' });
    other?.release();
    const plain = scene.domains.a.tryAcquireSync({ exclusive: 'z', shared: 'w' });
    return () => {
      plain?.release();
      grant.release();
    };
  },
  'begins to wait': async (scene) => {
    await scene.take('b', 'holder', { exclusive: ['x'] });
    scene.ask('c', 'before', { shared: ['x', 'y'] });
    return () => dying(scene.domains.a.acquire({ exclusive: ['x', 'y'] }, { label: 'waits' }));
  },
  'lets go of what one waits for': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'] });
    scene.ask('b', 'next', { exclusive: ['x'] });
    scene.ask('c', 'last', { shared: ['x', 'y'] });
    return () => grant.release();
  },
  'lets go of what many readers wait for': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x'] });
    for (const label of many(6, 'reader ')) {
      scene.ask(label.endsWith('1') ? 'a' : 'b', label, { shared: ['x'] });
      scene.ask('c', `${label}, too`, { shared: ['x', 'y'] });
    }
    scene.ask('b', 'writer', { exclusive: ['x'] });
    return () => grant.release();
  },
  'lets go of the second thing that a set waits for': async (scene) => {
    const first = await scene.take('a', 'first', { exclusive: ['x'] });
    const second = await scene.take('a', 'second', { exclusive: ['y'] });
    scene.ask('b', 'both', { exclusive: ['x', 'y'] });
    scene.ask('c', 'after', { shared: ['y'] });
    return () => {
      first.release();
      second.release();
    };
  },
  'cancels in the middle of a queue': async (scene) => {
    await scene.take('b', 'reader', { shared: ['x'] });
    const { a } = scene.domains;
    const waiter = a.enqueue({ exclusive: ['x', 'y'] }, () => {}, { label: 'cancels' });
    // The rule's own list has it too, until it dies.
    scene.ask('c', 'other', { shared: ['z'] });
    return () => void waiter.cancel();
  },
  'makes what it has shared': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'] });
    scene.ask('b', 'reader', { shared: ['x'] });
    scene.ask('c', 'both', { shared: ['x', 'y'] });
    return () => grant.downgrade();
  },
  'lets go of a part': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'], shared: ['z'] });
    scene.ask('b', 'x', { exclusive: ['x'] });
    scene.ask('c', 'z', { exclusive: ['z'] });
    return () => grant.release(['x', 'z']);
  },
  'gives up what it has, half done': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'] });
    scene.ask('b', 'next', { exclusive: ['x'] });
    return () => grant.abandon();
  },
  steals: async (scene) => {
    await scene.take('b', 'revoked', { exclusive: ['x', 'y'] });
    await scene.take('c', 'revoked, too', { shared: ['z'] });
    scene.ask('b', 'waits', { exclusive: ['y'] });
    scene.ask('c', 'waits, too', { shared: ['x', 'z'] });
    return () => dying(scene.domains.a.acquire({ exclusive: ['x', 'z'] }, { steal: true }));
  },
  watches: async (scene) => {
    await scene.take('b', 'holder', { exclusive: ['x', 'y'] });
    return () => dying(scene.domains.a.settled({ exclusive: ['x'], shared: ['y'] }));
  },
  'ends what others watch': async (scene) => {
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'] });
    void scene.domains.b.settled({ shared: 'x' });
    void scene.domains.c.settled({ exclusive: ['x', 'y'] });
    return () => grant.release();
  },
  'declares what it holds as it waits': async (scene) => {
    const grant = await scene.take('a', 'holds', { exclusive: ['x'] });
    await scene.take('b', 'holder', { exclusive: ['y'] });
    const ask = { exclusive: ['y', 'z'] };
    return () => dying(scene.domains.a.acquire(ask, { holding: grant }));
  },
  'is notified of its grants': async (scene) => {
    await scene.take('b', 'holder', { exclusive: ['x', 'y'] });
    scene.ask('a', 'x', { exclusive: ['x'] });
    scene.ask('a', 'y', { shared: ['y'] });
    scene.ask('c', 'next', { exclusive: ['x', 'y'] });
    scene.release('holder');
    return () => void scene.domains.a.querySync();
  },
  'closes with all it has': async (scene) => {
    await scene.take('a', 'has', { exclusive: ['x'], shared: ['y'] });
    scene.ask('a', 'waits', { exclusive: ['x', 'y'] });
    scene.ask('b', 'next', { shared: ['x'] });
    scene.ask('c', 'last', { exclusive: ['y'] });
    return () => dying(scene.domains.a.close());
  },
  'makes a resource without a name, and closes one': ({ domains: { a } }) => {
    const old = a.resource('old');
    a.tryAcquireSync({ exclusive: old })?.release();
    return () => {
      a.tryAcquireSync({ exclusive: a.resource() });
      old.close();
    };
  },
  'drops idle names for new ones': ({ domains: { a } }) => {
    a.tryAcquireSync({ exclusive: many(1100, 'idle ') })?.release();
    return () => {
      for (const name of many(3, 'new ')) a.tryAcquireSync({ exclusive: name });
      a.tryAcquireSync({ exclusive: 'newest' });
    };
  },
  'takes units': (scene) => {
    scene.declare('b', 'x', units(4));
    return () => {
      scene.domains.a.tryAcquireSync({ units: { x: 2 } });
      scene.domains.a.tryAcquireSync({ units: { y: { take: 2, of: 3 } }, shared: 'x' });
    };
  },
  'waits for units': async (scene) => {
    scene.declare('b', 'x', units(4));
    await scene.take('b', 'holder', { units: { x: 3 } });
    scene.ask('c', 'before', { units: { x: 2 } });
    return () => dying(scene.domains.a.acquire({ units: { x: 2 }, exclusive: ['y'] }));
  },
  'releases units that others wait for': async (scene) => {
    scene.declare('b', 'x', units(4));
    await scene.take('c', 'stays', { units: { x: 1 } });
    const grant = await scene.take('a', 'dies', { units: { x: 3 } });
    scene.ask('b', 'two', { units: { x: 2 } });
    scene.ask('c', 'one', { shared: ['x', 'y'] });
    scene.ask('c', 'all', { exclusive: ['x'] });
    return () => grant.release();
  },
  'leaves fewer units': async (scene) => {
    scene.declare('b', 'x', units(4));
    const grant = await scene.take('a', 'dies', { exclusive: ['x', 'y'] });
    scene.ask('b', 'two', { units: { x: 2 } });
    scene.ask('c', 'one', { shared: ['x'] });
    return () => {
      grant.downgrade({ units: { x: 3 } });
      grant.downgrade({ units: { x: 1 } });
    };
  },
  'upgrades units to all': async (scene) => {
    scene.declare('b', 'x', units(4));
    const first = await scene.take('b', 'first', { units: { x: 1 } });
    const grant = await scene.take('a', 'dies', { units: { x: 2 }, shared: ['y'] });
    await scene.take('c', 'other', { units: { x: 1 } });
    scene.release('other');
    scene.release('first');
    scene.ask('c', 'waits', { units: { x: 4 } });
    expect(first.isHeld).toBe(false);
    return () => void grant.tryUpgrade();
  },
  'declares names of units': (scene) => {
    scene.ask('b', 'holder', { shared: ['x'] });
    return () => {
      scene.domains.a.setCapacity('x', [long, `${long}!`]);
      scene.domains.a.setCapacity('x', [long, `${long}!`, 'third']);
    };
  },
  'declares fewer units than are waited for': async (scene) => {
    scene.declare('b', 'x', units(4));
    await scene.take('b', 'holder', { units: { x: 2 } });
    scene.ask('b', 'four', { units: { x: 4 }, shared: ['y'] });
    scene.ask('c', 'four, too', { units: { x: 4 }, exclusive: ['y', 'z'] });
    scene.ask('a', 'its own', { units: { x: 4 } });
    scene.ask('c', 'two', { units: { x: 2 }, exclusive: ['z'] });
    return () => scene.domains.a.setCapacity('x', units(3));
  },
  'declares more units': async (scene) => {
    scene.declare('b', 'x', units(2));
    await scene.take('b', 'holder', { units: { x: 2 } });
    scene.ask('b', 'one', { units: { x: 1 } });
    scene.ask('c', 'two', { units: { x: 2 } });
    return () => scene.domains.a.setCapacity('x', units(5));
  },
  'is notified that it is refused': async (scene) => {
    scene.declare('b', 'x', units(4));
    await scene.take('b', 'holder', { units: { x: 4 } });
    scene.ask('a', 'three', { units: { x: 3 } }, { label: long });
    scene.ask('c', 'two', { units: { x: 2 } });
    scene.declare('b', 'x', units(2));
    return () => void scene.domains.a.querySync();
  },
  'closes a resource with names of units': (scene) => {
    const pool = scene.domains.a.resource();
    scene.domains.a.setCapacity(pool, [long, `${long}!`]);
    return () => void pool.close();
  },
  'makes the arena larger': async (scene) => {
    await scene.take('b', 'holder', { exclusive: ['x'] });
    scene.ask('c', 'waits', { exclusive: ['x', 'y'] });
    const fill = many(1500, 'fills ');
    return () => void scene.domains.a.tryAcquireSync({ shared: fill, exclusive: 'z' });
  },
};

/** Names of units. */
function units(count: number): readonly string[] {
  return many(count, 'unit ');
}

/** Nobody hears any more of what a dead one asked for. */
function dying(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

/** All of them, or a sample of so many, with all at the end. */
function sampleOf(stepCount: number): readonly number[] {
  const all = Array.from({ length: stepCount + 1 }, (_, step) => step);
  if (stepCount <= stepCountMax) return all;
  const every = Math.ceil(stepCount / (stepCountMax - 100));
  return all.filter((step) => step % every === 0 || step > stepCount - 100);
}

describe('whoever dies at any step leaves the others what is theirs, as it', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it.each(['heard', 'found'] as const)(
      `${name}, and its end is %s of`,
      async (way) => {
        const counting = new Scene(threads);
        const stepCount = counting.count(await scenario(counting));
        const lost = name === 'steals' ? ['revoked', 'revoked, too'] : [];
        for (const step of sampleOf(stepCount)) {
          try {
            const scene = new Scene(threads);
            scene.die('a', step, await scenario(scene));
            scene.bury('a', 'b', way);
            await scene.end(['b', 'c'], lost);
          } catch (cause) {
            throw new Error(`died before step ${step} of ${stepCount}: ${cause}`, { cause });
          }
        }
        console.info(`${name}: ${stepCount} steps`);
        expect(stepCount).toBeGreaterThan(10);
      },
      120_000,
    );
  }

  it('opens a domain, and its slot can be used again', async () => {
    const prepare = async (): Promise<Scene> => {
      const scene = new Scene(threads, { agentsMax: 4 });
      await scene.take('b', 'holder', { exclusive: ['x'] });
      scene.ask('c', 'next', { exclusive: ['x', 'y'] });
      return scene;
    };
    const counting = await prepare();
    const stepCount = counting.count(() => void threads.openThreadsDomain(counting.arena));
    for (let step = 0; step <= stepCount; step++) {
      const scene = await prepare();
      scene.die('a', step, () => void threads.openThreadsDomain(scene.arena));
      scene.buryNewcomer(3, 'c');
      const newcomer = threads.openThreadsDomain(scene.arena);
      expect(newcomer.agent).toBe(3);
      await newcomer.close();
      scene.bury('a', 'b', 'heard');
      await scene.end(['b', 'c']);
    }
    expect(stepCount).toBeGreaterThan(10);
  });

  it('reaps another', async () => {
    const prepare = async (): Promise<Scene> => {
      const scene = new Scene(threads);
      const grant = await scene.take('b', 'dead', { exclusive: ['x', 'y'] });
      scene.ask('b', 'dead, too', { exclusive: ['x'] });
      scene.ask('c', 'next', { exclusive: ['x'] });
      scene.ask('a', 'dies', { exclusive: ['y'] });
      scene.die('b', 30, () => grant.release());
      return scene;
    };
    const counting = await prepare();
    const stepCount = counting.count(() => counting.bury('b', 'a', 'heard'));
    for (let step = 0; step <= stepCount; step++) {
      const scene = await prepare();
      scene.die('a', step, () => scene.bury('b', 'a', 'heard'));
      scene.mark(['a', 'b']);
      scene.bury('a', 'c', 'heard');
      scene.bury('b', 'c', 'heard');
      await scene.end(['c']);
    }
    expect(stepCount).toBeGreaterThan(10);
  });
});
