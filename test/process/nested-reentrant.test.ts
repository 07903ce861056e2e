/** `nested: 'reentrant'`, and `grant.run`: nested requests that still exclude each other. */

import { createDomain, DeadlockError, type Grant, GrantLostError, type SyncGrant } from 'kds';
import { afterEach, describe, expect, it } from 'vitest';
import { tracesIn } from './inside.ts';

const a = { exclusive: 'a' };
const b = { exclusive: 'b' };
const nothing = () => {};

/** Sections that report how many of them ran at once. */
class Sections {
  readonly log: string[] = [];
  worst = 0;
  #inside = 0;

  readonly enter = async (name: string): Promise<void> => {
    this.worst = Math.max(this.worst, ++this.#inside);
    this.log.push(name);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    this.#inside--;
  };
}

describe('a re-entrant domain', () => {
  const domain = createDomain({ nested: 'reentrant' });
  afterEach(() => expect(tracesIn(domain)).toHaveLength(0));

  it('runs siblings within an exclusive section one at a time, in order', async () => {
    const sections = new Sections();
    await domain.run({ exclusive: ['a', 'b'] }, () =>
      Promise.all(['1', '2', '3'].map((name) => domain.run(a, () => sections.enter(name)))),
    );
    expect(sections.log).toEqual(['1', '2', '3']);
    expect(sections.worst).toBe(1);
  });

  it('lets shared children run together, and an exclusive one alone', async () => {
    const sections = new Sections();
    await domain.run(a, () =>
      Promise.all(
        ['1', '2', '3'].map((name) => domain.run({ shared: 'a' }, () => sections.enter(name))),
      ),
    );
    expect(sections.worst).toBe(3);
  });

  it('runs what is nested twice, and siblings at each depth one at a time', async () => {
    const sections = new Sections();
    await domain.run(a, () =>
      Promise.all(
        ['1', '2'].map((name) =>
          domain.run(a, () =>
            Promise.all(
              ['x', 'y'].map((last) => domain.run(a, () => sections.enter(`${name}${last}`))),
            ),
          ),
        ),
      ),
    );
    expect(sections.log).toEqual(['1x', '1y', '2x', '2y']);
    expect(sections.worst).toBe(1);
  });

  it('nests acquire, tryAcquire, enqueue, and their synchronous forms', async () => {
    await domain.run(a, async () => {
      const held = await domain.acquire(a);
      expect(await domain.tryAcquire(a)).toBe(null);
      expect(domain.tryAcquireSync({ shared: 'a' })).toBe(null);
      expect(() => domain.acquireSync(a)).toThrow('one event loop cannot wait for itself');
      const order: string[] = [];
      const direct = (grant: SyncGrant) => {
        order.push('direct');
        grant.release();
      };
      domain.enqueue(a, direct, { delivery: 'direct' });
      const queued = new Promise<void>((resolve) => {
        domain.enqueue(a, (grant) => {
          grant.release();
          resolve();
        });
      });
      held.release();
      order.push('released');
      await queued;
      expect(order).toEqual(['direct', 'released']);
      domain.acquireSync(a).release();
      (await domain.tryAcquire(a))?.release();
      domain.enqueue(a, nothing).cancel();
    });
  });

  it('reaches grants around it through sessions, prepared sets and handles', async () => {
    const session = domain.session();
    const frame = domain.resource();
    const other = domain.resource();
    const both = domain.prepare({ exclusive: ['a', frame], shared: other });
    await domain.run(both, async (outer) => {
      await session.run({ exclusive: frame, shared: ['a', other] }, async (inner) => {
        expect(inner.covers({ exclusive: frame, shared: other })).toBe(true);
        expect(inner.covers({ exclusive: other })).toBe(false);
        expect(inner.covers({ exclusive: 'a' })).toBe(false);
        expect(await session.tryAcquire(both)).toBe(null);
        await inner.run({ exclusive: frame }, (innermost) => {
          expect(innermost.covers({ exclusive: frame })).toBe(true);
          innermost.release(frame);
          expect(innermost.isHeld).toBe(false);
        });
      });
      await outer.run(both, (inner) => inner.run(both, nothing));
    });
    await session.close();
  });

  it('gives a nested grant the token of the grant around it', async () => {
    await domain.run(a, (outer) =>
      domain.run(a, (inner) =>
        domain.run(a, (innermost) => {
          expect([inner.token, innermost.token]).toEqual([outer.token, outer.token]);
          expect(new Set([outer, inner, innermost]).size).toBe(3);
        }),
      ),
    );
  });

  it('requests from the domain what no grant around it covers', async () => {
    const reader = await domain.acquire({ shared: 'b' });
    await domain.run({ shared: 'a' }, async () => {
      expect(await domain.tryAcquire(b)).toBe(null);
      await domain.run({ shared: 'b' }, (inner) => expect(inner.token).toBeGreaterThan(1));
      // Shared does not cover exclusive: it would wait for the grant around it.
      await expect(domain.acquire(a)).rejects.toThrow(DeadlockError);
    });
    reader.release();
  });

  it('refuses siblings that would wait for each other', async () => {
    await domain.run({ exclusive: ['a', 'b'] }, async () => {
      let enter = nothing;
      const entered = new Promise<void>((resolve) => {
        enter = resolve;
      });
      const one = domain.run(a, async () => {
        await entered;
        return domain.run(b, () => 'both');
      });
      await domain.run(b, async () => {
        enter();
        await new Promise(setImmediate);
        await expect(domain.run(a, nothing)).rejects.toThrow(DeadlockError);
      });
      expect(await one).toBe('both');
    });
  });

  it('takes the holder of a nested grant for that of the grant around it', async () => {
    const other = await domain.acquire(b);
    let leave = nothing;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    let inner: SyncGrant | undefined;
    const running = domain.run(a, () =>
      domain.run(a, (grant) => {
        inner = grant;
        return left;
      }),
    );
    const both = domain.acquire({ exclusive: ['a', 'c'] });
    await new Promise(setImmediate);
    const refused = domain.acquire({ exclusive: 'c' }, { holding: inner as SyncGrant });
    await expect(refused).rejects.toThrow(DeadlockError);
    leave();
    await running;
    (await both).release();
    other.release();
  });

  it('is like any other outside of runs, and once the grant around has been released', async () => {
    let later: Promise<unknown> | undefined;
    let wake = nothing;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await domain.run(a, () => {
      later = woken.then(() => domain.acquire(a)).then((grant) => grant.release());
    });
    const holder = await domain.acquire(a);
    wake();
    await new Promise(setImmediate);
    expect(domain.querySync().pending).toHaveLength(1);
    holder.release();
    await later;
  });

  it('does not let nested requests overtake others for the grant around them', async () => {
    const order: string[] = [];
    const outer = domain.run(a, async () => {
      await new Promise(setImmediate);
      await domain.run(a, () => order.push('nested'));
    });
    const next = domain.run(a, () => order.push('next'));
    await Promise.all([outer, next]);
    expect(order).toEqual(['nested', 'next']);
  });
});

describe('a nested run of a grant', () => {
  const domain = createDomain();
  afterEach(() => expect(tracesIn(domain)).toHaveLength(0));

  /** Two nested runs: one that runs until it is let go, and one that waits for it. */
  const nest = async (outer: Grant, set = a) => {
    let entered: (grant: SyncGrant) => void = nothing;
    const inner = new Promise<SyncGrant>((resolve) => {
      entered = resolve;
    });
    let leave = nothing;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const running = outer.run(set, async (grant) => {
      entered(grant);
      await left;
      return 'value';
    });
    let ran = false;
    const waiting = outer.run(set, () => {
      ran = true;
    });
    for (const promise of [running, waiting]) promise.catch(nothing);
    return { inner: await inner, leave, running, waiting, ran: () => ran };
  };

  const ends: readonly (readonly [string, (grant: SyncGrant) => unknown])[] = [
    ['is released', (grant) => grant.release()],
    ['is abandoned', (grant) => grant.abandon(new Error('half done'))],
    ['is revoked', () => domain.acquire(a, { steal: true }).then((stealing) => stealing.release())],
    ['gives up the last part of its set', (grant) => grant.release('a')],
  ];
  it.each(ends)('ends when the grant around it %s', async (_, end) => {
    const outer = await domain.acquire(a);
    const { inner, leave, running, waiting, ran } = await nest(outer);
    await end(outer);
    expect(inner.isHeld).toBe(false);
    expect(inner.signal.reason).toBeInstanceOf(GrantLostError);
    await expect(waiting).rejects.toThrow(GrantLostError);
    leave();
    await expect(running).rejects.toThrow(GrantLostError);
    expect(ran()).toBe(false);
    await expect(outer.run(a, nothing)).rejects.toThrow(GrantLostError);
    const next = await domain.acquire(a);
    next.downgrade();
    next.release();
  });

  it('ends with the session of the grant around it, however deep it is nested', async () => {
    const session = domain.session();
    const outer = await session.acquire(a);
    const middle = await nest(outer);
    const { inner, leave, running, waiting } = await nest(middle.inner);
    await session.close();
    expect([inner.isHeld, middle.inner.isHeld]).toEqual([false, false]);
    leave();
    middle.leave();
    for (const each of [running, waiting, middle.running, middle.waiting]) {
      await expect(each).rejects.toThrow(GrantLostError);
    }
  });

  it('ends by a release of the part that it uses, and by no other', async () => {
    const outer = await domain.acquire({ exclusive: ['a', 'b', 'c'] });
    const { inner, leave, running, waiting } = await nest(outer);
    const others = await nest(outer, b);
    outer.release(['a', 'c']);
    expect([inner.isHeld, others.inner.isHeld]).toEqual([false, true]);
    expect(inner.signal.aborted).toBe(true);
    await expect(waiting).rejects.toThrow('released, in whole or in part, or lost');
    leave();
    await expect(running).rejects.toThrow(GrantLostError);
    await expect(outer.run(a, nothing)).rejects.toThrow('does not hold exclusive "a"');
    others.leave();
    expect(await others.running).toBe('value');
    await others.waiting;
    expect(others.ran()).toBe(true);
    outer.release();
  });

  it('ends by a downgrade if it is exclusive, and goes on if it is shared', async () => {
    const frame = domain.resource();
    const outer = await domain.acquire({ exclusive: ['a', 'b', frame] });
    const { inner, leave, running, waiting } = await nest(outer);
    const readers = await Promise.all(
      ['b', frame].map((shared) => outer.run({ shared }, (grant) => grant.isHeld && grant)),
    );
    expect(readers.every(Boolean)).toBe(true);
    let reader: SyncGrant | undefined;
    const reading = outer.run({ shared: ['b', frame] }, async (grant) => {
      reader = grant;
      await running.catch(nothing);
      return grant.isHeld;
    });
    await new Promise(setImmediate);
    outer.downgrade();
    expect([inner.isHeld, reader?.isHeld]).toEqual([false, true]);
    leave();
    await expect(running).rejects.toThrow(GrantLostError);
    await expect(waiting).rejects.toThrow(GrantLostError);
    expect(await reading).toBe(true);
    outer.release();
  });

  it('notifies its function before the next holder of the grant around it', async () => {
    const outer = await domain.acquire(a);
    const order: string[] = [];
    const { inner, leave, running } = await nest(outer);
    inner.signal.addEventListener('abort', () => order.push('nested'));
    domain.enqueue(
      a,
      (grant) => {
        order.push('next');
        grant.release();
      },
      { delivery: 'direct' },
    );
    outer.release();
    expect(order).toEqual(['nested', 'next']);
    leave();
    await running.catch(nothing);
  });

  it('is refused if the grant does not cover its set, with what it lacks', async () => {
    const outer = await domain.acquire({ exclusive: 'a', shared: 'b' });
    const frame = domain.resource();
    const refused = outer.run({ exclusive: ['a', 'b', 'c'], shared: frame }, nothing);
    await expect(refused).rejects.toMatchObject({
      name: 'InvalidSetError',
      message: expect.stringMatching(/does not hold exclusive "b", "c" and shared "#\d+": name it/),
    });
    const own = createDomain().resource();
    await expect(outer.run({ exclusive: own }, nothing)).rejects.toThrow('another domain');
    await expect(outer.run(a, undefined as never)).rejects.toThrow(TypeError);
    await expect(outer.run(a, {}, function* () {} as never)).rejects.toThrow(TypeError);
    await expect(outer.run({ exclusve: 'a' } as never, nothing)).rejects.toThrow('exclusve');
    expect(await outer.run({}, () => 'empty')).toBe('empty');
    outer.release();
  });

  it('does not cover what the grant around it ignores', async () => {
    const owner = domain.acquireSync(a);
    const outer = await domain.acquire({ exclusive: ['a', 'b'] }, { locked: 'ignore' });
    await expect(outer.run(a, nothing)).rejects.toThrow('does not hold exclusive "a"');
    await outer.run(b, nothing);
    owner.release();
    outer.release();
  });

  it('reads its set once', async () => {
    const outer = await domain.acquire(a);
    let count = 0;
    const set = {
      get exclusive() {
        count++;
        return count === 1 ? 'a' : 'b';
      },
    };
    await outer.run(set, nothing);
    expect(count).toBe(1);
    const releasing = {
      get exclusive() {
        outer.release();
        return 'a';
      },
    };
    await expect(outer.run(releasing, nothing)).rejects.toThrow(GrantLostError);
  });

  it('takes options of a request', async () => {
    const outer = await domain.acquire(a);
    const { leave, running, waiting } = await nest(outer);
    const now = outer.run(a, { timeoutMs: 0, label: 'now' }, nothing);
    await expect(now).rejects.toMatchObject({ name: 'TimeoutError' });
    const stop = new AbortController();
    const stopped = outer.run(a, { signal: stop.signal }, nothing);
    stop.abort('enough');
    expect(await stopped.catch((reason) => reason)).toBe('enough');
    leave();
    await running;
    await waiting;
    outer.release();
  });

  it('works without AsyncLocalStorage, and leaves the domain alone', async () => {
    const outer = await domain.acquire(a);
    await outer.run(a, () => expect(domain.querySync().held).toHaveLength(1));
    expect(await domain.tryAcquire({ shared: 'a' })).toBe(null);
    outer.release();
  });

  it('is refused in a checked domain if its function would wait for itself', async () => {
    const checked = createDomain({ nested: 'checked' });
    await checked.run(a, (outer) =>
      outer.run(a, async (inner) => {
        await expect(outer.run(a, nothing)).rejects.toThrow(DeadlockError);
        await inner.run(a, nothing);
      }),
    );
  });
});
