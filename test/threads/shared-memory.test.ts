/** Where there is no shared memory, and where it is of another realm. */

import { runInNewContext } from 'node:vm';
import { createDomain } from 'kds';
import { createBuffer, openBuffer } from 'kds/buffers';
import { createFenceArena, openFence } from 'kds/fences';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('in a page that is not cross-origin isolated', () => {
  it.each([
    ['an arena', () => createArena()],
    ['a buffer', () => createBuffer({ byteLength: 8 })],
    ['an arena of fences', () => createFenceArena(1)],
    ['a domain', () => openThreadsDomain({ kind: 'kds-arena' } as never)],
  ])('%s is refused, and the headers are named', (_, make) => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    const message = expect.stringMatching(
      /Cross-Origin-Opener-Policy \(COOP\): same-origin.*Cross-Origin-Embedder-Policy \(COEP\)/,
    );
    expect(make).toThrow(expect.objectContaining({ code: 'KDS_UNSUPPORTED', message }));
  });
});

describe('memory of another realm, as of the page around a frame', () => {
  it('is as good as any: an arena, a buffer, fences', async () => {
    const { buffer, ...arena } = createArena();
    const theirs = runInNewContext(
      `({ copy: (size, words) => {
        const buffer = new SharedArrayBuffer(size);
        new Int32Array(buffer).set(words);
        return buffer;
      } })`,
    ) as { copy(size: number, words: Int32Array): SharedArrayBuffer };
    const copied = (memory: SharedArrayBuffer) =>
      theirs.copy(memory.byteLength, new Int32Array(memory));
    const memory = copied(buffer);
    expect(memory).not.toBeInstanceOf(SharedArrayBuffer);
    const [one, two] = [0, 1].map(() => openThreadsDomain({ ...arena, buffer: memory }));
    const grant = one?.acquireSync({ exclusive: 'x' });
    const waiting = two?.acquire({ exclusive: 'x' });
    grant?.release();
    expect((await waiting)?.token).toBeGreaterThan(grant?.token as number);

    const { handle } = createBuffer({ byteLength: 8 });
    const view = openBuffer({ ...handle, memory: copied(handle.memory) });
    createDomain().acquireSync({ exclusive: view.resource }).release();
    const fences = createFenceArena(1);
    expect(openFence({ ...fences, buffer: copied(fences.buffer) }, 0).status).toBe('pending');
  });

  it('what only looks like it is none', () => {
    const buffer = { byteLength: 2 ** 18, __proto__: SharedArrayBuffer.prototype };
    const arena = { ...createArena(), buffer } as never;
    expect(() => openThreadsDomain(arena)).toThrow(TypeError);
    expect(() =>
      openThreadsDomain({ ...createArena(), buffer: new ArrayBuffer(8) } as never),
    ).toThrow(TypeError);
  });
});
