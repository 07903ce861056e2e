/**
 * The part of faults.mjs that only resources with a capacity show: their sums, resizes, numbers,
 * upgrades, observers and cycles.
 */

export const faultsOfUnits = [
  // The queue.
  {
    name: 'a small request overtakes a big one that waits',
    in: 'append',
    find: 'return w[resource | L.RESOURCE_FRONTIER] === L.NOBODY &&',
    replace: `const room = capacityOf(w, resource) - w[resource | L.RESOURCE_USED];
  const isSmall = capacityOf(w, resource) !== L.ALL && units <= room;
  return (isSmall || w[resource | L.RESOURCE_FRONTIER] === L.NOBODY) &&`,
  },
  {
    name: 'a queue moves on past a big request that waits',
    in: 'advance',
    find: 'if (!fits(used, units, capacity)) break;',
    replace: `if (!fits(used, units, capacity)) {
        link = w[link | L.LINK_NEXT];
        continue;
      }`,
  },
  {
    name: 'an exclusive link takes the units that there are as it arrives',
    in: 'enqueue',
    find: 'const taken = unitsAt(index, exclusiveCount, units);',
    replace: `const most = this.capacity(resource);
      const taken = Math.min(most, unitsAt(index, exclusiveCount, units));`,
  },
  {
    name: 'an upgraded link takes the units that there are',
    in: 'strengthen',
    find: `w[link | L.FLAGS] |= L.ALL << L.LINK_UNITS_SHIFT;
  w[resource | L.RESOURCE_USED] = L.ALL;`,
    replace: `const all = capacityOf(w, resource);
  w[link | L.FLAGS] &= ~(-1 << L.LINK_UNITS_SHIFT);
  w[link | L.FLAGS] |= all << L.LINK_UNITS_SHIFT;
  w[resource | L.RESOURCE_USED] = all;`,
  },
  {
    name: 'an upgrade leaves the sum of units',
    in: 'strengthen',
    find: 'w[resource | L.RESOURCE_USED] = L.ALL;',
    replace: '',
  },
  {
    name: 'a part let go leaves its units in the sum',
    in: 'removeChosen',
    find: 'detach(w, d, link, w[set | L.FLAGS], false);',
    replace: `detach(w, d, link, w[set | L.FLAGS], false);
      const left = w[link | L.LINK_RESOURCE];
      if (w[left | L.RESOURCE_HEAD] !== L.NOBODY) w[left | L.RESOURCE_USED] += unitsOf(w, link);`,
  },
  {
    name: 'a holder of the whole capacity that dies sets no recovered flag',
    in: 'updateFlag',
    find: 'linkFlags >>> L.LINK_UNITS_SHIFT < capacityOf(w, resource)',
    replace: 'linkFlags >>> L.LINK_UNITS_SHIFT !== L.ALL + 0 * capacityOf(w, resource)',
  },

  // Another capacity.
  {
    name: 'sets that a resize refuses end in arrival order',
    in: 'setCapacity',
    find: '.reverse()',
    replace: '',
  },
  {
    name: 'sets that a resize refuses end one by one, before the later ones are known',
    in: 'setCapacity',
    find: `for (const set of findExceeding(w, resource, capacity).reverse()) {
      addLost(w, set);
      clearLost(w, d, set, false);
    }`,
    replace: `for (;;) {
      const set = findExceeding(w, resource, capacity)[0];
      if (set === undefined) break;
      addLost(w, set);
      clearLost(w, d, set, false);
    }`,
  },
  {
    name: 'a resize refuses no set',
    in: 'findExceeding',
    find: 'units <= capacity',
    replace: 'units <= L.ALL + 0 * capacity',
  },
  {
    name: 'a resize refuses sets that are granted',
    in: 'findExceeding',
    find: 'if ((w[set | L.FLAGS] & L.SET_GRANTED) === 0) sets.push(set);',
    replace: 'sets.push(set);',
  },
  {
    name: 'a resize refuses exclusive requests',
    in: 'findExceeding',
    find: 'units === L.ALL ||',
    replace: '',
  },
  {
    name: 'a resize wakes no set',
    in: 'setCapacity',
    find: 'advance(w, d, resource);',
    replace: '',
  },
  {
    name: 'a set granted by a resize has no token',
    in: 'setCapacity',
    find: 'giveTokens(w, d);',
    replace: '',
  },
  {
    name: 'a resize leaves the sum of units',
    in: 'rescale',
    find: 'w[resource | L.RESOURCE_USED] = used;',
    replace: '',
  },
  {
    name: 'a resize leaves the frontier',
    in: 'rescale',
    find: 'w[resource | L.RESOURCE_FRONTIER] = link;',
    replace: '',
  },
  {
    name: 'a resize leaves links triggered that do not fit any more',
    in: 'rescale',
    find: 'untrigger(w, link);',
    replace: '',
  },
  {
    name: 'a resize lets a holder wait',
    in: 'rescale',
    find: 'w[link | L.FLAGS] |= L.LINK_IGNORED;',
    replace: 'w[w[link | L.LINK_SET] | L.SET_PENDING]++;',
  },
  {
    name: 'a resize counts a link of a holder as pending',
    in: 'untrigger',
    find: 'if ((w[set | L.FLAGS] & L.SET_GRANTED) !== 0) return;',
    replace: '',
  },
  {
    name: 'a resource does not know of a holder that a resize has left over',
    in: 'rescale',
    find: 'w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;',
    replace: '',
  },
  {
    name: 'a resize leaves a link of a waiting set uncounted',
    in: 'untrigger',
    find: 'w[set | L.SET_PENDING]++;',
    replace: '',
  },
  {
    name: 'a resize lets a set wait for a link that it ignores',
    in: 'untrigger',
    find: 'if ((flags & (L.LINK_TRIGGERED | L.LINK_IGNORED)) !== L.LINK_TRIGGERED) return;',
    replace: 'if ((flags & L.LINK_TRIGGERED) === 0) return;',
  },

  // Declared and asserted capacities.
  {
    name: 'an asserted capacity outlives the use of its resource',
    in: 'fallIdle',
    find: 'dropAsserted(w, resource);',
    replace: '',
  },
  {
    name: 'a declared capacity ends with a use of its resource',
    in: 'dropAsserted',
    find: '|| (w[annex | L.FLAGS] & L.ANNEX_ASSERTED) === 0',
    replace: '',
  },
  {
    name: 'a resource with a declared capacity is reported as idle',
    in: 'fallIdle',
    find: 'if (w[resource | L.RESOURCE_ANNEX] !== L.NOBODY && isDeclared(w, resource)) return;',
    replace: '',
  },
  {
    name: 'a resource with an asserted capacity counts as declared',
    in: 'isDeclared',
    find: '(L.ANNEX_METERED | L.ANNEX_ASSERTED)',
    replace: 'L.ANNEX_METERED',
  },
  {
    name: 'a resource does not know that its capacity is asserted',
    in: 'putCapacity',
    find: 'if (isAsserted) w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;',
    replace: '',
  },
  {
    name: 'a capacity that was asserted and is declared then ends with the use of its resource',
    in: 'putCapacity',
    find: 'w[annex | L.FLAGS] = L.ANNEX | L.ANNEX_METERED | (isAsserted ? L.ANNEX_ASSERTED : 0);',
    replace: 'w[annex | L.FLAGS] |= L.ANNEX_METERED | (isAsserted ? L.ANNEX_ASSERTED : 0);',
  },
  {
    name: 'a capacity counts as declared for good when it is asserted',
    in: 'putCapacity',
    find: '(isAsserted ? L.ANNEX_ASSERTED : 0)',
    replace: '0',
  },
  {
    name: 'an asserted capacity is dropped while its resource is in use',
    in: 'dropAsserted',
    find: 'if (!this.isUsed(resource))',
    replace: '',
  },
  {
    name: 'the numbers of an asserted capacity are leaked with it',
    in: 'dropAsserted',
    find: 'forgetNumbers(w, annex);',
    replace: '',
  },
  {
    name: 'the numbers of a resource are leaked with it',
    in: 'destroyResource',
    find: 'forgetNumbers(w, w[resource | L.RESOURCE_ANNEX]);',
    replace: '',
  },

  // Numbers that a set gets.
  {
    name: 'a set granted at once gets no numbers',
    in: 'finishBuilding',
    find: 'if (isMetered) takeNumbers(w, set);',
    replace: '',
  },
  {
    name: 'a set that waits brings no spares',
    in: 'finishBuilding',
    find: 'bringSpares(w, set);',
    replace: '',
  },
  {
    name: 'a set granted after a wait gets no numbers',
    in: 'giveTokens',
    find: 'if ((w[set | L.FLAGS] & L.SET_SPARES) !== 0) takeNumbersBySpares(w, set);',
    replace: '',
  },
  {
    name: 'a set gets numbers at each operation until it is taken',
    in: 'takeNumbersBySpares',
    find: 'w[set | L.FLAGS] &= ~L.SET_SPARES;',
    replace: '',
  },
  {
    name: 'a link granted without its turn gets numbers',
    in: 'takeNumbers',
    find: '(flags & (L.LINK_METERED | L.LINK_TRIGGERED)) === (L.LINK_METERED | L.LINK_TRIGGERED)',
    replace: '(flags & L.LINK_METERED) === L.LINK_METERED',
  },
  {
    name: 'a link granted without its turn after a wait gets numbers',
    in: 'takeNumbersBySpares',
    find: '(flags & L.LINK_TRIGGERED) === 0 ? 0 : take(',
    replace: 'take(',
  },
  {
    name: 'numbers cut from a range stay in it, too',
    in: 'cut',
    find: 'w[range | L.RANGE_FROM] = from + count;',
    replace: '',
  },
  {
    name: 'a range that numbers are cut from is as long as before',
    in: 'cut',
    find: 'w[range | L.RANGE_COUNT] -= count;',
    replace: '',
  },
  {
    name: 'a whole range that is taken stays in its list',
    in: 'take',
    find: 'chain(w, annex, L.NOBODY, w[range | L.RANGE_NEXT]);',
    replace: `if (units === L.ALL || count < units) {
      chain(w, annex, L.NOBODY, w[range | L.RANGE_NEXT]);
    }`,
  },
  {
    name: 'the highest numbers of a range are given',
    in: 'cut',
    find: `w[slot | L.RANGE_FROM] = from;
  w[slot | L.RANGE_COUNT] = count;
  w[range | L.RANGE_FROM] = from + count;`,
    replace: `w[slot | L.RANGE_FROM] = from + w[range | L.RANGE_COUNT] - count;
  w[slot | L.RANGE_COUNT] = count;`,
  },
  {
    name: 'the ranges of a grant are not sorted',
    in: 'rangesOf',
    find: '.sort((one, other) => w[one | L.RANGE_FROM] - w[other | L.RANGE_FROM])',
    replace: '',
  },
  {
    name: 'a waiting set has the numbers of the grant that it keeps',
    in: 'boundsOf',
    find: 'if (!isGranted(w, link)) return [];',
    replace: '',
  },
  {
    name: 'a grant has the numbers of its other resources, too',
    in: 'rangesOf',
    find: 'isRange && w[edge | L.RANGE_RESOURCE] === resource',
    replace: 'isRange',
  },

  // Links without ranges.
  {
    name: 'a set that arrives finds all numbers free, as the one that was alone gets no ranges',
    in: 'meter',
    find: 'if (isGranted(w, ahead) && hasFirst(w, ahead)) takeLowest(w, ahead);',
    replace: '',
  },
  {
    name: 'a set that was alone and waits gets ranges as another arrives',
    in: 'meter',
    find: 'isGranted(w, ahead) && ',
    replace: '',
  },
  {
    name: 'a set granted without its turn has the first numbers',
    in: 'hasFirst',
    find: '(L.LINK_METERED | L.LINK_IGNORED)',
    replace: 'L.LINK_METERED',
  },
  {
    name: 'a set granted before there was a capacity has the first numbers',
    in: 'hasFirst',
    find: 'flags === L.LINK_METERED',
    replace: 'flags !== L.LINK_IGNORED',
  },
  {
    name: 'a set with ranges has the first numbers',
    in: 'hasFirst',
    find: 'rangesOf(w, link).length === 0',
    replace: 'rangesOf(w, link).length >= 0',
  },
  {
    name: 'an exclusive set that is alone has numbers without end',
    in: 'boundsOf',
    find: 'return [[0, Math.min(max, units)]];',
    replace: 'return [[0, units === L.ALL ? max + 1 : units]];',
  },
  {
    name: 'a set that is alone gets ranges',
    in: 'takeNumbers',
    find: 'if (w[link | L.LINK_PREVIOUS] === L.NOBODY) continue;',
    replace: '',
  },
  {
    name: 'a set takes no numbers behind another one',
    in: 'takeNumbers',
    find: 'w[link | L.LINK_PREVIOUS] === L.NOBODY',
    replace: 'w[link | L.LINK_NEXT] === L.NOBODY',
  },
  {
    name: 'no room is made for the ranges of the set that was alone',
    in: 'countSlots',
    find: '? 2 : 1',
    replace: '? 1 : 1',
  },
  {
    name: 'a set that claims in vain has no numbers',
    in: 'claimNumbers',
    find: 'takeLowest(w, link);',
    replace: '',
  },
  {
    name: 'no room is made for the numbers of a set that claims in vain',
    in: 'claimNumbers',
    find: '2 * ranges.length + 1',
    replace: '2 * ranges.length',
  },

  // Numbers that come back.
  {
    name: 'numbers come back without order',
    in: 'give',
    find: `while (after !== L.NOBODY && w[after | L.RANGE_FROM] < w[range | L.RANGE_FROM]) {
    before = after;
    after = w[after | L.RANGE_NEXT];
  }`,
    replace: '',
  },
  {
    name: 'numbers that come back are not joined with the next ones',
    in: 'give',
    find: 'after !== L.NOBODY && touch(w, range, after)',
    replace: 'false',
  },
  {
    name: 'numbers that come back are not joined with those before them',
    in: 'give',
    find: 'before !== L.NOBODY && touch(w, before, range)',
    replace: 'false',
  },
  {
    name: 'numbers that fill a gap are not joined with both sides',
    in: 'give',
    find: 'before !== L.NOBODY && touch(w, before, after)',
    replace: 'false',
  },
  {
    name: 'numbers that come back are lost as they are joined with the next ones',
    in: 'give',
    find: 'w[after | L.RANGE_COUNT] += w[range | L.RANGE_COUNT];',
    replace: '',
  },
  {
    name: 'the next range begins where it did, though numbers came before it',
    in: 'give',
    find: 'w[after | L.RANGE_FROM] = w[range | L.RANGE_FROM];',
    replace: '',
  },
  {
    name: 'the slot of numbers that are joined with the next ones is leaked',
    in: 'give',
    find: 'free(w, range, range);',
    replace: '',
  },
  {
    name: 'a range that is joined with the one before stays in the list',
    in: 'give',
    find: 'chain(w, annex, before, w[after | L.RANGE_NEXT]);',
    replace: '',
  },
  {
    name: 'numbers that come back are joined across a gap',
    in: 'touch',
    find: '=== w[second | L.RANGE_FROM]',
    replace: '<= w[second | L.RANGE_FROM]',
  },
  {
    name: 'the second of two ranges is lost when they are joined',
    in: 'absorb',
    find: 'w[first | L.RANGE_COUNT] += w[second | L.RANGE_COUNT];',
    replace: '',
  },
  {
    name: 'the slot of a joined range is leaked',
    in: 'absorb',
    find: 'free(w, second, second);',
    replace: '',
  },
  {
    name: 'a set that ends keeps its numbers and spares',
    in: 'clear',
    find: 'if ((flags & L.SET_METERED) !== 0) dropNumbers(w, set);',
    replace: '',
  },
  {
    name: 'a lost set keeps its numbers',
    in: 'clear',
    find: 'if ((flags & L.SET_METERED) !== 0) dropNumbers(w, set);',
    replace: `const lost = L.SET_LOST | L.SET_GRANTED;
  const isLost = (flags & lost) === lost;
  if ((flags & L.SET_METERED) !== 0 && !isLost) dropNumbers(w, set);`,
  },
  {
    name: 'a stealing set takes numbers before the lost ones give theirs back',
    in: 'steal',
    find: `for (let lost = w[L.LOST_FIRST]; lost !== L.NOBODY; lost = w[lost | L.SET_AFTER]) {
      clearLost(w, d, lost, true);
    }
    for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      if (isMetered(w, w[link | L.LINK_RESOURCE])) stealNumbers(w, link);
    }`,
    replace: `for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      if (isMetered(w, w[link | L.LINK_RESOURCE])) stealNumbers(w, link);
    }
    for (let lost = w[L.LOST_FIRST]; lost !== L.NOBODY; lost = w[lost | L.SET_AFTER]) {
      clearLost(w, d, lost, true);
    }`,
  },
  {
    name: 'a stealing set takes no numbers',
    in: 'stealNumbers',
    find: 'take(w, link, L.ALL);',
    replace: '',
  },
  {
    name: 'a part let go keeps its numbers',
    in: 'removeChosen',
    find: 'keepNumbers(w, link, 0);',
    replace: '',
  },
  {
    name: 'a downgrade keeps all numbers',
    in: 'downgrade',
    find: 'keepNumbers(w, link, units);',
    replace: '',
  },
  {
    name: 'a downgrade gives the lowest ranges back',
    in: 'keepNumbers',
    find: 'for (const range of rangesOf(w, link)) {',
    replace: 'for (const range of rangesOf(w, link).reverse()) {',
  },
  {
    name: 'a downgrade gives whole ranges back',
    in: 'keepNumbers',
    find: 'if (left > 0) hold(w, cut(w, range, left, allocate(w)), w[link | L.LINK_SET]);',
    replace: '',
  },
  {
    name: 'an upgrade takes no numbers',
    in: 'tryUpgrade',
    find: 'if ((w[link | L.FLAGS] & L.LINK_METERED) !== 0) takeRest(w, link);',
    replace: '',
  },
  {
    name: 'an upgrade gives numbers to a set that was granted without its turn',
    in: 'takeRest',
    find: 'if (rangesOf(w, link).length > 0)',
    replace: '',
  },

  // Spares, and room.
  {
    name: 'the spare of a set that is cancelled is leaked',
    in: 'dropNumbers',
    find: 'free(w, spare, spare);',
    replace: '',
  },
  {
    name: 'the spare of a set that is cancelled stays with the resource',
    in: 'dropNumbers',
    find: '(w[link | L.FLAGS] & L.LINK_METERED) === 0',
    replace: '(w[link | L.FLAGS] & L.LINK_METERED) >= 0',
  },
  {
    name: 'a set that is cancelled takes the spare of another one',
    in: 'dropNumbers',
    find: 'const spare = takeSpare(w, link);',
    replace: `const spare = takeSpare(w, link);
      const other = w[w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX] | L.ANNEX_SPARE];
      if (other !== L.NOBODY) {
        takeSpare(w, link);
        free(w, other, other);
      }`,
  },
  {
    name: 'a spare that is not needed is leaked',
    in: 'takeNumbersBySpares',
    find: 'else free(w, spare, spare);',
    replace: '',
  },
  {
    name: 'no room is made for spares',
    in: 'enqueue',
    find: '1 + count + numberSlots',
    replace: '1 + count',
  },
  {
    name: 'no room is made for the numbers of another capacity',
    in: 'slotsOfCapacity',
    find: '(isNew ? 1 : 0)',
    replace: '(isNew ? 0 : 0)',
  },
  {
    name: 'no room is made for the numbers of a downgrade',
    in: 'reserveNumbers',
    find: 'count++;',
    replace: 'count += 0;',
  },
  {
    name: 'a downgrade refused for want of memory leaves its part chosen',
    in: 'downgrade',
    find: 'if (chosenOnly) unchooseAll(m.words, set);',
    replace: '',
  },

  // Upgrades.
  {
    name: 'an upgrade beside another triggered link',
    in: 'isAlone',
    find: 'if (w[resource | L.RESOURCE_USED] !== unitsOf(w, link)) return false;',
    replace: '',
  },
  {
    name: 'an upgrade beside a holder that a resize has left over',
    in: 'isAlone',
    find: 'if ((w[resource | L.FLAGS] & L.RESOURCE_IGNORED) === 0) return true;',
    replace: 'return true;',
  },
  {
    name: 'an upgrade that is denied has upgraded a part',
    in: 'tryUpgrade',
    find: `if (!links.every((link) => isAlone(w, link))) return false;
  for (const link of links) {`,
    replace: `for (const link of links) {
    if (!isAlone(w, link)) return false;`,
  },
  {
    name: 'an upgrade is denied while a set waits behind an ignored link',
    in: 'isAlone',
    find: 'if ((w[w[other | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) !== 0) return false;',
    replace: 'return false;',
  },

  // Observers.
  {
    name: 'an observation of units ends while an older set waits',
    in: 'notifyMetered',
    find: 'if (isOlder(d, frontier, entry)) break;',
    replace: '',
  },
  {
    name: 'an observation of units waits for later sets that wait',
    in: 'notifyMetered',
    find: 'if (isOlder(d, frontier, entry)) break;',
    replace: 'if (frontier !== L.NOBODY) break;',
  },
  {
    name: 'an observation of units waits for later sets that hold',
    in: 'notifyMetered',
    find: 'link !== frontier && isOlder(d, link, entry);',
    replace: 'link !== frontier;',
  },
  {
    name: 'an observation of units ends while too many are in use',
    in: 'notifyMetered',
    find: 'used += unitsOf(w, link);',
    replace: '',
  },
  {
    name: 'an observation of few units waits for one of more',
    in: 'notifyMetered',
    find: 'if (fits(used, unitsOf(w, entry), capacity)) due.push(entry);',
    replace: `if (!fits(used, unitsOf(w, entry), capacity)) break;
    due.push(entry);`,
  },
  {
    name: 'observations of less than all units never end',
    in: 'notifyObservers',
    find: 'notifyMetered(w, d, annex | L.ANNEX_OBSERVE_EXCLUSIVE, resource);',
    replace: '',
  },
  {
    name: 'an observer of units does not wait for sets that wait',
    in: 'addObservation',
    find: 'w[resource | L.RESOURCE_FRONTIER] !== L.NOBODY ||',
    replace: '',
  },

  // Cycles.
  {
    name: 'a cycle that plays out is refused',
    in: 'findCycle',
    find: 'if (cycle.length === 0 || !search.hasMetered) return cycle;',
    replace: 'if (cycle.length >= 0) return cycle;',
  },
  {
    name: 'a cycle is named that leads through sets that play out',
    in: 'findCycle',
    find: 'new Search(w, set, keptFor, playOut(w, reached, keptFor)).run()',
    replace: 'reached.size > 0 ? cycle : []',
  },
  {
    name: 'units ahead are searched as if there were no capacity',
    in: '#inTheWay',
    find: 'if (isMetered(w, w[link | L.LINK_RESOURCE])) this.#allAheadOf(link, sets);',
    replace: 'if (link === set) this.#allAheadOf(link, sets);',
  },
  {
    name: 'the search for a cycle of units ends at the first set ahead',
    in: '#allAheadOf',
    find: 'sets.push(w[ahead | L.LINK_SET]);',
    replace: `sets.push(w[ahead | L.LINK_SET]);
      if (sets.length > 0) return;`,
  },
  {
    name: 'a grant is kept for no set whose edge is behind a range of numbers',
    in: 'declaredFor',
    find: 'if ((w[edge | L.FLAGS] & L.EDGE_RANGE) === 0) sets.push',
    replace: `if ((w[edge | L.FLAGS] & L.EDGE_RANGE) !== 0) break;
    sets.push`,
  },
  {
    name: 'a set that is kept plays out',
    in: '#endIfFree',
    find: '|| this.#keeperCounts.get(set) !== 0',
    replace: '',
  },
  {
    name: 'a set that waits plays out',
    in: '#endIfFree',
    find: 'this.#pending.get(set) !== 0 ||',
    replace: '',
  },
  {
    name: 'a set is kept for one that has played out',
    in: '#end',
    find: 'this.#endIfFree(held);',
    replace: '',
  },
  {
    name: 'a set is kept for the first one of two only',
    in: '#end',
    find: '(this.#keeperCounts.get(held) as number) - 1',
    replace: '0 * (this.#keeperCounts.get(held) as number)',
  },
  {
    name: 'a set that has played out keeps its units',
    in: '#unlink',
    find: 'front.used -= unitsOf(w, link);',
    replace: '',
  },
  {
    name: 'a set that was granted while playing out keeps its units',
    in: '#unlink',
    find: '|| this.#triggered.has(link)',
    replace: '',
  },
  {
    name: 'a set that waits gives back what it has not taken while playing out',
    in: '#unlink',
    find: 'if ((w[link | L.FLAGS] & L.LINK_TRIGGERED) !== 0 || this.#triggered.has(link)) {',
    replace: '{',
  },
  {
    name: 'a set that has played out is granted again',
    in: '#unlink',
    find: 'if (this.#ended.has(set)) continue;',
    replace: '',
  },
  {
    name: 'a small request overtakes a big one while playing out',
    in: '#unlink',
    find: 'if (!fits(front.used, units, capacity)) return;',
    replace: 'if (!fits(front.used, units, capacity)) continue;',
  },
  {
    name: 'links that move up while playing out take no units',
    in: '#unlink',
    find: 'front.used += units;',
    replace: '',
  },
  {
    name: 'no set is granted while playing out',
    in: '#countDown',
    find: 'this.#endIfFree(set);',
    replace: '',
  },
  {
    name: 'a set waits for an ignored link while playing out',
    in: '#countPending',
    find: '(L.LINK_TRIGGERED | L.LINK_IGNORED)',
    replace: 'L.LINK_TRIGGERED',
  },
  {
    name: 'an ignored link counts down while playing out',
    in: '#unlink',
    find: 'if ((w[front.link | L.FLAGS] & L.LINK_IGNORED) === 0) this.#countDown(set);',
    replace: 'this.#countDown(set);',
  },

  // The journal.
  {
    name: 'an annex that gets a spare is not saved',
    in: 'bringSpares',
    find: 'save(w, annex);',
    replace: '',
  },
  {
    name: 'an annex that loses a spare is not saved',
    in: 'takeSpare',
    find: 'save(w, annex);',
    replace: '',
  },
  {
    name: 'a spare that becomes a range is not saved',
    in: 'takeSpare',
    find: 'save(w, spare);',
    replace: '',
  },
  {
    name: 'a range that gains numbers before its own is not saved',
    in: 'give',
    find: 'save(w, after);',
    replace: '',
  },
  {
    name: 'a range that gains numbers behind its own is not saved',
    in: 'absorb',
    find: 'save(w, first);',
    replace: '',
  },
  {
    name: 'a range that is taken as a whole is not saved',
    in: 'take',
    find: 'save(w, range);',
    replace: '',
  },
  {
    name: 'a range that is cut is not saved',
    in: 'cut',
    find: 'save(w, range);',
    replace: '',
  },
  {
    name: 'a range that comes back is not saved',
    in: 'give',
    find: 'save(w, range);',
    replace: '',
  },
  {
    name: 'an annex that has another first range is not saved',
    in: 'chain',
    find: 'save(w, annex);',
    replace: '',
  },
  {
    name: 'a free range that has another next one is not saved',
    in: 'chain',
    find: 'save(w, before);',
    replace: '',
  },
  {
    name: 'a link that a resize untriggers is not saved',
    in: 'untrigger',
    find: 'save(w, link);',
    replace: '',
  },
  {
    name: 'a set that waits again after a resize is not saved',
    in: 'untrigger',
    find: 'save(w, set);',
    replace: '',
  },
  {
    name: 'a resource that is upgraded is not saved',
    in: 'strengthen',
    find: 'save(w, resource);',
    replace: '',
  },
  {
    name: 'a link that is upgraded is not saved',
    in: 'strengthen',
    find: 'save(w, link);',
    replace: '',
  },
  {
    name: 'an annex that loses its asserted capacity is not saved',
    in: 'dropAsserted',
    find: 'save(w, annex);',
    replace: '',
  },
  {
    name: 'a set that is refused is not saved',
    in: 'addLost',
    find: 'save(w, set);',
    replace: '',
  },
];
