/** Fences and sets, on every backend. */

import { createDomain, type Domain } from 'kds';
import { doneFence, exportFence, Fence, importFence } from 'kds/fences';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf, turn } from '../web-locks/holding.ts';
import { worldKinds } from '../web-locks/worlds.ts';

const bad = new Error('on purpose');
const limitMs = 600_000;

/** Resolves when the snapshot has so many that hold and that wait. */
async function standing(domain: Domain, heldCount: number, pendingCount: number): Promise<void> {
  const untilMs = performance.now() + 600_000;
  for (;;) {
    const { held, pending } = await domain.query();
    if (held.length === heldCount && pending.length === pendingCount) return;
    if (performance.now() > untilMs) throw new Error(`${held.length} hold, ${pending.length} wait`);
    await turn();
  }
}

describe.each(worldKinds.map((kind) => [kind.name, kind] as const))('on %s', (_name, kind) => {
  beforeAll(() => kind.start?.());
  afterAll(() => kind.end?.());

  /** A test in a world of its own, in which nothing may be left. */
  const inWorld = (body: (domain: Domain) => Promise<void>) => async () => {
    const world = await kind.open();
    await body(world.domain);
    await standing(world.domain, 0, 0);
    await world.close();
  };

  describe('exportFence', () => {
    it(
      'ends when all that conflicts now is gone, whatever arrives later',
      inWorld(async (domain) => {
        const reader = await domain.acquire({ shared: 'a' });
        const writing = domain.acquire({ exclusive: 'a' });
        const fence = exportFence(domain, { shared: 'a' });
        const later = domain.acquire({ exclusive: 'a' });
        await reader.release();
        expect(fence.status).toBe('pending');
        await (await writing).release();
        await fence;
        await (await later).release();
      }),
    );

    it(
      'ends at once if nothing conflicts, and holds nothing',
      inWorld(async (domain) => {
        const reader = await domain.acquire({ shared: 'a' });
        await exportFence(domain, { shared: 'a' });
        await standing(domain, 1, 0);
        await reader.release();
      }),
    );

    it(
      'can be stopped by a signal',
      inWorld(async (domain) => {
        const writer = await domain.acquire({ exclusive: 'a' });
        const controller = new AbortController();
        const fence = exportFence(domain, { shared: 'a' }, { signal: controller.signal });
        controller.abort('enough');
        expect(await failureOf(fence.wait())).toBe('enough');
        await writer.release();
      }),
    );

    it(
      'is ok although the holder gave up: who comes later can see that',
      inWorld(async (domain) => {
        const writer = await domain.acquire({ exclusive: 'a' });
        const fence = exportFence(domain, { shared: 'a' });
        await writer.abandon(bad);
        await fence;
        const next = await domain.acquire({ exclusive: 'a' });
        expect(next.recovered).toEqual(['a']);
        await next.release();
      }),
    );
  });

  describe('importFence', () => {
    it(
      'holds the set until the fence ends, and then who waits goes on',
      inWorld(async (domain) => {
        const drawn = new Fence();
        const over = importFence(domain, { exclusive: 'a' }, drawn, { limitMs });
        const reading = domain.acquire({ shared: 'a' });
        await standing(domain, 1, 1);
        drawn.signal();
        await over;
        const reader = await reading;
        expect(reader.recovered).toEqual([]);
        await reader.release();
      }),
    );

    it(
      'waits for its turn like any set',
      inWorld(async (domain) => {
        const writer = await domain.acquire({ exclusive: 'a' });
        const drawn = new Fence();
        const over = importFence(domain, { shared: 'a' }, drawn, { limitMs });
        const next = domain.acquire({ exclusive: 'a' });
        await standing(domain, 1, 2);
        await writer.release();
        await standing(domain, 1, 1);
        drawn.signal();
        await over;
        await (await next).release();
      }),
    );

    it(
      'if the fence ends well while it waits, it withdraws',
      inWorld(async (domain) => {
        const writer = await domain.acquire({ exclusive: 'a' });
        const drawn = new Fence();
        const over = importFence(domain, { exclusive: ['a', 'b'] }, drawn, { limitMs });
        await standing(domain, 1, 1);
        drawn.signal();
        await over;
        await standing(domain, 1, 0);
        await writer.release();
      }),
    );

    it(
      'of a fence that has ended well takes nothing',
      inWorld(async (domain) => {
        const writer = await domain.acquire({ exclusive: 'a' });
        const drawn = new Fence();
        drawn.signal();
        await importFence(domain, { exclusive: 'a' }, drawn, { limitMs });
        await standing(domain, 1, 0);
        await writer.release();
      }),
    );

    it.each(['while it is held', 'while it waits', 'before'])(
      'of a fence that fails %s marks the set: later owners see it, and do not fail',
      async (when) => {
        await inWorld(async (domain) => {
          const drawn = new Fence();
          if (when === 'before') drawn.fail(bad);
          const writer = when === 'while it waits' ? await domain.acquire({ shared: 'a' }) : null;
          const over = importFence(domain, { exclusive: 'a' }, drawn, { limitMs });
          const reading = domain.acquire({ shared: 'a' });
          if (when === 'while it is held') await standing(domain, 1, 1);
          if (when === 'while it waits') await standing(domain, 1, 2);
          drawn.fail(bad);
          await writer?.release();
          expect(await failureOf(over.wait())).toBe(bad);
          const reader = await reading;
          expect(reader.recovered).toEqual(['a']);
          await reader.release();
          // Whole again.
          await (await domain.acquire({ exclusive: 'a' })).release();
        })();
      },
    );

    it(
      'is over after its limit while it waits, and has held nothing',
      inWorld(async (domain) => {
        const writer = await domain.acquire({ exclusive: 'a' });
        const options = { limitMs: 1, label: 'frame 7' };
        const over = importFence(domain, { exclusive: 'a' }, new Fence(), options);
        const error = await failureOf(over.wait());
        expect(error).toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
        expect((error as Error).message).toContain('"frame 7"');
        await writer.release();
        const next = await domain.acquire({ exclusive: 'a' });
        expect(next.recovered).toEqual([]);
        await next.release();
      }),
    );

    it(
      'is over after its limit while it holds the set, and marks it',
      inWorld(async (domain) => {
        // The limit begins with the call: far away it may be over before the set is held.
        for (let limitMs = 10; ; limitMs *= 2) {
          const over = importFence(domain, { exclusive: 'a' }, new Fence(), { limitMs });
          expect(await failureOf(over.wait())).toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
          const next = await domain.acquire({ exclusive: 'a' });
          const { recovered } = next;
          await next.release();
          if (recovered.length > 0 || limitMs > 20_000) {
            expect(recovered).toEqual(['a']);
            return;
          }
        }
      }),
    );

    it(
      'that is stolen from ends with that, and leaves nothing with the fence',
      inWorld(async (domain) => {
        const drawn = new Fence();
        const over = importFence(domain, { exclusive: 'a' }, drawn, { limitMs });
        await standing(domain, 1, 0);
        const steal = await domain.acquire({ exclusive: 'a' }, { steal: true });
        expect(await failureOf(over.wait())).toMatchObject({ code: 'KDS_GRANT_LOST' });
        drawn.signal();
        await standing(domain, 1, 0);
        await steal.release();
      }),
    );
  });

  describe('doneFence', () => {
    it(
      'ends when the grant is released, and is one for each grant',
      inWorld(async (domain) => {
        const grant = await domain.acquire({ exclusive: 'a' });
        const done = doneFence(grant);
        expect(doneFence(grant)).toBe(done);
        expect(done.status).toBe('pending');
        await grant.release();
        await done;
        await grant.release();
        expect(doneFence(grant).status).toBe('ok');
      }),
    );

    it(
      'ends when the last part is released',
      inWorld(async (domain) => {
        const grant = await domain.acquire({ exclusive: ['a', 'b'], shared: 'c' });
        const done = doneFence(grant);
        await grant.release(['a', 'c']);
        expect(done.status).toBe('pending');
        await grant.downgrade('b');
        expect(done.status).toBe('pending');
        await grant.release('b');
        await done;
      }),
    );

    it(
      'ends when the grant is disposed of, or its run ends',
      inWorld(async (domain) => {
        let done = await domain.run({ exclusive: 'a' }, (grant) => [doneFence(grant)]);
        await done[0];
        {
          await using grant = await domain.acquire({ exclusive: 'a' });
          done = [doneFence(grant)];
        }
        await done[0];
      }),
    );

    it(
      'fails when the grant is abandoned, or stolen',
      inWorld(async (domain) => {
        const given = await domain.acquire({ exclusive: 'a' });
        const done = doneFence(given);
        await given.abandon(bad);
        expect(await failureOf(done.wait())).toBe(bad);

        const silent = await domain.acquire({ exclusive: 'a' });
        const quietly = doneFence(silent);
        await silent.abandon();
        expect(await failureOf(quietly.wait())).toMatchObject({ code: 'KDS_GRANT_LOST' });

        const revoked = await domain.acquire({ exclusive: 'a' });
        const stolen = doneFence(revoked);
        const steal = await domain.acquire({ exclusive: 'a' }, { steal: true });
        expect(await failureOf(stolen.wait())).toBe(revoked.signal.reason);
        await steal.release();
      }),
    );

    it(
      'of a grant that has ended has ended',
      inWorld(async (domain) => {
        const grant = await domain.acquire({ exclusive: 'a' });
        await grant.release();
        await doneFence(grant);
        const given = await domain.acquire({ exclusive: 'a' });
        await given.abandon(bad);
        expect(doneFence(given)).toMatchObject({ status: 'error', error: bad });
      }),
    );

    it(
      'can be imported: who waits for one set waits for another',
      inWorld(async (domain) => {
        const source = await domain.acquire({ exclusive: 'source' });
        const over = importFence(domain, { exclusive: 'copy' }, doneFence(source), { limitMs });
        const reading = domain.acquire({ shared: 'copy' });
        await standing(domain, 2, 1);
        await source.release();
        await over;
        await (await reading).release();
      }),
    );
  });
});

