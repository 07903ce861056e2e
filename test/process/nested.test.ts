/** `nested: 'checked'`: what a `run` holds is declared for it, along the asynchronous context. */

import { createDomain, DeadlockError, type SyncGrant, UnsupportedError } from 'kds';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ChildProcesses } from './child.ts';
import { outcomeOf, tracesIn } from './inside.ts';

const a = { exclusive: 'a' };
const b = { exclusive: 'b' };
const nothing = () => {};
const refused = { name: 'DeadlockError' };

describe('a nested run', () => {
  const domain = createDomain({ nested: 'checked' });
  afterEach(() => expect(tracesIn(domain)).toEqual([]));

  it('is noticed where its function asks for more', async () => {
    await domain.run(a, async () => {
      await expect(domain.run(a, nothing)).rejects.toMatchObject(refused);
      await expect(domain.acquire(a)).rejects.toMatchObject(refused);
      expect(() => domain.enqueue(a, nothing)).toThrow(DeadlockError);
      expect(await domain.tryAcquire(a)).toBe(null);
      (await domain.acquire(b)).release();
    });
  });

  it('is noticed after awaits and in timers, immediates and microtasks', async () => {
    const hops: ((go: () => void) => void)[] = [
      (go) => setTimeout(go, 0),
      (go) => setImmediate(go),
      (go) => queueMicrotask(go),
      (go) => process.nextTick(go),
      (go) => void Promise.resolve().then(go),
    ];
    await domain.run(a, async () => {
      for (const hop of hops) {
        await new Promise<void>((resolve) => hop(resolve));
        await expect(domain.acquire(a)).rejects.toMatchObject(refused);
        const asked = new Promise<unknown>((resolve) => {
          hop(() => domain.acquire(a).catch(resolve));
        });
        expect(await asked).toMatchObject(refused);
      }
    });
  });

  it('is noticed through runs within runs, and through their sessions', async () => {
    const session = domain.session();
    await domain.run(a, () =>
      session.run(b, async () => {
        await expect(domain.run(a, nothing)).rejects.toMatchObject(refused);
        await expect(session.run(b, nothing)).rejects.toMatchObject(refused);
        await domain.run({ exclusive: 'c' }, nothing);
      }),
    );
    await session.close();
  });

  it('is noticed by each of what runs at the same time, and they do not mix', async () => {
    const inner = async (own: string, other: string) => {
      await domain.run({ exclusive: own }, async () => {
        await expect(domain.run({ exclusive: own }, nothing)).rejects.toMatchObject(refused);
        await domain.run({ shared: other }, nothing);
      });
    };
    await domain.run({ exclusive: 'outer' }, () =>
      Promise.all([inner('p', 'x'), inner('q', 'x'), inner('r', 'x')]),
    );
    // Siblings wait for each other, as long as none holds what the other wants.
    await Promise.all([domain.run(a, nothing), domain.run(a, nothing), domain.run(a, nothing)]);
  });

  it('is noticed as two of them would wait for each other', async () => {
    let isHeld = nothing;
    const held = new Promise<void>((resolve) => {
      isHeld = resolve;
    });
    const first = domain.run(a, async () => {
      await held;
      return domain.run(b, () => 'both');
    });
    await domain.run(b, async () => {
      isHeld();
      await new Promise(setImmediate);
      await expect(domain.run(a, nothing)).rejects.toMatchObject(refused);
    });
    expect(await first).toBe('both');
  });

  it('is not any more once its grant has been released, though its timers live on', async () => {
    let wake = nothing;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let later: Promise<SyncGrant> | undefined;
    await domain.run(a, () => {
      later = woken.then(() => domain.acquire(a));
    });
    const holder = await domain.acquire(a);
    wake();
    await new Promise(setImmediate);
    expect(domain.querySync().pending).toHaveLength(1);
    holder.release();
    (await later)?.release();
  });

  it('is not noticed outside of it', async () => {
    const holder = await domain.acquire(a);
    const waiting = domain.acquire(a);
    expect(await outcomeOf(waiting)).toBe('pending');
    holder.release();
    (await waiting).release();
  });

  it.each(['direct', 'queued'] as const)(
    'is not taken for what a callback holds that it lets go (%s)',
    async (delivery) => {
      const holder = await domain.acquire(b);
      const asked = new Promise<SyncGrant>((resolve, reject) => {
        const ask = (grant: SyncGrant) => {
          grant.release();
          // Waits for the run that has called it, but is not part of it.
          domain.acquire(a).then(resolve, reject);
        };
        domain.enqueue(b, ask, { delivery });
      });
      await domain.run(a, async () => {
        holder.release();
        await new Promise(setImmediate);
      });
      (await asked).release();
    },
  );

  it('is added to what is declared by hand', async () => {
    const byHand = await domain.acquire(b);
    await domain.run(a, async () => {
      await expect(domain.acquire(b, { holding: byHand })).rejects.toMatchObject(refused);
      await expect(domain.acquire(a, { holding: byHand })).rejects.toMatchObject(refused);
    });
    byHand.release();
  });
});

describe('independent requests, the default', () => {
  it('a run is not noticed', async () => {
    const domain = createDomain();
    await domain.run(a, async () => {
      await expect(domain.acquire(a, { timeoutMs: 0 })).rejects.toThrow('not granted');
    });
  });
});

describe('AsyncLocalStorage', () => {
  let children: ChildProcesses;
  beforeAll(async () => {
    children = await ChildProcesses.prepare();
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('is loaded only if it is asked for', () => {
    const asked = children.ask(`
      const asked = [];
      const { getBuiltinModule } = process;
      process.getBuiltinModule = (id) => {
        if (id === 'async_hooks') asked.push(id);
        return getBuiltinModule(id);
      };
      const { createDomain } = await import('./kds.js');
      const domain = createDomain({ nested: 'independent' });
      await domain.run({ exclusive: 'a' }, () => domain.run({ shared: 'b' }, () => {}));
      asked.push('then');
      createDomain({ nested: 'checked' });
      console.log(JSON.stringify(asked));
    `);
    expect(asked).toEqual(['then', 'async_hooks']);
  });

  it.each([
    ['a runtime without process', undefined],
    ['a process that gives no modules', {}],
    ['a process that has no such module', { getBuiltinModule: () => undefined }],
  ])('nested: checked is unsupported in %s', (_, process) => {
    vi.stubGlobal('process', process);
    expect(() => createDomain({ nested: 'checked' })).toThrow(UnsupportedError);
    expect(() => createDomain({ nested: 'checked' })).toThrow('pass `holding` instead');
    createDomain().acquireSync(a).release();
  });
});
