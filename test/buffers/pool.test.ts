/** Buffers of a pool as units of one resource: any that are free. */

import type { Domain } from 'kds';
import { createBufferPool, openBufferPool } from 'kds/buffers';
import { createJobQueue } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, nothing } from '../jobs/domains.ts';

const withUnits = backends.filter(([, open]) => open().capabilities.has('units'));
const anything = <T>(value: unknown): T => value as T;
const lost = expect.objectContaining({ code: 'KDS_GRANT_LOST' });
const invalid = expect.objectContaining({ code: 'KDS_INVALID_SET' });
const now = { timeoutMs: 0 };

describe.each(withUnits)('a pool on the backend %s', (_, open) => {
  const frames = () => createBufferPool({ count: 3, byteLength: 8, label: 'frame' });

  it('hands out buffers that are free, and their views under the grant', async () => {
    const domain = open();
    const pool = frames();
    const two = await pool.acquire(domain, { take: 2, label: 'renderer' });
    expect(two.buffers.map(({ label }) => label)).toEqual(['frame 0', 'frame 1']);
    const [first, second, third] = pool.buffers;
    second?.write(two.grant).fill(7);
    expect(first?.read(two.grant)).toHaveLength(8);
    expect(() => third?.write(two.grant)).toThrow(invalid);
    expect(domain.querySync().held[0]?.label).toBe('renderer');
    await expect(pool.acquire(domain, { take: 2, ...now })).rejects.toMatchObject({
      code: 'KDS_WAIT_TIMEOUT',
    });
    const one = await pool.acquire(domain);
    expect(one.buffers).toEqual([third]);
    const waiting = pool.acquire(domain);
    two.grant.release();
    expect(() => second?.read(two.grant)).toThrow(lost);
    expect(pool.buffersOf(two.grant)).toEqual([]);
    const next = await waiting;
    expect(next.buffers).toEqual([first]);
    one.grant.release();
    next.grant.release();
    expect(domain.querySync()).toEqual(nothing);
  });

  it('is the same where its handle is opened', async () => {
    const domain = open();
    const pool = frames();
    const same = openBufferPool(structuredClone(pool.handle), { isGuarded: true });
    const here = await pool.acquire(domain);
    const there = await same.acquire(domain);
    expect(there.buffers.map(({ resource }) => resource)).toEqual([pool.buffers[1]?.resource]);
    const view = there.buffers[0]?.write(there.grant);
    view?.fill(5);
    there.grant.release();
    expect(() => view?.fill(6)).toThrow(lost);
    here.grant.release();
  });

  it('has names of its buffers where they are declared as its capacity', async () => {
    const domain = open();
    const pool = frames();
    domain.setCapacity(
      pool.resource,
      pool.buffers.map(({ label }) => label as string),
    );
    await pool.acquire(domain);
    const { buffers, grant } = await pool.acquire(domain, { take: 2 });
    expect(grant.units).toEqual({ [pool.resource]: ['frame 1', 'frame 2'] });
    expect(buffers).toEqual(pool.buffers.slice(1));
    buffers[0]?.write(grant).fill(1);
  });

  it('hands out buffers to jobs and sub-jobs', async () => {
    const domain = open();
    const pool = frames();
    const other = await pool.acquire(domain);
    const queue = createJobQueue(domain);
    const units = { [pool.resource]: { take: 1, of: 3 } };
    const job = queue.submit({
      units,
      run: (job) => {
        const [buffer] = pool.buffersOf(job);
        buffer?.write(job).fill(3);
        return job.submit({ units, run: (sub) => pool.buffersOf(sub)[0]?.read(sub)[0] }).done;
      },
    });
    expect(await job.done).toBe(3);
    other.grant.release();
    expect(domain.querySync()).toEqual(nothing);
  });

  it('refuses other numbers of buffers, domains and covers', async () => {
    const domain = open();
    const pool = frames();
    for (const take of [0, 4, 1.5, Number.NaN]) {
      await expect(pool.acquire(domain, { take })).rejects.toThrow(RangeError);
    }
    await expect(pool.acquire(domain, { take: anything('1') })).rejects.toThrow(TypeError);
    await expect(pool.acquire(anything<Domain>({}))).rejects.toThrow('acquired in a domain');
    await expect(pool.acquire(domain, anything(5))).rejects.toThrow(TypeError);
    expect(() => pool.buffersOf(anything({ token: 1 }))).toThrow(TypeError);
    const { resource: _, ...handle } = pool.handle;
    expect(() => openBufferPool(anything(handle))).toThrow('damaged');
    expect(domain.querySync()).toEqual(nothing);
  });
});
