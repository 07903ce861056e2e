/** What one agent brings about for another, which is notified of it later. */

import { createArena, openThreadsDomain } from 'kds/threads';
import { describe, expect, it } from 'vitest';

describe('a set that is granted and stolen before its owner is notified', () => {
  const open = () => {
    const arena = createArena();
    const [a, b, c] = ['a', 'b', 'c'].map((label) => openThreadsDomain(arena, { label }));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three are open');
    const holder = a.tryAcquireSync({ exclusive: 'x' });
    /** All within one turn: b's event loop is notified of nothing in between. */
    const releaseAndSteal = () => {
      holder?.release();
      return c.acquire({ exclusive: 'x' }, { steal: true });
    };
    return { b, releaseAndSteal, close: () => Promise.all([a.close(), b.close(), c.close()]) };
  };

  it('resolves a promise with a grant that is lost', async () => {
    const { b, releaseAndSteal, close } = open();
    const asked = b.acquire({ exclusive: 'x' });
    const steal = await releaseAndSteal();
    const grant = await asked;
    expect(grant.signal.aborted).toBe(true);
    expect(grant.token).toBeLessThan(steal.token);
    grant.release();
    expect(b.querySync().held.map(({ token }) => token)).toEqual([steal.token]);
    await close();
  });

  it('refuses a callback, which never starts', async () => {
    const { b, releaseAndSteal, close } = open();
    const called: unknown[] = [];
    const refused = new Promise((onRefused) => {
      b.enqueue({ exclusive: 'x' }, (grant) => called.push(grant), { onRefused });
    });
    await releaseAndSteal();
    expect(await refused).toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(called).toEqual([]);
    await close();
  });
});
