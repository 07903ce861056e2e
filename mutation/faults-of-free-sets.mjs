/** Faults of the short operations (free-sets.ts) and of their intents (intent.ts). */

/** `find` as a change of one term of a condition that is spread over lines. */
const without = (name, within, find) => ({ name, in: within, find, replace: '' });

export const faultsOfFreeSets = [
  without(
    'a set is granted beside one that is there',
    'enqueueFree',
    'w[first | L.RESOURCE_HEAD] |',
  ),
  without(
    'the second resource of a free set may be in use',
    'enqueueFree',
    'w[second | L.RESOURCE_HEAD] |',
  ),
  {
    name: 'a free set takes no numbers of a resource with a capacity',
    in: 'enqueueFree',
    find: 'if (annexes !== 0) meterAlone(w, set, link, last);',
    replace: '',
  },
  {
    name: 'a free set comes in while a capacity is asserted, or a resource observed',
    in: 'enqueueFree',
    find: 'if (annexes !== 0 && !areDeclared(w, first, second)) return L.NOBODY;',
    replace: '',
  },
  {
    name: 'a free set with units is not known to have any',
    in: 'meterAlone',
    find: 'w[set | L.FLAGS] |= L.SET_METERED;',
    replace: '',
  },
  without('a free set reports no recovered flag', 'enqueueFree', 'w[L.RECOVERED_COUNT] |'),
  {
    name: 'the second resource of a free set takes the units of the first',
    in: 'enqueueFree',
    find: 'second, secondUnits, arrival',
    replace: 'second, firstUnits, arrival',
  },
  {
    name: 'a free set takes one unit',
    in: 'putAlone',
    find: 'triggered | (units << L.LINK_UNITS_SHIFT)',
    replace: 'triggered | (1 << L.LINK_UNITS_SHIFT)',
  },
  {
    name: 'a free set of a synchronous caller locks nothing',
    in: 'enqueueFree',
    find: 'if (sync !== 0) countSync(w, first, second, L.RESOURCE_SYNC_ONE);',
    replace: '',
  },
  {
    name: 'the chain of a free set goes on into the free list',
    in: 'enqueueFree',
    find: 'w[last | L.CHAIN] = L.NOBODY;',
    replace: '',
  },
  {
    name: 'a free set has the token of the set before it',
    in: 'enqueueFree',
    find: 'const arrival = d[L.CLOCK >> 1] + 1;',
    replace: 'const arrival = d[L.CLOCK >> 1];',
  },
  {
    name: 'a grant is ended by the token of another one',
    in: 'removeAlone',
    find: '|| d[(set | L.SET_STAMP) >> 1] !== token',
    replace: '',
  },
  {
    name: 'a set that has an object ends without it',
    in: 'removeAlone',
    find: '|| w[set | L.SET_USER_DATA] !== userData',
    replace: '',
  },
  without(
    'a set ends beside one that waits behind its first resource',
    'removeAlone',
    'w[link | L.LINK_NEXT] |',
  ),
  without(
    'a set ends beside one that waits behind its second resource',
    'removeAlone',
    'w[last | L.LINK_NEXT] |',
  ),
  without('a set that is kept for another one ends', 'removeAlone', 'w[set | L.SET_EDGES] |'),
  without('a set of three resources ends with two', 'removeAlone', 'w[last | L.CHAIN] |'),
  {
    name: 'what is to be done as a resource runs empty is left undone',
    in: 'removeAlone',
    find: 'if ((due & resourceFlags) !== 0) return false;',
    replace: '',
  },
  {
    name: 'a second resource keeps the link of a set that has ended',
    in: 'removeAlone',
    find: 'empty(w, second);',
    replace: '',
  },
  {
    name: 'an intent is dropped before the operation is complete',
    in: 'enqueueFree',
    find: '  const arrival = d[L.CLOCK >> 1] + 1;',
    replace:
      '  if (intents !== undefined) intents.dropIntent(w);\n  const arrival = d[L.CLOCK >> 1] + 1;',
  },
  {
    name: 'the intent of an end is dropped before it is complete',
    in: 'removeAlone',
    find: '  empty(w, first);',
    replace: '  if (intents !== undefined) intents.dropIntent(w);\n  empty(w, first);',
  },
  {
    name: 'an intent forgets the slot behind the chain',
    in: 'applyIntent',
    find: 'w[w[at + LAST] | L.CHAIN] = w[at + NEXT];',
    replace: '',
  },
  {
    name: 'an intent restores the flags of no resource',
    in: 'applyIntent',
    find: 'w[resource | L.FLAGS] = w[at + field + 1];',
    replace: '',
  },
  {
    name: 'an intent leaves its set live',
    in: 'applyIntent',
    find: 'w[set | L.FLAGS] = 0;',
    replace: '',
  },
  {
    name: 'an intent is dropped first, and a death in between is not noticed',
    in: 'applyIntent',
    find: '  const set = w[at + SET];',
    replace: '  const set = w[at + SET];\n  w[L.JOURNAL] = 0;',
  },
];
