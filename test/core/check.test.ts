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

/** Two grants of units, between them free ones; a waiting set; an asserted capacity. */
function furnishUnits() {
  const s = new Scene();
  s.resize('a', 8);
  const sets = [1, 2, 1, 1].map((take) => s.ask({ units: { a: take } }));
  const [one, two, three, four] = sets as [number, number, number, number];
  s.end(three);
  const waiter = s.ask({ units: { a: 7 } });
  s.core.assertCapacity(s.ref('b'), 2);
  s.ask({ shared: ['b'] });
  const w = s.memory.words;
  const [a, b] = [s.ref('a'), s.ref('b')];
  const [annex, annexOfB] = [w[a | L.RESOURCE_ANNEX], w[b | L.RESOURCE_ANNEX]] as [number, number];
  const [range, free] = [w[two | L.SET_EDGES], w[annex | L.ANNEX_FREE]] as [number, number];
  const linkOfOne = s.core.firstLink(one);
  return { s, w, a, b, one, two, four, waiter, annex, annexOfB, range, free, linkOfOne };
}

interface DamageOfUnits {
  readonly name: string;
  readonly puts: (furnished: ReturnType<typeof furnishUnits>) => readonly Put[];
  readonly sees: RegExp;
}

const damagesOfUnits: readonly DamageOfUnits[] = [
  {
    name: 'a number that is nowhere',
    puts: ({ w, free }) => [
      [free | L.RANGE_FROM, w[free | L.RANGE_FROM] + 1],
      [free | L.RANGE_COUNT, w[free | L.RANGE_COUNT] - 1],
    ],
    sees: /is nowhere, or twice/,
  },
  {
    name: 'a number that is there twice',
    puts: ({ w, free }) => [[free | L.RANGE_FROM, w[free | L.RANGE_FROM] - 1]],
    sees: /is nowhere, or twice/,
  },
  {
    name: 'numbers that end too early',
    puts: ({ w, annex }) => {
      let last = w[annex | L.ANNEX_FREE];
      while (w[last | L.RANGE_NEXT] !== L.NOBODY) last = w[last | L.RANGE_NEXT];
      return [[last | L.RANGE_COUNT, w[last | L.RANGE_COUNT] - 1]];
    },
    sees: /numbers of \d+ end at/,
  },
  {
    name: 'a grant with too few numbers',
    puts: ({ w, range }) => [[range | L.RANGE_COUNT, w[range | L.RANGE_COUNT] - 1]],
    sees: /takes 2 units and has 1 numbers/,
  },
  {
    name: 'ranges that are not joined',
    puts: ({ w, free }) => [[free | L.RANGE_COUNT, w[free | L.RANGE_COUNT] + 1]],
    sees: /not in order, or not joined/,
  },
  {
    name: 'ranges that are not in order',
    puts: ({ w, annex, free }) => {
      const next = w[free | L.RANGE_NEXT];
      return [
        [annex | L.ANNEX_FREE, next],
        [next | L.RANGE_NEXT, free],
        [free | L.RANGE_NEXT, L.NOBODY],
      ];
    },
    sees: /not in order, or not joined/,
  },
  {
    name: 'a waiting link without a spare',
    puts: ({ annex }) => [[annex | L.ANNEX_SPARE, L.NOBODY]],
    sees: /another number of spares/,
  },
  {
    name: 'a spare too many',
    puts: ({ w, annexOfB, annex }) => [[annexOfB | L.ANNEX_SPARE, w[annex | L.ANNEX_SPARE]]],
    sees: /another number of spares/,
  },
  {
    name: 'a set that does not know of its numbers',
    puts: ({ w, one }) => [[one, w[one] & ~L.SET_METERED]],
    sees: /does not know of its numbers/,
  },
  {
    name: 'numbers without a capacity',
    puts: ({ w, annex }) => [[annex, w[annex] & ~L.ANNEX_METERED]],
    sees: /numbers and no capacity/,
  },
  {
    name: 'a capacity that is not in force',
    puts: ({ w, annex }) => [[annex, w[annex] & ~L.ANNEX_METERED]],
    sees: /has a capacity that is not in force/,
  },
  {
    name: 'an asserted capacity that is not in force',
    puts: ({ w, annexOfB }) => [[annexOfB, w[annexOfB] & ~L.ANNEX_METERED]],
    sees: /asserted capacity that is not in force/,
  },
  {
    name: 'an asserted capacity that its resource does not know of',
    puts: ({ w, b }) => [[b, w[b] & ~L.RESOURCE_IGNORED]],
    sees: /does not know of its asserted capacity/,
  },
  {
    name: 'a waiting link that wants more units than there are',
    puts: ({ w, waiter }) => {
      const link = w[waiter | L.CHAIN] as number;
      return [[link, w[link] + (2 << L.LINK_UNITS_SHIFT)]];
    },
    sees: /takes 9 units/,
  },
  {
    name: 'a grant whose list is not its own',
    puts: ({ range, four }) => [[range | L.RANGE_SET, four]],
    sees: /foreign set/,
  },
];

describe('findFaults', () => {
  it('finds nothing in words that are in order', () => {
    expect(findFaults(furnish().s.memory)).toEqual([]);
  });

  it('finds nothing in units that are in order', () => {
    expect(findFaults(furnishUnits().s.memory)).toEqual([]);
  });

  for (const { name, puts, sees } of damagesOfUnits) {
    it(`sees ${name}`, () => {
      const furnished = furnishUnits();
      for (const [index, value] of puts(furnished)) furnished.w[index] = value;
      expect(findFaults(furnished.s.memory).join('\n')).toMatch(sees);
    });
  }

  for (const { name, puts, sees } of damages) {
    it(`sees ${name}`, () => {
      const furnished = furnish();
      for (const [index, value] of puts(furnished)) furnished.w[index] = value;
      expect(findFaults(furnished.s.memory).join('\n')).toMatch(sees);
    });
  }
});
