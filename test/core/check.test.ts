/** That findFaults sees what it is there to see: words in order, with one thing put wrong. */

import { describe, expect, it } from 'vitest';
import { findFaults, PASS_LOCKED, SYNC } from '../../src/core/index.ts';
import * as L from '../../src/core/layout.ts';
import { Scene } from './scene.ts';

/** A writer, a waiting reader and writer, one who ignores, two observers, a declared grant. */
function furnish() {
  const s = new Scene();
  const writer = s.ask({ exclusive: ['a', 'b'] }, SYNC);
  const reader = s.ask({ shared: ['a', 'c'] });
  const last = s.ask({ exclusive: ['a'] });
  const passing = s.ask({ exclusive: ['b'] }, PASS_LOCKED);
  const watching = s.core.firstLink(s.observe({ exclusive: ['a'] }));
  s.observe({ exclusive: ['a'] });
  s.core.declareHolding(last, [passing]);
  s.end(s.ask({ exclusive: ['d'] }, 0), { died: true });
  s.end(s.ask({ shared: ['c'] }));
  const w = s.memory.words;
  const [linkOfWriter, linkOfReader, linkOfLast] = [writer, reader, last].map((set) =>
    s.core.firstLink(set),
  ) as [number, number, number];
  const [a, b] = [s.ref('a'), s.ref('b')];
  const sets = { writer, reader, last, passing };
  return { s, w, a, b, ...sets, linkOfWriter, linkOfReader, linkOfLast, watching };
}

/** A word, and what is put there. */
type Put = readonly [index: number, value: number];

interface Damage {
  readonly name: string;
  readonly puts: (furnished: ReturnType<typeof furnish>) => readonly Put[];
  readonly sees: RegExp;
}

