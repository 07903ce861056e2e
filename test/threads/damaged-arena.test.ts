/** What is no arena, one of another version, and a damaged one: refused as it is opened. */

import { type Arena, createArena, openThreadsDomain } from 'kds/threads';
import { describe, expect, it } from 'vitest';
import { controlOf } from '../../src/backends/threads/arena.ts';
import * as C from '../../src/backends/threads/control.ts';
import * as L from '../../src/core/layout.ts';

const protocol = expect.objectContaining({ code: 'KDS_PROTOCOL' });

/** An arena that has been used, and in which nobody is. */
async function used(): Promise<Arena> {
  const arena = createArena({ bytesMax: 2 ** 18, agentsMax: 4 });
  const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
  const grant = await a.acquire({ exclusive: ['x', 'y'], shared: 'z' });
  const asked = b.acquire({ exclusive: 'x' }, { label: 'a label' });
  grant.release();
  (await asked).release();
  await Promise.all([a.close(), b.close()]);
  return arena;
}

function wordsOf(arena: Arena): { control: Int32Array; words: Int32Array } {
  const control = controlOf(arena);
  const words = new Int32Array(arena.buffer, control.byteLength, control[C.WORD_COUNT]);
  return { control, words };
}

it('what is no arena is refused as such', () => {
  const { buffer } = createArena();
  const wrong = [
    undefined,
    null,
    7,
    {},
    buffer,
    { kind: 'kds-arena', version: 1, buffer: new ArrayBuffer(2 ** 16) },
    { kind: 'kds-broker', version: 1, buffer },
  ];
  for (const arena of wrong) expect(() => openThreadsDomain(arena as Arena)).toThrow(TypeError);
});

describe('an arena is refused', () => {
  const control: Record<string, (control: Int32Array) => void> = {
    'that does not begin as one': (w) => void w.fill(0, C.MAGIC, 1),
    'of another version': (w) => void w.fill(99, C.VERSION, C.VERSION + 1),
    'with more words than there are': (w) => void w.fill(2 ** 28, C.WORD_COUNT, 4),
    'with fewer words than none': (w) => void w.fill(-1, C.WORD_COUNT, 3),
    'with more words than there may be': (w) => void w.fill(5, C.WORD_COUNT_MAX, 4),
    'for too many agents': (w) => void w.fill(1025, C.AGENT_COUNT_MAX, 5),
    'for one agent': (w) => void w.fill(1, C.AGENT_COUNT_MAX, 5),
    'whose lock is taken by nobody': (w) => void w.fill(3, C.LOCK, C.LOCK + 1),
    'with an agent in no state': (w) => void w.fill(7, C.wordsOfAgent(1), C.wordsOfAgent(1) + 1),
  };
  it.each(Object.entries(control))('%s', async (_, damage) => {
    const arena = await used();
    damage(wordsOf(arena).control);
    expect(() => openThreadsDomain(arena)).toThrow(protocol);
  });

  it('that is cut off', async () => {
    const { kind, version, buffer } = await used();
    for (const bytes of [0, 4, 100, 400, 2 ** 14, buffer.byteLength / 2]) {
      const cut = { kind, version, buffer: buffer.slice(0, bytes) as SharedArrayBuffer };
      expect(() => openThreadsDomain(cut)).toThrow(protocol);
    }
  });

  const words: Record<string, (w: Int32Array) => void> = {
    'that is empty': (w) => void w.fill(0),
    'of ones': (w) => void w.fill(-1),
    'whose slots end beyond it': (w) => void w.fill(2 ** 24, L.TOP, L.TOP + 1),
    'whose free slots begin between two': (w) => void w.fill(33, L.FREE, L.FREE + 1),
    'whose free slots are a ring': (w) => {
      const free = w[L.FREE] as number;
      w[free | L.CHAIN] = free;
    },
    'whose resource has a queue of nothing': (w) => {
      for (let slot = L.HEADER_WORDS; slot < (w[L.TOP] as number); slot += L.SLOT_WORDS) {
        if (((w[slot | L.FLAGS] as number) & L.KIND) !== L.RESOURCE) continue;
        w[slot | L.RESOURCE_HEAD] = slot;
      }
    },
  };
  it.each(Object.entries(words))('%s', async (_, damage) => {
    const arena = await used();
    damage(wordsOf(arena).words);
    expect(() => openThreadsDomain(arena)).toThrow(protocol);
  });
});

it('whatever its words are, opening one ends with a domain or a ProtocolError', async () => {
  let state = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31) | 1;
  console.info(`damaged arenas: KDS_SEED=${state}`);
  const random = (count: number): number => {
    state = Math.imul(state, 1103515245) + 12345;
    return (state >>> 8) % count;
  };
  let refusedCount = 0;
  for (let turn = 0; turn < 500; turn++) {
    const arena = await used();
    const { words } = wordsOf(arena);
    const top = words[L.TOP] as number;
    const count = 1 + random(20);
    for (let index = 0; index < count; index++) {
      const isNear = random(2) === 0;
      words[random(top)] = isNear ? random(2 * top) : (random(2 ** 24) << 8) | random(256);
    }
    try {
      openThreadsDomain(arena);
    } catch (error) {
      expect(error).toEqual(protocol);
      refusedCount++;
    }
  }
  expect(refusedCount).toBeGreaterThan(100);
});

it('who is refused leaves no agent behind', async () => {
  const arena = await used();
  const { control, words } = wordsOf(arena);
  const free = words[L.FREE] as number;
  const chain = words[free | L.CHAIN] as number;
  words[free | L.CHAIN] = free;
  for (let turn = 0; turn < 10; turn++) expect(() => openThreadsDomain(arena)).toThrow(protocol);
  words[free | L.CHAIN] = chain;
  expect(control[C.LOCK]).toBe(0);
  for (let agent = 0; agent < 4; agent++) expect(openThreadsDomain(arena).agent).toBe(agent);
});
