/** One fence, and fences made of fences. */

import { Fence, type FenceCallback } from 'kds/fences';
import { describe, expect, it } from 'vitest';
import { failureOf, turn } from '../web-locks/holding.ts';

const bad = new Error('on purpose');

describe('a fence', () => {
  it('ends once, and is so for ever', () => {
    const fence = new Fence();
    expect([fence.status, fence.error]).toEqual(['pending', undefined]);
    expect(fence.signal()).toBe(true);
    expect(fence.status).toBe('ok');
    expect([fence.signal(), fence.fail(bad), fence.setError(bad)]).toEqual([false, false, false]);
    expect([fence.status, fence.error]).toEqual(['ok', undefined]);
  });

  it('ends with an error that is set with the end, or before; the first one wins', () => {
    const failed = new Fence();
    expect(failed.fail(bad)).toBe(true);
    expect([failed.status, failed.error]).toEqual(['error', bad]);
    expect(failed.signal()).toBe(false);

    const doomed = new Fence();
    expect([doomed.setError(bad), doomed.setError('later')]).toEqual([true, false]);
    expect([doomed.status, doomed.error]).toEqual(['pending', undefined]);
    doomed.signal();
    expect([doomed.status, doomed.error]).toEqual(['error', bad]);

    const both = new Fence();
    both.setError(bad);
    both.fail('later');
    expect(both.error).toBe(bad);
  });

  it.each([undefined, null, 0, ''])('may fail with anything: %j', async (error) => {
    const fence = new Fence();
    fence.fail(error);
    expect([fence.status, fence.error]).toEqual(['error', error]);
    expect(await failureOf(fence.wait())).toBe(error);
  });

  it('that fails without a waiter is no unhandled rejection', async () => {
    const rejected: unknown[] = [];
    const note = (reason: unknown): void => void rejected.push(reason);
    process.on('unhandledRejection', note);
    new Fence().fail(bad);
    Fence.all([new Fence()]).fail(bad);
    await turn();
    await turn();
    process.off('unhandledRejection', note);
    expect(rejected).toEqual([]);
  });

  it.each([null, 5, 'a'])('options that are none are refused: %j', (options) => {
    expect(() => new Fence(options as never)).toThrow(TypeError);
  });

  it('a label that is none, or too long, is refused', () => {
    expect(() => new Fence({ label: 5 as never })).toThrow(TypeError);
    expect(() => new Fence({ label: 'x'.repeat(2000) })).toThrow('limit');
    expect(() => new Fence({ onDeadline: 5 as never })).toThrow(TypeError);
  });
});

describe('callbacks', () => {
  it('run within the signal, once each, in the order in which they were added', () => {
    const fence = new Fence();
    const order: unknown[] = [];
    fence.addCallback(() => order.push(1));
    fence.addCallback((given) => order.push(given === fence, fence.status));
    order.push('before');
    fence.signal();
    order.push('after');
    fence.signal();
    expect(order).toEqual(['before', 1, true, 'ok', 'after']);
  });

  it('are refused when the fence has ended: the caller sees to it', () => {
    const fence = new Fence();
    fence.signal();
    expect(fence.addCallback(() => expect.unreachable())).toBe(null);
  });

  it('that are removed never run', () => {
    const fence = new Fence();
    const order: number[] = [];
    const added = [1, 2, 3, 4].map((n) => fence.addCallback(() => order.push(n)) as FenceCallback);
    expect([added[1], added[0], added[3]].map((each) => each?.remove())).toEqual([
      true,
      true,
      true,
    ]);
    expect(added[1]?.remove()).toBe(false);
    fence.signal();
    expect(order).toEqual([3]);
    expect(added[2]?.remove()).toBe(false);
  });

  it('one may remove a later one, and may add none', () => {
    const fence = new Fence();
    const order: unknown[] = [];
    fence.addCallback(() => {
      order.push(
        second?.remove(),
        fence.addCallback(() => {}),
      );
    });
    const second = fence.addCallback(() => order.push('second'));
    fence.addCallback(() => order.push('third'));
    fence.signal();
    expect(order).toEqual([true, null, 'third']);
  });

  it('one that throws stops no other, and is an uncaught exception', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', note);
    const fence = new Fence();
    let isRun = false;
    fence.addCallback(() => {
      throw bad;
    });
    fence.addCallback(() => {
      isRun = true;
    });
    fence.signal();
    expect(isRun).toBe(true);
    await turn();
    process.off('uncaughtException', note);
    for (const other of others) process.on('uncaughtException', other);
    expect(uncaught).toEqual([bad]);
  });

  it('a chain of 100,000 fences, each signalled by the one before, needs no stack', () => {
    const fences = Array.from({ length: 100_000 }, () => new Fence());
    fences.forEach((fence, index) => {
      fence.addCallback(() => fences[index + 1]?.signal());
    });
    fences[0]?.signal();
    expect(fences.every(({ status }) => status === 'ok')).toBe(true);
  });

  it('of a fence that is signalled in a callback run after it, not within', () => {
    const [one, two] = [new Fence(), new Fence()];
    const order: string[] = [];
    one.addCallback(() => {
      two.signal();
      order.push(`one, and two is ${two.status}`);
    });
    two.addCallback(() => order.push('two'));
    one.signal();
    expect(order).toEqual(['one, and two is ok', 'two']);
  });

  it('what is no function is refused', () => {
    expect(() => new Fence().addCallback(5 as never)).toThrow(TypeError);
  });
});

