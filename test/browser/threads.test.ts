/** The threads host in a real browser: a page, its workers, and workers that end without a word. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, IsolatedSite } from './isolated-site.ts';

const chromium = findChromium();
const inOrder = { left: 0, faults: [] };

describe.skipIf(chromium === undefined)(
  `threads in Chromium${chromium === undefined ? ' (skipped: no chromium)' : ''}`,
  () => {
    let site: IsolatedSite;
    beforeAll(async () => {
      site = await IsolatedSite.open(chromium as string);
    });
    afterAll(() => site?.close());

    it('the page is cross-origin isolated, so it may share memory', async () => {
      expect(await site.run('environment', [])).toEqual({ isolated: true, hasWaitAsync: true });
    });

    it('a page conforms to the suite of all backends', async () => {
      const { passedCount, skipped, failed } = await site.run('conformance', []);
      console.info(`the suite in a page: ${passedCount} passed, ${skipped.length} not offered`);
      expect(failed).toEqual([]);
      expect(passedCount).toBeGreaterThan(100);
    });

    it('the page and two workers exclude each other, and all of them progress', async () => {
      const { violations, counts, ...end } = await site.run('contention', [1500]);
      console.info(`sections of page, worker, worker: ${counts.join(', ')}`);
      expect(violations).toEqual([]);
      expect(Math.min(...counts)).toBeGreaterThan(20);
      expect(end).toEqual(inOrder);
    });

    it('a set goes from the page to a blocked worker, to one that awaits, and back', async () => {
      const { order, tookMs, ...end } = await site.run('handover', [20]);
      console.info(`three hand-overs: ${Math.min(...tookMs).toFixed(2)} ms`);
      expect(order).toEqual(Array.from({ length: 20 }, () => ['one', 'two', 'page']).flat());
      expect(end).toEqual(inOrder);
    });

    it('the page is refused at once where it would have to block, and leaves nothing', async () => {
      expect(await site.run('refusals', [])).toEqual({
        refused: Array.from({ length: 3 }, () => 'KDS_WAIT_TIMEOUT'),
        pendingCount: 0,
        canBlock: false,
        ...inOrder,
      });
    });

    // At once, each in a page of its own: a browser takes seconds to end a thread.
    it.concurrent.each(['in its event loop', 'asleep', 'blocked'] as const)(
      'a holder terminated %s is reaped, and its successor sees it as recovered',
      async (how) => {
        const { other, page, tookMs, ...end } = await site.run('holderEnds', [how]);
        console.info(`from terminate() to the next grant: ${tookMs.toFixed(0)} ms`);
        expect({ other, page, ...end }).toEqual({ other: ['x'], page: [], ...inOrder });
      },
    );

    it.each(['await', 'await a try', 'await both', 'enqueue'] as const)(
      'a worker is granted nothing before it shows that it lives (%s)',
      async (how) => {
        expect(await site.run('firstGrant', [how])).toEqual({ signCount: 1, isHeld: true });
      },
    );

    it.each(['await', 'await a try', 'enqueue'] as const)(
      'the capacities of a worker are declared before any request of it (%s)',
      async (how) => {
        expect(await site.run('firstUnits', [how])).toEqual({
          granted: true,
          units: { pool: ['a', 'b'] },
          declared: { capacity: 3, taken: 2, waiting: 0, names: ['a', 'b', 'c'] },
        });
      },
    );

    it.each(['block', 'try'] as const)(
      'a worker that may not wait for that is refused (%s)',
      async (how) => {
        const refused = { refused: 'KDS_UNAVAILABLE', isHeld: false };
        expect(await site.run('firstGrant', [how])).toEqual(refused);
      },
    );

    const delaysMs = [0, 1, 2, 3, 4, 6].flatMap((ms) => [ms, ms]);

    it.each(['await', 'await a try', 'enqueue'] as const)(
      'a worker terminated some ms after its first grant is noticed (%s)',
      async (how) => {
        const { ends, ...end } = await site.run('earlyEnds', ['granted', how, delaysMs]);
        expect(ends).toEqual(delaysMs.map(() => 'x'));
        expect(end).toEqual(inOrder);
      },
    );

    it('a worker terminated some ms after it opened a domain keeps nothing', async () => {
      const { ends, ...end } = await site.run('earlyEnds', ['opened', 'await', delaysMs]);
      expect(ends.length).toBe(delaysMs.length);
      expect(ends.filter((recovered) => recovered !== '' && recovered !== 'x')).toEqual([]);
      expect(end).toEqual(inOrder);
    });

    it('a frame uses the arena of its page, and its end is noticed', async () => {
      const seen = await site.run('frameEnds', []);
      expect(seen).toEqual({ isForeign: true, recovered: ['x'], ...inOrder });
    });

    it.concurrent.each(['block', 'await'] as const)(
      'a worker terminated while it waits (%s) lets those behind it through',
      async (how) => {
        const seen = await site.run('waiterEnds', [how]);
        expect(seen).toEqual({ granted: true, recovered: [], ...inOrder });
      },
    );

    it('a worker that ends at any step, with the lock or not, stops nobody', async () => {
      const { stepCount, ends, longestPauseMs } = await site.run('deathsAtSteps', [6]);
      console.info(`${stepCount} steps; the page stood still for ${longestPauseMs.toFixed(0)} ms`);
      expect(ends.map(({ step: _, isLocked: __, ...end }) => end)).toEqual(
        ends.map(() => ({ granted: true, names: ['TimeoutError', 'AbortError'], ...inOrder })),
      );
      expect(ends.some(({ isLocked }) => isLocked)).toBe(true);
    });

    describe('without Atomics.waitAsync', () => {
      const search = '?without=waitAsync';

      it('it is not there', async () => {
        expect((await site.run('environment', [], search)).hasWaitAsync).toBe(false);
      });

      it.each([
        ['by messages', search],
        ['although messages are lost', `${search}&deaf=channel`],
      ])(
        'a set goes from the page to a blocked worker, to one that awaits it, and back, %s',
        async (_, without) => {
          const { order, tookMs, ...end } = await site.run('handover', [5], without);
          console.info(`three hand-overs without waitAsync: ${Math.min(...tookMs).toFixed(2)} ms`);
          expect(order).toEqual(Array.from({ length: 5 }, () => ['one', 'two', 'page']).flat());
          expect(end).toEqual(inOrder);
        },
      );

      it('a terminated holder is reaped, and its successor sees it as recovered', async () => {
        const { other, page } = await site.run('holderEnds', ['in its event loop'], search);
        expect({ other, page }).toEqual({ other: ['x'], page: [] });
      });

      it('a worker terminated some ms after its first grant is noticed', async () => {
        const { ends } = await site.run('earlyEnds', ['granted', 'await', delaysMs], search);
        expect(ends).toEqual(delaysMs.map(() => 'x'));
      });

      it('the page and two workers exclude each other, and all of them progress', async () => {
        const { violations, counts, ...end } = await site.run('contention', [1000], search);
        expect(violations).toEqual([]);
        expect(Math.min(...counts)).toBeGreaterThan(20);
        expect(end).toEqual(inOrder);
      });
    });
  },
);
