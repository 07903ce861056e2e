/** Views of a buffer: only under a grant that covers them, in that mode, for that long. */

import { createBuffer, createBufferPool, openBuffer, openBufferPool } from 'kds/buffers';
import { createJobQueue } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, nothing } from '../jobs/domains.ts';

const lost = expect.objectContaining({ code: 'KDS_GRANT_LOST' });
const invalid = expect.objectContaining({ code: 'KDS_INVALID_SET' });
const anything = <T>(value: unknown): T => value as T;

describe.each(backends)('a buffer on the backend %s', (_, open) => {
  it('is read under a shared grant, and written under an exclusive one', () => {
    const domain = open();
    const buffer = createBuffer({ byteLength: 16 });
    const writer = domain.acquireSync({ exclusive: buffer.resource });
    buffer.write(writer, Int32Array)[1] = -2;
    expect(buffer.read(writer, Int32Array)[1]).toBe(-2);
    writer.release();
    const reader = domain.acquireSync({ shared: buffer.resource });
    expect([...buffer.read(reader)].slice(4, 8)).toEqual([254, 255, 255, 255]);
    expect(() => buffer.write(reader)).toThrow(invalid);
    reader.release();
    expect(() => buffer.read(reader)).toThrow(lost);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('is written no more after a downgrade, and not under a grant of something else', () => {
    const domain = open();
    const [one, two] = createBufferPool({ count: 2, byteLength: 8 }).buffers;
    const grant = domain.acquireSync({ exclusive: one?.resource as string });
    expect(() => two?.read(grant)).toThrow(invalid);
    grant.downgrade();
    expect(() => one?.write(grant)).toThrow(invalid);
    expect(one?.read(grant)).toHaveLength(8);
    grant.release();
  });

  it('gives a part, in any of the types, and no more than there is', () => {
    const domain = open();
    const buffer = createBuffer({ byteLength: 10 });
    const grant = domain.acquireSync({ exclusive: buffer.resource });
    expect(buffer.write(grant, Float32Array)).toHaveLength(2);
    expect(buffer.write(grant, Uint16Array, 4)).toHaveLength(3);
    expect(buffer.read(grant, Uint8ClampedArray, 3, 2)).toHaveLength(2);
    expect(() => buffer.read(grant, Uint8Array, 3, 8)).toThrow(RangeError);
    expect(() => buffer.read(grant, Int32Array, 2)).toThrow(RangeError);
    expect(() => buffer.read(grant, Uint8Array, -1)).toThrow(RangeError);
    expect(() => buffer.read(grant, Uint8Array, 11)).toThrow(RangeError);
    expect(buffer.read(grant, Uint8Array, 10)).toHaveLength(0);
    grant.release();
  });

  it('gives no part whose place or size is no whole number', () => {
    const domain = open();
    const buffer = createBuffer({ byteLength: 10 });
    const grant = domain.acquireSync({ exclusive: buffer.resource });
    const part = (...part: unknown[]) => {
      return () => buffer.read(grant, ...(part as [typeof Uint8Array, number, number]));
    };
    expect(part(Uint8Array, 1.5)).toThrow(RangeError);
    expect(part(Uint8Array, Number.NaN)).toThrow(RangeError);
    expect(part(Uint8Array, '4')).toThrow(TypeError);
    expect(part(Uint8Array, 0, 2.5)).toThrow(RangeError);
    expect(part(Uint8Array, 0, 'all')).toThrow(TypeError);
    expect(part(DataView)).toThrow(TypeError);
    expect(part(null)).toThrow(TypeError);
    expect(part({})).toThrow(/^View is a class of typed arrays, not /);
    grant.release();
  });

  it('is covered by a job that declared it, and by its sub-jobs', async () => {
    const domain = open();
    const buffer = createBuffer({ byteLength: 4, isGuarded: true });
    const queue = createJobQueue(domain);
    let kept: Uint8Array | undefined;
    await queue.submit({
      writes: buffer.resource,
      run: (job) => {
        const reads = buffer.resource;
        buffer.write(job)[0] = 7;
        return job.submit({
          reads,
          run: (sub) => {
            kept = buffer.read(sub) as Uint8Array;
            expect(kept[0]).toBe(7);
            expect(() => buffer.write(sub)).toThrow(invalid);
          },
        }).done;
      },
    }).done;
    expect(() => kept?.[0]).toThrow(lost);
  });

  it('guarded, throws on every use of a view that outlives its grant', () => {
    const domain = open();
    const buffer = createBuffer({ byteLength: 8, isGuarded: true });
    const grant = domain.acquireSync({ exclusive: buffer.resource });
    const view = buffer.write(grant);
    const part = view.fill(1).subarray(2, 4);
    const { fill } = view;
    const steps = view.values();
    view[0] = 9;
    expect([view.length, view[0], [...part], steps.next().value]).toEqual([8, 9, [1, 1], 9]);
    expect(Array.from(view.map((byte) => byte + 1))).toEqual([10, 2, 2, 2, 2, 2, 2, 2]);
    expect(new Uint8Array(8).fill(0).map((_, at) => view[at] as number)[0]).toBe(9);
    expect(() => view.buffer).toThrow('memory');
    grant.release();
    for (const use of [
      () => view[0],
      () => view.length,
      () => part[0],
      () => fill(0),
      () => steps.next(),
      () => [...view],
      () => {
        view[0] = 1;
      },
      () => new Uint8Array(8).set(view),
    ]) {
      expect(use).toThrow(lost);
    }
    const next = domain.acquireSync({ shared: buffer.resource });
    expect(buffer.read(next)[0]).toBe(9);
    next.release();
  });

  it('guarded, does not let a view to read be written', () => {
    const domain = open();
    const buffer = createBuffer({ byteLength: 8, isGuarded: true });
    const grant = domain.acquireSync({ shared: buffer.resource });
    const view = anything<Uint8Array>(buffer.read(grant));
    for (const use of [
      () => view.fill(1),
      () => view.set([1]),
      () => view.sort(),
      () => view.subarray(1).fill(1),
      () => {
        view[0] = 1;
      },
      () => Object.defineProperty(view, 0, { value: 1 }),
    ]) {
      expect(use).toThrow(TypeError);
    }
    expect([...view]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    grant.release();
  });
});

describe('a buffer', () => {
  it('is the same one where its handle is opened', () => {
    const pool = createBufferPool({ count: 3, byteLength: 4, label: 'frame' });
    const [, , last] = openBufferPool(structuredClone(pool.handle)).buffers;
    expect(last?.resource).toBe(pool.buffers[2]?.resource);
    expect([last?.label, last?.byteLength]).toEqual(['frame 2', 4]);
    expect(new Set(pool.buffers.map(({ resource }) => resource)).size).toBe(3);
  });

  it.each<[unknown, unknown]>([
    [undefined, TypeError],
    [{}, TypeError],
    [{ byteLength: 0 }, RangeError],
    [{ byteLength: 1.5 }, RangeError],
    [{ byteLength: 2 ** 31 }, RangeError],
    [{ byteLength: 1, label: 7 }, TypeError],
    [{ byteLength: 1, isGuarded: 'yes' }, TypeError],
  ])('is not made with %j', (options, kind) => {
    expect(() => createBuffer(anything(options))).toThrow(kind as typeof TypeError);
    expect(() => createBufferPool(anything(options && { count: 1, ...options }))).toThrow(
      kind as typeof TypeError,
    );
  });

  it('is refused a cover or a handle that is none', () => {
    const buffer = createBuffer({ byteLength: 1 });
    expect(() => buffer.read(anything(undefined))).toThrow(TypeError);
    expect(() => buffer.read(anything({ token: 1 }))).toThrow(TypeError);
    expect(() => openBuffer(anything('frame'))).toThrow(TypeError);
    expect(() => openBuffer(anything({ kind: 'kds-buffer' }))).toThrow('damaged');
    expect(() => openBufferPool(anything(buffer.handle))).toThrow(TypeError);
    expect(() => createBufferPool({ count: 1025, byteLength: 1 })).toThrow(RangeError);
  });
});