describe('waiting', () => {
  it('a fence can be awaited, before and after its end', async () => {
    const fence = new Fence();
    const awaited = (async () => await fence)();
    fence.signal();
    expect([await awaited, await fence]).toEqual([undefined, undefined]);
    const failed = new Fence();
    const waits = [
      failed.then(
        () => 'ok',
        (error) => error,
      ),
      failed.wait().catch((error) => error),
    ];
    failed.fail(bad);
    expect(await Promise.all(waits)).toEqual([bad, bad]);
    await expect((async () => await failed)()).rejects.toBe(bad);
  });

  it('ends with a time-out, which does not change the fence', async () => {
    const fence = new Fence({ label: 'frame 7' });
    for (const timeoutMs of [0, 1]) {
      const error = await failureOf(fence.wait({ timeoutMs }));
      expect(error).toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
      expect((error as Error).message).toContain('"frame 7" was not signalled within');
    }
    expect(fence.status).toBe('pending');
    fence.signal();
    expect(await fence.wait({ timeoutMs: 0 })).toBe(undefined);
  });

  it("a time-out beyond the platform's own does not end at once", async () => {
    const fence = new Fence();
    const waiting = fence.wait({ timeoutMs: 2 ** 40 });
    await turn();
    fence.signal();
    expect(await waiting).toBe(undefined);
  });

  it('ends with an abort, by its reason itself', async () => {
    const fence = new Fence();
    const controller = new AbortController();
    const waits = [1, 2].map(() => failureOf(fence.wait({ signal: controller.signal })));
    controller.abort('enough');
    expect(await Promise.all(waits)).toEqual(['enough', 'enough']);
    const late = fence.wait({ signal: controller.signal });
    expect(await failureOf(late)).toBe('enough');
    fence.signal();
  });

  it('an abort after the end makes no difference', async () => {
    const fence = new Fence();
    const controller = new AbortController();
    const waiting = fence.wait({ signal: controller.signal });
    fence.signal();
    controller.abort('late');
    expect(await waiting).toBe(undefined);
  });

  it.each([
    [{ timeoutMs: -1 }, RangeError],
    [{ timeoutMs: Number.NaN }, RangeError],
    [{ timeoutMs: '5' }, TypeError],
    [{ signal: {} }, TypeError],
    [null, TypeError],
  ])('options that are none are refused: %j', async (options, kind) => {
    expect(await failureOf(new Fence().wait(options as never))).toBeInstanceOf(kind);
  });
});

describe('all of some fences', () => {
  it('ends with the last, ok if all are', () => {
    const fences = [new Fence(), new Fence(), new Fence()];
    fences[1]?.signal();
    const all = Fence.all(fences);
    fences[0]?.signal();
    expect(all.status).toBe('pending');
    fences[2]?.signal();
    expect(all.status).toBe('ok');
  });

  it('ends with the last also if one has failed, by the error that came first', () => {
    const [a, b, c] = [new Fence(), new Fence(), new Fence()];
    const all = Fence.all([a, b, c]);
    c.fail('first');
    a.fail('second');
    expect(all.status).toBe('pending');
    b.signal();
    expect([all.status, all.error]).toEqual(['error', 'first']);
  });

  it('of none has ended; of some that have, too; one named twice counts once', () => {
    expect(Fence.all([]).status).toBe('ok');
    const fence = new Fence();
    const twice = Fence.all([fence, fence]);
    fence.fail(bad);
    expect([twice.status, Fence.all([fence]).error]).toEqual(['error', bad]);
  });
});

describe('any of some fences', () => {
  it('ends with the first, as that one does, and leaves nothing with the others', () => {
    const [a, b] = [new Fence(), new Fence()];
    const any = Fence.any([a, b]);
    b.fail(bad);
    expect([any.status, any.error]).toEqual(['error', bad]);
    a.signal();
    expect(any.error).toBe(bad);
  });

  it('of which one has ended has ended', () => {
    const done = new Fence();
    done.signal();
    const pending = new Fence();
    expect(Fence.any([pending, done]).status).toBe('ok');
  });

  it('of an empty list is refused, as it would never end', () => {
    expect(() => Fence.any([])).toThrow('Fence.any of an empty list');
  });

  it.each([null, 5, [5], [null], [{ status: 'ok' }]])(
    'what are no fences is refused: %j',
    (fences) => {
      expect(() => Fence.any(fences as never)).toThrow(TypeError);
      expect(() => Fence.all(fences as never)).toThrow(TypeError);
    },
  );

  it('more than 65,536 are refused', () => {
    function* many() {
      for (let count = 0; count <= 65_536; count++) yield new Fence();
    }
    expect(() => Fence.all(many())).toThrow('more than 65536 fences');
  });
});

describe('deadline hints', () => {
  const watched = () => {
    const heard: number[] = [];
    return { heard, fence: new Fence({ onDeadline: (atMs) => heard.push(atMs) }) };
  };

  it('the earliest is kept and reported', () => {
    const { heard, fence } = watched();
    expect(fence.deadlineMs).toBe(Number.POSITIVE_INFINITY);
    expect([50, 60, 40].map((atMs) => fence.hintDeadline(atMs))).toEqual([true, false, true]);
    expect([fence.deadlineMs, heard]).toEqual([40, [50, 40]]);
    fence.signal();
    expect(fence.hintDeadline(30)).toBe(false);
    expect(heard).toEqual([50, 40]);
  });

  it('travel to what a fence is made of, however deep', () => {
    const { heard, fence } = watched();
    let outer: Fence = fence;
    for (let depth = 0; depth < 50_000; depth++) outer = Fence.all([outer]);
    Fence.any([outer, new Fence()]).hintDeadline(7);
    expect(heard).toEqual([7]);
  });

  it('what is no time is refused', () => {
    expect(() => new Fence().hintDeadline(Number.NaN)).toThrow(RangeError);
    expect(() => new Fence().hintDeadline('now' as never)).toThrow(TypeError);
  });
});
