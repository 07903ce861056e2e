/** `grant.covers`: what a guard of a resource asks, on both hosts that have it. */

import { createDomain } from 'kds';
import { createArena, openThreadsDomain } from 'kds/threads';
import { describe, expect, it } from 'vitest';

const hosts = {
  process: () => createDomain(),
  threads: () => openThreadsDomain(createArena({ bytesMax: 2 ** 18 })),
};

describe.each(Object.entries(hosts))('a grant of the backend %s', (_, open) => {
  it('covers what it holds, in that mode or a weaker one, and nothing else', () => {
    const domain = open();
    const grant = domain.acquireSync({ exclusive: ['a', 'b'], shared: 'c' });
    expect(grant.covers({ exclusive: ['a', 'b'], shared: 'c' })).toBe(true);
    expect(grant.covers({ shared: ['a', 'b', 'c'] })).toBe(true);
    expect(grant.covers(domain.prepare({ exclusive: 'a', shared: ['a', 'c'] }))).toBe(true);
    expect(grant.covers({})).toBe(true);
    expect(grant.covers({ exclusive: 'c' })).toBe(false);
    expect(grant.covers({ exclusive: 'a', shared: 'd' })).toBe(false);
    const other = domain.acquireSync({ exclusive: 'd' });
    expect(grant.covers({ shared: 'd' })).toBe(false);
    other.release();
    grant.release();
    expect(domain.querySync()).toEqual({ held: [], pending: [] });
  });

  it('covers no more what was released, downgraded or taken away', async () => {
    const domain = open();
    const handle = domain.resource();
    const grant = domain.acquireSync({ exclusive: ['a', 'b', handle] });
    grant.release('a');
    expect([grant.covers({ shared: 'a' }), grant.covers({ exclusive: 'b' })]).toEqual([
      false,
      true,
    ]);
    grant.downgrade('b');
    expect([grant.covers({ shared: 'b' }), grant.covers({ exclusive: 'b' })]).toEqual([
      true,
      false,
    ]);
    const steal = await domain.acquire({ exclusive: handle }, { steal: true });
    expect(grant.covers({ shared: 'b' })).toBe(false);
    steal.release();
    expect(steal.covers({})).toBe(false);
  });

  it('does not cover what it went without', async () => {
    const domain = open();
    const owner = domain.acquireSync({ exclusive: 'a' });
    const grant = await domain.acquire({ exclusive: ['a', 'b'] }, { locked: 'ignore' });
    expect(grant.covers({ shared: 'a' })).toBe(false);
    expect(grant.covers({ exclusive: 'b' })).toBe(true);
    owner.release();
    grant.release();
  });

  it('refuses what is no set of its domain, and stays as it is', () => {
    const domain = open();
    const grant = domain.acquireSync({ exclusive: 'a' });
    const foreign = createDomain();
    const codes = [
      () => grant.covers('a' as never),
      () => grant.covers({ exclusive: foreign.resource() }),
      () => grant.covers(foreign.prepare({ exclusive: 'a' })),
    ].map((call) => {
      try {
        return call();
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(codes).toEqual(['KDS_INVALID_SET', 'KDS_INVALID_SET', 'KDS_INVALID_SET']);
    expect(grant.covers({ exclusive: 'a' })).toBe(true);
    grant.release();
  });
});
