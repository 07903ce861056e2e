/**
 * The arena's lock is another agent's for long: because the process was stopped, because the owner
 * is at work all the time, or because the owner's thread has ended and nobody has noticed yet.
 *
 * Sleeping for the lock is replaced, so that what happens meanwhile can be chosen, and no time
 * passes but that which the test lets pass.
 */

import { createArena, openThreadsDomain } from 'kds/threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { controlOf } from '../../src/backends/threads/arena.ts';
import * as C from '../../src/backends/threads/control.ts';
import * as L from '../../src/core/layout.ts';

const x = { exclusive: 'x' };
const nominalMs = 20;

let nowMs = 0;
/** What happens as the thread sleeps, on which word. */
let onSleep: (word: number) => void = () => undefined;

function open() {
  const arena = createArena();
  const control = controlOf(arena);
  const words = new Int32Array(arena.buffer, control.byteLength);
  const [mine, other] = [openThreadsDomain(arena), openThreadsDomain(arena)];
  const setLock = (agent: number): void => {
    Atomics.store(control, C.LOCK, agent + 1);
  };
  return {
    mine,
    other,
    words,
    /** The lock becomes the other agent's. */
    take: () => setLock(other.agent),
    free: () => setLock(-1),
    isLock: (word: number) => word === C.LOCK,
  };
}

beforeEach(() => {
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  vi.spyOn(Atomics, 'wait').mockImplementation((_, word) => {
    nowMs += nominalMs;
    onSleep(word);
    return 'timed-out';
  });
});

afterEach(() => {
  onSleep = () => undefined;
  vi.restoreAllMocks();
});

describe('a limit of the lock', () => {
  it('counts only time in which the thread itself ran: it was stopped again and again', () => {
    const { mine, take, free } = open();
    take();
    let sleepCount = 0;
    onSleep = () => {
      nowMs += 10_000;
      if (++sleepCount === 100) free();
    };
    const grant = mine.acquireSync(x);
    expect(sleepCount).toBe(100);
    grant.release();
  });

  it('does not count while the owner works: operations begin', () => {
    const { mine, words, take, free } = open();
    take();
    let sleepCount = 0;
    onSleep = () => {
      if (sleepCount % 100 === 0)
        words[L.JOURNAL_OPERATION] = (words[L.JOURNAL_OPERATION] ?? 0) + 1;
      if (++sleepCount === 2000) free();
    };
    mine.acquireSync(x).release();
    expect(sleepCount).toBe(2000);
  });

  it('is over when nothing has happened for 5 s, and then nothing was done', () => {
    const { mine, take, free } = open();
    take();
    const startMs = nowMs;
    expect(() => mine.tryAcquireSync(x)).toThrow(
      expect.objectContaining({ code: 'KDS_UNAVAILABLE' }),
    );
    expect(nowMs - startMs).toBeGreaterThanOrEqual(5000);
    free();
    expect(mine.querySync()).toEqual({ held: [], pending: [] });
  });
});

describe('a release while the lock is out of reach', () => {
  it('throws nothing, and is done as the next operation begins', () => {
    const { mine, take, free } = open();
    const grant = mine.acquireSync(x);
    take();
    grant.release();
    free();
    expect(mine.tryAcquireSync(x)).not.toBe(null);
    expect(mine.querySync().held).toHaveLength(1);
  });

  it('is done by itself, and what waits for it is granted', async () => {
    const { mine, other, take, free } = open();
    const grant = mine.acquireSync(x);
    const waiting = other.acquire(x);
    take();
    grant.release();
    free();
    (await waiting).release();
  });

  it('is not undone by an operation that fails', () => {
    const { mine, take, free } = open();
    const grant = mine.acquireSync(x);
    take();
    grant.release();
    free();
    expect(() => mine.acquireSync({ exclusive: 'y' }, { timeoutMs: -1 })).toThrow(RangeError);
    const wrong = {
      exclusive: mine.session().resource(),
      shared: openThreadsDomain(createArena()).resource(),
    };
    expect(() => mine.tryAcquireSync(wrong)).toThrow();
    expect(mine.querySync()).toEqual({ held: [], pending: [] });
  });

  it('so is an abandon, with its recovered flag', () => {
    const { mine, take, free } = open();
    const grant = mine.acquireSync(x);
    take();
    grant.abandon();
    free();
    expect(mine.acquireSync(x).recovered).toEqual(['x']);
  });
});

describe('a thread that is blocked as the lock goes out of reach', () => {
  it('gives up, and keeps neither a link nor a grant that nobody would release', () => {
    const { mine, other, take, free, isLock } = open();
    const grant = other.acquireSync(x);
    onSleep = (word) => {
      if (!isLock(word)) take();
    };
    expect(() => mine.acquireSync(x)).toThrow(expect.objectContaining({ code: 'KDS_UNAVAILABLE' }));
    onSleep = () => undefined;
    free();
    grant.release();
    expect(mine.querySync()).toEqual({ held: [], pending: [] });
    expect(other.tryAcquireSync(x)).not.toBe(null);
  });
});
