/**
 * Faults to put into core, each a way to break the rule or to lose count: the function or method
 * of src/core that it is in, the tokens to find there, exactly once (sites.mjs), and what replaces
 * them.
 */

import { faultsOfFreeSets } from './faults-of-free-sets.mjs';
import { faultsOfUnits } from './faults-of-units.mjs';

export const faults = [
  {
    name: 'a reader overtakes a waiting writer',
    in: 'append',
    find: 'return w[resource | L.RESOURCE_FRONTIER] === L.NOBODY &&',
    replace: `const head = w[resource | L.RESOURCE_HEAD];
  const isShared = w[head | L.FLAGS] >>> L.LINK_UNITS_SHIFT !== L.ALL;
  return (isShared && units === 1) || w[resource | L.RESOURCE_FRONTIER] === L.NOBODY &&`,
  },
  {
    name: 'a reader joins the writer ahead',
    in: 'fits',
    find: 'used + units <= capacity',
    replace: '(units === 1 && capacity === L.ALL) || used + units <= capacity',
  },
  {
    name: 'a writer joins the readers ahead',
    in: 'fits',
    find: 'used + units <= capacity',
    replace: 'used + (units === L.ALL ? 1 : units) <= capacity',
  },
  {
    name: 'who comes barges past those who wait behind readers',
    in: 'append',
    find: 'return w[resource | L.RESOURCE_FRONTIER] === L.NOBODY &&',
    replace: 'return',
  },
  {
    name: 'a wake-up is lost when somebody leaves',
    in: 'unlink',
    find: 'advance(w, d, resource);',
    replace: '',
  },
  {
    name: 'a wake-up is lost when a waiter is cancelled',
    in: 'unlink',
    find: 'advance(w, d, resource);',
    replace: 'if ((flags & L.LINK_TRIGGERED) !== 0) advance(w, d, resource);',
  },
  {
    name: 'an early grant when a reader leaves from the middle',
    in: 'unlink',
    find: '} else if (w[resource | L.RESOURCE_FRONTIER] === link) {',
    replace: `}
  if (previous !== L.NOBODY) {`,
  },
  {
    name: 'the frontier is not moved when its link goes',
    in: 'unlink',
    find: 'w[resource | L.RESOURCE_FRONTIER] = next;',
    replace: '',
  },
  {
    name: 'the tail is not moved when its link goes',
    in: 'unlink',
    find: 'w[resource | L.RESOURCE_TAIL] = previous;',
    replace: 'if (previous === L.NOBODY) w[resource | L.RESOURCE_TAIL] = previous;',
  },
  {
    name: 'observers are not notified when the last in the queue goes',
    in: 'unlink',
    find: 'if ((w[resource | L.FLAGS] & L.RESOURCE_OBSERVED) !== 0) notifyObservers(w, d, resource);',
    replace: '',
  },
  {
    name: 'observers are not notified when a queue moves on',
    in: 'advance',
    find: 'if ((w[resource | L.FLAGS] & L.RESOURCE_OBSERVED) !== 0) notifyObservers(w, d, resource);',
    replace: '',
  },
  {
    name: 'an ignored link lets others past',
    in: 'advance',
    find: 'used += units;',
    replace: 'if ((flags & L.LINK_IGNORED) === 0) used += units;',
  },
  {
    name: 'an ignored link counts down when it is triggered',
    in: 'advance',
    find: 'if ((flags & L.LINK_IGNORED) === 0) countDown',
    replace: 'countDown',
  },
  {
    name: 'last in, first out',
    in: 'grant',
    find: `w[set | L.SET_AFTER] = L.NOBODY;
  const last = w[L.GRANTED_LAST];`,
    replace: `w[set | L.SET_AFTER] = w[L.GRANTED_FIRST];
  w[L.GRANTED_FIRST] = set;
  if (w[L.GRANTED_LAST] === L.NOBODY) w[L.GRANTED_LAST] = set;
  if (w[set | L.SET_AFTER] !== -1) return;
  const last = w[L.GRANTED_LAST];`,
  },
  {
    name: 'grants are not sorted across queues',
    in: 'giveTokens',
    find: 'if (w[L.GRANTED_UNSORTED] !== 0) sortGranted(w, d);',
    replace: '',
  },
  {
    name: 'only the last two grants are compared when sorting is decided',
    in: 'grant',
    find: 'L.SET_STAMP) >> 1]) w[L.GRANTED_UNSORTED] = 1;',
    replace: `L.SET_STAMP) >> 1]) w[L.GRANTED_UNSORTED] = 1;
    else w[L.GRANTED_UNSORTED] = 0;`,
  },
  {
    name: 'a grant after a wait has no new token',
    in: 'giveTokens',
    find: 'd[(set | L.SET_STAMP) >> 1] = tick(d);',
    replace: '',
  },
  {
    name: 'tokens do not grow',
    in: 'tick',
    find: 'd[L.CLOCK >> 1] = stamp;',
    replace: '',
  },
  {
    name: 'a flag that is set after a grant of the same operation is not reported',
    in: 'giveTokens',
    find: 'setGranted(w, set);',
    replace: '',
  },
  {
    name: 'what a set keeps is not forgotten when it is granted',
    in: 'grant',
    find: 'if (w[set | L.SET_EDGES] !== L.NOBODY) dropEdges(w, set);',
    replace: '',
  },
  {
    name: 'edges are not dropped when a set ends',
    in: 'clear',
    find: 'if (w[set | L.SET_EDGES] !== L.NOBODY) dropEdges(w, set);',
    replace: '',
  },
  {
    name: 'an edge is left on the list of the grant that it names',
    in: 'dropEdges',
    find: `unlinkEdge(w, edge, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
    free`,
    replace: 'free',
  },
  {
    name: 'a set ends twice',
    in: 'remove',
    find: "if ((w[set | L.FLAGS] & L.KIND) !== L.SET) throw broken('only live sets end');",
    replace: '',
  },
  {
    name: 'an ended grant releases the set that has its words now',
    in: 'isHeld',
    find: 'return isGranted && d[(set | L.SET_STAMP) >> 1] === token;',
    replace: 'return isGranted;',
  },
  {
    name: 'the links of an ended set are leaked',
    in: 'end',
    find: 'free(w, set, last);',
    replace: 'free(w, set, set);',
  },
  {
    name: 'the links of a revoked set are leaked',
    in: 'clearLost',
    find: 'if (last !== set) free(w, w[set | L.CHAIN], last);',
    replace: '',
  },
  {
    name: 'the link of a part let go is leaked',
    in: 'removeChosen',
    find: 'free(w, link, link);',
    replace: '',
  },
  {
    name: 'a resource named twice is queued for twice',
    in: 'enqueue',
    find: 'if (tail !== L.NOBODY && w[tail | L.LINK_SET] === set) continue;',
    replace: '',
  },
  {
    name: 'a steal that names a resource twice revokes itself',
    in: 'steal',
    find: 'if (head !== L.NOBODY && w[head | L.LINK_SET] === set) continue;',
    replace: '',
  },
  {
    name: 'a recovered flag is not set by the death of a holder',
    in: 'detach',
    find: 'if (isRecovered !== died && (setFlags & L.SET_GRANTED) !== 0) {',
    replace: 'if (isRecovered && !died && (setFlags & L.SET_GRANTED) !== 0) {',
  },
  {
    name: 'a recovered flag is set by the death of a waiter',
    in: 'detach',
    find: 'if (isRecovered !== died && (setFlags & L.SET_GRANTED) !== 0) {',
    replace: 'if (isRecovered !== died) {',
  },
  {
    name: 'a recovered flag is not cleared by a release',
    in: 'detach',
    find: 'if (isRecovered !== died && (setFlags & L.SET_GRANTED) !== 0) {',
    replace: 'if (!isRecovered && died && (setFlags & L.SET_GRANTED) !== 0) {',
  },
  {
    name: 'a recovered flag is not cleared by a downgrade',
    in: 'downgrade',
    find: 'updateFlag(w, resource, w[link | L.FLAGS], false);',
    replace: '',
  },
  {
    name: 'a recovered flag is cleared by a reader',
    in: 'updateFlag',
    find: 'if (linkFlags >>> L.LINK_UNITS_SHIFT < capacityOf(w, resource)) return;',
    replace: 'if (died && linkFlags >>> L.LINK_UNITS_SHIFT < capacityOf(w, resource)) return;',
  },
  {
    name: 'a recovered flag is cleared by a set that only ignored the resource',
    in: 'updateFlag',
    find: 'if (!died && (linkFlags & L.LINK_TRIGGERED) === 0) return;',
    replace: '',
  },
  {
    name: 'a recovered flag is lost when its queue runs empty',
    in: 'fallIdle',
    find: 'if ((flags & (L.RESOURCE_RECOVERED | L.RESOURCE_KEPT)) !== 0) return;',
    replace: 'if ((flags & L.RESOURCE_KEPT) !== 0) return;',
  },
  {
    name: 'a kept resource is reported as idle',
    in: 'fallIdle',
    find: 'if ((flags & (L.RESOURCE_RECOVERED | L.RESOURCE_KEPT)) !== 0) return;',
    replace: 'if ((flags & L.RESOURCE_RECOVERED) !== 0) return;',
  },
  {
    name: 'a resource takes its recovered flag with it uncounted',
    in: 'destroyResource',
    find: 'if ((flags & L.RESOURCE_RECOVERED) !== 0) w[L.RECOVERED_COUNT]--;',
    replace: '',
  },
  {
    name: 'a steal does not report the flags that it causes',
    in: 'steal',
    find: 'if (w[L.RECOVERED_COUNT] !== 0) w[set | L.FLAGS] |= L.SET_HAS_DETAILS;',
    replace: '',
  },
  {
    name: 'a downgrade wakes nobody',
    in: 'weaken',
    find: 'advance(w, d, resource);',
    replace: '',
  },
  {
    name: 'a downgrade of a part is one of all',
    in: 'downgrade',
    find: 'if (chosenOnly && !unchoose(w, resource)) continue;',
    replace: 'if (chosenOnly) unchoose(w, resource);',
  },
  {
    name: 'a part let go wakes nobody',
    in: 'removeChosen',
    find: `        last = link;
      }
    }
    giveTokens(w, d);`,
    replace: `        last = link;
      }
    }
    w[L.GRANTED_FIRST] = L.NOBODY;
    w[L.GRANTED_LAST] = L.NOBODY;`,
  },
  {
    name: 'a part let go stays chosen',
    in: 'removeChosen',
    find: 'if (unchoose(w, w[link | L.LINK_RESOURCE])) {',
    replace: 'if ((w[w[link | L.LINK_RESOURCE] | L.FLAGS] & L.RESOURCE_CHOSEN) !== 0) {',
  },
  {
    name: 'a part refused stays chosen',
    in: 'choose',
    find: 'for (let index = 0; index < count; index++) unchoose(w, refs[index] as number);',
    replace: '',
  },
  {
    name: 'a steal leaves waiters triggered',
    in: 'untrigger',
    find: 'w[link | L.FLAGS] = flags & ~L.LINK_TRIGGERED;',
    replace: '',
  },
  {
    name: 'a waiter does not count that it waits for a steal',
    in: 'revoke',
    find: 'untrigger(w, link);',
    replace: `const pending = w[set | L.SET_PENDING];
    untrigger(w, link);
    w[set | L.SET_PENDING] = pending;`,
  },
  {
    name: 'a steal misses holders that ignored the resource',
    in: 'revoke',
    find: 'const isWholeQueue = (w[resource | L.FLAGS] & L.RESOURCE_IGNORED) !== 0;',
    replace: 'const isWholeQueue = false;',
  },
  {
    name: 'a resource does not know that it is ignored',
    in: 'passLocked',
    find: 'w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;',
    replace: '',
  },
  {
    name: 'a steal revokes a set twice that it meets in two queues',
    in: 'revoke',
    find: 'if (held === L.SET_GRANTED) addLost(w, set);',
    replace: 'if ((held & L.SET_GRANTED) !== 0) addLost(w, set);',
  },
  {
    name: 'a steal comes last in arrival',
    in: 'steal',
    find: 'const arrival = --d[L.STEALS >> 1];',
    replace: 'const arrival = tick(d);',
  },
  {
    name: 'a lock is not let go when its set ends',
    in: 'detach',
    find: 'if ((setFlags & L.SET_SYNC) !== 0) w[resource | L.FLAGS] = flags -= L.RESOURCE_SYNC_ONE;',
    replace: '',
  },
  {
    name: 'who calls synchronously and ignores finds its own lock',
    in: 'enqueue',
    find: `if ((bits & PASS_LOCKED) !== 0 && isPending) isPending = !passLocked(w, set, resource, link);
      if ((bits & SYNC) !== 0) w[resource | L.FLAGS] += L.RESOURCE_SYNC_ONE;`,
    replace: `if ((bits & SYNC) !== 0) w[resource | L.FLAGS] += L.RESOURCE_SYNC_ONE;
      if ((bits & PASS_LOCKED) !== 0 && isPending) isPending = !passLocked(w, set, resource, link);`,
  },
  {
    name: 'who ignores locks waits for nobody',
    in: 'passLocked',
    find: 'if (w[resource | L.FLAGS] >>> L.RESOURCE_SYNC_SHIFT === 0) return false;',
    replace: '',
  },
  {
    name: 'an ignored link counts as ignored for ever',
    in: 'isIgnored',
    find: '(flags & (L.LINK_IGNORED | L.LINK_TRIGGERED)) === L.LINK_IGNORED',
    replace: '(flags & L.LINK_IGNORED) !== 0',
  },
  {
    name: 'an observer that stops is left in its list',
    in: 'removeObservations',
    find: 'removeObservation(w, resource, entry);',
    replace: '',
  },
  {
    name: 'an observation ends too early',
    in: 'isOlder',
    find: '>> 1] <= d[(entry',
    replace: '>> 1] > d[(entry',
  },
  {
    name: 'an observation waits for later sets',
    in: 'notifyList',
    find: 'if (isOlder(d, oldest, entry)) return;',
    replace: 'if (oldest !== L.NOBODY) return;',
  },
  {
    name: 'observations of writers never end',
    in: 'notifyObservers',
    find: 'notifyList(w, d, annex | L.ANNEX_OBSERVE_EXCLUSIVE, oldestExclusive(w, resource));',
    replace: '',
  },
  {
    name: 'an observer of writers waits for readers too',
    in: 'oldestExclusive',
    find: 'return w[resource | L.RESOURCE_FRONTIER];',
    replace: 'return head;',
  },
  {
    name: 'the second of two kinds of observations is forgotten with the first',
    in: 'removeObservation',
    find: 'if ((w[annex | L.ANNEX_OBSERVE_ALL] | w[annex | L.ANNEX_OBSERVE_EXCLUSIVE]) === L.NOBODY) {',
    replace: '{',
  },
  {
    name: 'a cycle through a reader is not found',
    in: '#aheadOf',
    find: 'if (isExclusive || isAheadExclusive) sets.push',
    replace: 'if (isExclusive) sets.push',
  },
  {
    name: 'a cycle behind an ignored writer is not found',
    in: '#aheadOf',
    find: 'if (isAheadExclusive && (w[ahead | L.FLAGS] & L.LINK_IGNORED) === 0) return;',
    replace: 'if (isAheadExclusive) return;',
  },
  {
    name: 'a cycle behind a reader that another reader passed is not found',
    in: '#aheadOf',
    find: 'if (!isExclusive) {',
    replace: '{',
  },
  {
    name: 'a cycle is found where a set ignores what conflicts',
    in: '#inTheWay',
    find: '(L.LINK_TRIGGERED | L.LINK_IGNORED)) !== 0',
    replace: 'L.LINK_TRIGGERED) !== 0',
  },
  {
    name: 'a cycle is found where readers stand behind readers',
    in: '#aheadOf',
    find: 'if (isExclusive || isAheadExclusive) sets.push',
    replace: 'sets.push',
  },
  {
    name: 'memory is filled one slot too far',
    in: 'reserveBelow',
    find: 'return countMissing <= 0 ||',
    replace: 'return countMissing <= 1 ||',
  },
  {
    name: 'memory is refused while slots are free',
    in: 'reserveBelow',
    find: 'L.NOBODY && countMissing > 0;',
    replace: 'L.NOBODY && countMissing > 1;',
  },
  {
    name: 'slots that are forgotten can still be taken',
    in: 'reset',
    find: 'w[L.FREE] = L.NOBODY;',
    replace: '',
  },
  {
    name: 'growing memory forgets its last words',
    in: 'resize',
    find: 'words.set(this.words.subarray(0, Math.min(wordCount, this.words.length)));',
    replace: 'words.set(this.words.subarray(0, Math.min(wordCount, this.words.length) - 8));',
  },
  {
    name: 'a triggered link is not saved',
    in: 'advance',
    find: 'save(w, link);',
    replace: '',
  },
  {
    name: 'a queue that grows is not saved',
    in: 'enqueue',
    find: 'if (w[L.JOURNAL] !== 0) saveEnds(w, refs, count);',
    replace: '',
  },
  {
    name: 'the last in a queue is not saved as another comes',
    in: 'saveEnds',
    find: 'if (tail !== L.NOBODY) save(w, tail);',
    replace: '',
  },
  {
    name: 'a set that counts down is not saved',
    in: 'countDown',
    find: '  save(w, set);\n',
    replace: '',
  },
  {
    name: 'a set that ends is not saved',
    in: 'end',
    find: '  save(w, set);\n  w[set | L.FLAGS] = 0;\n  free(w, set, last);',
    replace: '  w[set | L.FLAGS] = 0;\n  free(w, set, last);',
  },
  {
    name: 'what is given back is not saved',
    in: 'free',
    find: '  save(w, last);\n',
    replace: '',
  },
  {
    name: 'what is taken from the free list is not saved',
    in: 'allocate',
    find: 'save(w, slot);',
    replace: '',
  },
  {
    name: 'a queue that shrinks is not saved',
    in: 'detach',
    find: '  save(w, resource);\n  let flags = w[resource | L.FLAGS];',
    replace: '  let flags = w[resource | L.FLAGS];',
  },
  {
    name: 'the list entry beside an observation that ends is not saved',
    in: 'removeObservation',
    find: '  save(w, previous);\n  save(w, next);',
    replace: '  save(w, previous);',
  },
  {
    name: 'a set that is revoked is not saved',
    in: 'addLost',
    find: 'save(w, set);',
    replace: '',
  },
  {
    name: 'the keeper of an edge is not saved',
    in: 'unlinkEdge',
    find: '  save(w, holder);\n',
    replace: '',
  },
  {
    name: 'undoing goes on from the oldest record',
    in: 'rollBack',
    find: 'for (let at = w[L.JOURNAL] - recordWords; at >= first; at -= recordWords) {',
    replace: 'for (let at = first; at < w[L.JOURNAL]; at += recordWords) {',
  },
  {
    name: 'a slot is saved again in one operation',
    in: 'record',
    find: 'if (w[stamp] === operation) return;',
    replace: '',
  },
  {
    name: 'sets that end together give tokens after each',
    in: 'removeAll',
    find: 'for (const set of latestFirst) end(w, d, set, died);',
    replace: 'for (const set of latestFirst) this.remove(set, died);',
  },
  {
    name: 'sets that end together end in the order that they are named in',
    in: 'removeAll',
    find: 'for (const set of latestFirst) end(w, d, set, died);',
    replace: 'for (const set of sets) this.remove(set, died);',
  },
  {
    name: 'an exclusive link does not fit an idle resource of few units',
    in: 'fits',
    find: '|| used === 0',
    replace: '',
  },
  {
    name: 'one unit of a capacity is never taken',
    in: 'fits',
    find: 'used + units <= capacity',
    replace: 'used + units <= capacity - (capacity === L.ALL ? 0 : 1)',
  },
  {
    name: 'a declared capacity counts for nothing',
    in: 'capacityOf',
    find: 'return annex === L.NOBODY ? L.ALL : w[annex | L.ANNEX_CAPACITY];',
    replace: 'return L.ALL + 0 * annex;',
  },
  {
    name: 'the units of a link that joins the holders are not counted',
    in: 'appendFrontier',
    find: 'w[resource | L.RESOURCE_USED] = used + units;',
    replace: '',
  },
  {
    name: 'the units of the first link are not counted',
    in: 'append',
    find: 'w[resource | L.RESOURCE_USED] = units;',
    replace: 'w[resource | L.RESOURCE_USED] = 1;',
  },
  {
    name: 'the units of links newly triggered are not counted',
    in: 'advance',
    find: 'w[resource | L.RESOURCE_USED] = used;',
    replace: '',
  },
  {
    name: 'the units of a link that leaves are not given back',
    in: 'unlink',
    find: 'w[resource | L.RESOURCE_USED] -= flags >>> L.LINK_UNITS_SHIFT;',
    replace: '',
  },
  {
    name: 'the units of the last link are not given back',
    in: 'unlink',
    find: 'w[resource | L.RESOURCE_USED] = 0;',
    replace: '',
  },
  {
    name: 'a link that waits gives back what it has not taken',
    in: 'unlink',
    find: 'if ((flags & L.LINK_TRIGGERED) !== 0) {',
    replace: `{
    const isPending = (flags & L.LINK_TRIGGERED) === 0;
    if (isPending) w[resource | L.RESOURCE_USED] -= flags >>> L.LINK_UNITS_SHIFT;
  }
  if ((flags & L.LINK_TRIGGERED) !== 0) {`,
  },
  {
    name: 'a weakened link keeps its units',
    in: 'weaken',
    find: 'w[resource | L.RESOURCE_USED] -= (flags >>> L.LINK_UNITS_SHIFT) - units;',
    replace: '',
  },
  {
    name: 'a weakened link that waits gives back what it has not taken',
    in: 'weaken',
    find: 'if ((flags & L.LINK_TRIGGERED) !== 0) {',
    replace: '{',
  },
  {
    name: 'a steal leaves the units of those before it',
    in: 'putFirst',
    find: 'w[resource | L.RESOURCE_USED] = L.ALL;',
    replace: '',
  },
  {
    name: 'a holder of some units counts as exclusive',
    in: 'updateFlag',
    find: 'linkFlags >>> L.LINK_UNITS_SHIFT < capacityOf(w, resource)',
    replace: 'linkFlags >>> L.LINK_UNITS_SHIFT === 1',
  },
  {
    name: 'a downgrade leaves a holder of some units as it is',
    in: 'downgrade',
    find: 'if (unitsOf(w, link) === units) continue;',
    replace: 'if (unitsOf(w, link) !== L.ALL) continue;',
  },
  {
    name: 'an annex is left when its last observation has ended',
    in: 'notifyObservers',
    find: 'closeAnnex(w, resource);',
    replace: '',
  },
  {
    name: 'an annex is left when its last observer stops',
    in: 'removeObservations',
    find: 'closeAnnex(w, resource);',
    replace: '',
  },
  {
    name: 'a declared capacity goes with the last observation',
    in: 'closeAnnex',
    find: '|| (w[annex | L.FLAGS] & L.ANNEX_METERED) !== 0',
    replace: '',
  },
  {
    name: 'an annex is leaked with its resource',
    in: 'destroyResource',
    find: 'freeAnnex(w, resource);',
    replace: '',
  },
  {
    name: 'an annex that gets an observation is not saved',
    in: 'openAnnex',
    find: 'save(w, known);',
    replace: '',
  },
  {
    name: 'a resource that gets an annex is not saved',
    in: 'openAnnex',
    find: 'save(w, resource);',
    replace: '',
  },
  {
    name: 'an annex that loses an observation is not saved',
    in: 'removeObservation',
    find: 'save(w, annex);',
    replace: '',
  },
  {
    name: 'no room is made for the annex of an observer',
    in: 'observe',
    find: '1 + count + countMissing',
    replace: '1 + count',
  },
  ...faultsOfUnits,
  ...faultsOfFreeSets,
];