describe('bad input', () => {
  const fence = new Fence();

  it.each([
    ['no domain', undefined, { exclusive: 'a' }, TypeError],
    ['what is no domain', {}, { exclusive: 'a' }, TypeError],
    ['what is no set', createDomain(), 5, Error],
    ['a set of an unknown key', createDomain(), { exclusiv: 'a' }, Error],
    ['a name too long', createDomain(), { exclusive: 'x'.repeat(2 ** 20) }, Error],
  ])('%s is refused, and nothing is left behind', async (_, domain, set, kind) => {
    const where = domain as Domain;
    expect(() => exportFence(where, set as never)).toThrow(kind);
    expect(() => importFence(where, set as never, fence, { limitMs })).toThrow(kind);
    if (where?.query !== undefined) {
      expect(await where.query()).toEqual({ held: [], pending: [] });
    }
  });

  it.each([
    [undefined, TypeError],
    [{}, TypeError],
    [{ limitMs: '5' }, TypeError],
    [{ limitMs: Number.POSITIVE_INFINITY }, RangeError],
    [{ limitMs: -1 }, RangeError],
    [{ limitMs: Number.NaN }, RangeError],
    [{ limitMs, label: 5 }, TypeError],
  ])('an import needs a limit: %j', (options, kind) => {
    const domain = createDomain();
    expect(() => importFence(domain, { exclusive: 'a' }, fence, options as never)).toThrow(kind);
    expect(domain.querySync()).toEqual({ held: [], pending: [] });
  });

  it('what is no fence, no grant, or no signal is refused', () => {
    const domain = createDomain();
    expect(() => importFence(domain, {}, {} as never, { limitMs })).toThrow(TypeError);
    expect(() => exportFence(domain, {}, { signal: {} as never })).toThrow(TypeError);
    for (const grant of [undefined, {}, 5])
      expect(() => doneFence(grant as never)).toThrow(TypeError);
  });

  it('a closed domain refuses, or ends what is under way', async () => {
    const domain = createDomain();
    const writer = await domain.acquire({ exclusive: 'a' });
    const exported = exportFence(domain, { shared: 'a' });
    const waiting = importFence(domain, { exclusive: 'a' }, fence, { limitMs });
    const holding = importFence(domain, { exclusive: 'b' }, fence, { limitMs });
    const done = doneFence(writer);
    await domain.close();
    expect(await failureOf(exported.wait())).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect(await failureOf(waiting.wait())).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect(await failureOf(holding.wait())).toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(await failureOf(done.wait())).toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(() => exportFence(domain, { shared: 'a' })).toThrow('closed');
  });

  it('a domain without the capability is refused', () => {
    const domain = Object.create(createDomain(), { capabilities: { value: new Set() } }) as Domain;
    expect(() => exportFence(domain, {})).toThrow("capability 'settled'");
  });
});