const damages: readonly Damage[] = [
  {
    name: 'a link that overtook',
    puts: ({ linkOfLast: link }) => [
      [link | L.LINK_ARRIVAL, 0],
      [(link | L.LINK_ARRIVAL) + 1, 0],
    ],
    sees: /overtook/,
  },
  {
    name: 'a wake-up lost',
    puts: ({ w, linkOfWriter: link }) => [[link, w[link] & ~L.LINK_TRIGGERED]],
    sees: /not triggered \(I2\)/,
  },
  {
    name: 'a link triggered too early',
    puts: ({ w, linkOfLast: link }) => [[link, w[link] | L.LINK_TRIGGERED]],
    sees: /is triggered \(I2\)/,
  },
  {
    name: 'a frontier left behind',
    puts: ({ a, linkOfLast }) => [[a | L.RESOURCE_FRONTIER, linkOfLast]],
    sees: /another frontier/,
  },
  {
    name: 'a tail left behind',
    puts: ({ a, linkOfReader }) => [[a | L.RESOURCE_TAIL, linkOfReader]],
    sees: /another tail/,
  },
  {
    name: 'a queue chained one way only',
    puts: ({ linkOfLast }) => [[linkOfLast | L.LINK_PREVIOUS, L.NOBODY]],
    sees: /another one ahead/,
  },
  {
    name: 'a queue that is circular',
    puts: ({ linkOfLast }) => [[linkOfLast | L.LINK_NEXT, linkOfLast]],
    sees: /is circular/,
  },
  {
    name: 'a link in a foreign queue',
    puts: ({ b, linkOfLast }) => [[linkOfLast | L.LINK_RESOURCE, b]],
    sees: /foreign queue/,
  },
  {
    name: 'a link of a foreign set',
    puts: ({ reader, linkOfLast }) => [[linkOfLast | L.LINK_SET, reader]],
    sees: /foreign set/,
  },
  {
    name: 'a lock that is never let go',
    puts: ({ w, a }) => [[a, w[a] + L.RESOURCE_SYNC_ONE]],
    sees: /counts sync links wrong/,
  },
  {
    name: 'an ignored link that its resource does not know of',
    puts: ({ w, b }) => [[b, w[b] & ~L.RESOURCE_IGNORED]],
    sees: /does not know of ignored/,
  },
  {
    name: 'a set that waits for too much',
    puts: ({ last }) => [[last | L.SET_PENDING, 2]],
    sees: /counts its pending links wrong/,
  },
  {
    name: 'a set granted too early',
    puts: ({ w, last }) => [[last, w[last] | L.SET_GRANTED]],
    sees: /is granted/,
  },
  {
    name: 'a set that should have been granted',
    puts: ({ w, writer }) => [[writer, w[writer] & ~L.SET_GRANTED]],
    sees: /not granted/,
  },
  {
    name: 'a lost set that was not forgotten',
    puts: ({ w, writer }) => [[writer, w[writer] | L.SET_LOST]],
    sees: /not forgotten/,
  },
  {
    name: 'a recovered flag that was not counted',
    puts: ({ w, a }) => [[a, w[a] | L.RESOURCE_RECOVERED]],
    sees: /flags counted/,
  },
  {
    name: 'a part still chosen',
    puts: ({ w, a }) => [[a, w[a] | L.RESOURCE_CHOSEN]],
    sees: /still chosen/,
  },
  {
    name: 'a list that was not emptied',
    puts: ({ a }) => [[L.IDLE_FIRST, a]],
    sees: /not empty/,
  },
  {
    name: 'a leaked slot',
    puts: ({ w }) => [[L.FREE, w[w[L.FREE] | L.CHAIN]]],
    sees: /leaked/,
  },
  {
    name: 'a slot in use that was freed',
    puts: ({ w, last, linkOfLast }) => [
      [linkOfLast | L.CHAIN, w[L.FREE]],
      [L.FREE, last],
    ],
    sees: /foreign|leaked|both/,
  },
  {
    name: 'a slot that is none',
    puts: ({ last }) => [[last | L.CHAIN, 3]],
    sees: /no slot/,
  },
  {
    name: 'a link of another kind',
    puts: ({ w, linkOfLast: link }) => [[link, w[link] ^ L.KIND]],
    sees: /another kind/,
  },
  {
    name: 'an observation that has ended and is still there',
    puts: ({ watching }) => [
      [watching | L.LINK_ARRIVAL, 0],
      [(watching | L.LINK_ARRIVAL) + 1, 0],
    ],
    sees: /should have ended/,
  },
  {
    name: 'observations chained one way only',
    puts: ({ watching }) => [[watching | L.LINK_PREVIOUS, L.NOBODY]],
    sees: /another one ahead/,
  },
  {
    name: 'a sum of units left behind',
    puts: ({ a }) => [[a | L.RESOURCE_USED, 0]],
    sees: /used units wrong/,
  },
  {
    name: 'a link of no units',
    puts: ({ linkOfReader: link }) => [[link, L.LINK]],
    sees: /takes 0 units/,
  },
  {
    name: 'an annex for nothing',
    puts: ({ w, a }) => [
      [w[a | L.RESOURCE_ANNEX] | L.ANNEX_OBSERVE_ALL, L.NOBODY],
      [a, w[a] & ~L.RESOURCE_OBSERVED],
    ],
    sees: /annex for nothing/,
  },
  {
    name: 'a capacity of nothing',
    puts: ({ w, a }) => [[w[a | L.RESOURCE_ANNEX] | L.ANNEX_CAPACITY, 0]],
    sees: /capacity of 0/,
  },
  {
    name: 'an annex that is lost',
    puts: ({ b, a }) => [[b | L.RESOURCE_ANNEX, a]],
    sees: /another kind/,
  },
  {
    name: 'an observed resource without its flag',
    puts: ({ w, a }) => [[a, w[a] & ~L.RESOURCE_OBSERVED]],
    sees: /OBSERVED flag/,
  },
  {
    name: 'an edge of a foreign waiter',
    puts: ({ w, last, reader }) => [[w[last | L.SET_EDGES] | L.EDGE_WAITER, reader]],
    sees: /foreign set/,
  },
  {
    name: 'an edge of a foreign grant',
    puts: ({ w, passing, reader }) => [[w[passing | L.SET_EDGES] | L.EDGE_HELD, reader]],
    sees: /foreign set/,
  },
];

describe('findFaults', () => {
  it('finds nothing in words that are in order', () => {
    expect(findFaults(furnish().s.memory)).toEqual([]);
  });

  for (const { name, puts, sees } of damages) {
    it(`sees ${name}`, () => {
      const furnished = furnish();
      for (const [index, value] of puts(furnished)) furnished.w[index] = value;
      expect(findFaults(furnished.s.memory).join('\n')).toMatch(sees);
    });
  }
});
