/** What one agent brings about for another, who hears of it later. */

import { createArena, openThreadsDomain } from 'kds/threads';
import { describe, expect, it } from 'vitest';

describe('a set that is granted and stolen before its owner hears of it', () => {
  const robbed = () => {
    const arena = createArena();
    const [a, b, c] = ['a', 'b', 'c'].map((label) => openThreadsDomain(arena, { label }));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three are open');
    const holder = a.tryAcquireSync({ exclusive: 'x' });
    /** All within one turn: b's event loop hears of nothing in between. */
    const rob = () => {
      holder?.release();
      return c.acquire({ exclusive: 'x' }, { steal: true });
    };
    return { b, rob, close: () => Promise.all([a.close(), b.close(), c.close()]) };
  };

  it('is told to a promise as a grant that is lost', async () => {
    const { b, rob, close } = robbed();
    const asked = b.acquire({ exclusive: 'x' });
    const thief = await rob();
    const grant = await asked;
    expect(grant.signal.aborted).toBe(true);
    expect(grant.token).toBeLessThan(thief.token);
    grant.release();
    expect(b.querySync().held.map(({ token }) => token)).toEqual([thief.token]);
    await close();
  });

  it('refuses a callback, which never starts', async () => {
    const { b, rob, close } = robbed();
    const told: unknown[] = [];
    const refused = new Promise((onRefused) => {
      b.enqueue({ exclusive: 'x' }, (grant) => told.push(grant), { onRefused });
    });
    await rob();
    expect(await refused).toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(told).toEqual([]);
    await close();
  });
});
