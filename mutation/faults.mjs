/**
 * Faults to put into core by hand, each a way to break the rule or to lose count: the text to find
 * in a file, which must be there exactly once, and what to put in its place.
 */

export const faults = [
  {
    name: 'a reader overtakes a waiting writer',
    file: 'queue.ts',
    find: 'const isTriggered = frontier === L.NOBODY && mayTrigger(w, mode, tail);',
    replace: `const isTriggered = mode === 0
    ? (w[w[resource | L.RESOURCE_HEAD] | L.FLAGS] & L.LINK_EXCLUSIVE) === 0
    : frontier === L.NOBODY && mayTrigger(w, mode, tail);`,
  },
  {
    name: 'a reader joins the writer ahead',
    file: 'queue.ts',
    find: '((flags | w[ahead | L.FLAGS]) & L.LINK_EXCLUSIVE) === 0',
    replace: '(flags & L.LINK_EXCLUSIVE) === 0',
  },
  {
    name: 'a writer joins the readers ahead',
    file: 'queue.ts',
    find: '((flags | w[ahead | L.FLAGS]) & L.LINK_EXCLUSIVE) === 0',
    replace: '(w[ahead | L.FLAGS] & L.LINK_EXCLUSIVE) === 0',
  },
  {
    name: 'who comes barges past those who wait behind readers',
    file: 'queue.ts',
    find: 'const isTriggered = frontier === L.NOBODY && mayTrigger(w, mode, tail);',
    replace: 'const isTriggered = mayTrigger(w, mode, tail);',
  },
  {
    name: 'a wake-up is lost when somebody leaves',
    file: 'queue.ts',
    find: 'w[next | L.LINK_PREVIOUS] = previous;\n    advance(w, d, resource);',
    replace: 'w[next | L.LINK_PREVIOUS] = previous;',
  },
  {
    name: 'a wake-up is lost when a waiter is cancelled',
    file: 'queue.ts',
    find: 'w[next | L.LINK_PREVIOUS] = previous;\n    advance(w, d, resource);',
    replace: `w[next | L.LINK_PREVIOUS] = previous;
    if ((w[link | L.FLAGS] & L.LINK_TRIGGERED) !== 0) advance(w, d, resource);`,
  },
  {
    name: 'an early grant when a reader leaves from the middle',
    file: 'queue.ts',
    find: 'if (w[resource | L.RESOURCE_FRONTIER] === link) w[resource',
    replace: 'if (previous !== L.NOBODY) w[resource',
  },
  {
    name: 'the frontier is not moved when its link goes',
    file: 'queue.ts',
    find: 'if (w[resource | L.RESOURCE_FRONTIER] === link) w[resource | L.RESOURCE_FRONTIER] = next;',
    replace: '',
  },
  {
    name: 'the tail is not moved when its link goes',
    file: 'queue.ts',
    find: 'w[resource | L.RESOURCE_TAIL] = previous;',
    replace: 'if (previous === L.NOBODY) w[resource | L.RESOURCE_TAIL] = previous;',
  },
  {
    name: 'observers are not told when the last in the queue goes',
    file: 'queue.ts',
    find: `if ((w[resource | L.FLAGS] & L.RESOURCE_WATCHED) !== 0) settle(w, d, resource);
  return`,
    replace: 'return',
  },
  {
    name: 'observers are not told when a queue moves on',
    file: 'queue.ts',
    find: `w[resource | L.RESOURCE_FRONTIER] = link;
  if ((w[resource | L.FLAGS] & L.RESOURCE_WATCHED) !== 0) settle(w, d, resource);`,
    replace: 'w[resource | L.RESOURCE_FRONTIER] = link;',
  },
  {
    name: 'an ignored link lets others past',
    file: 'queue.ts',
    find: 'return ahead === L.NOBODY || ((flags',
    replace: 'return ahead === L.NOBODY || (w[ahead] & L.LINK_IGNORED) !== 0 || ((flags',
  },
  {
    name: 'an ignored link counts down when it is triggered',
    file: 'queue.ts',
    find: 'if ((flags & L.LINK_IGNORED) === 0) countDown',
    replace: 'countDown',
  },
  {
    name: 'last in, first out',
    file: 'granted.ts',
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
    file: 'granted.ts',
    find: 'if (w[L.GRANTED_UNSORTED] !== 0) sortGranted(w, d);',
    replace: '',
  },
  {
    name: 'only the last two grants are looked at when sorting is decided',
    file: 'granted.ts',
    find: 'L.SET_STAMP) >> 1]) w[L.GRANTED_UNSORTED] = 1;',
    replace: `L.SET_STAMP) >> 1]) w[L.GRANTED_UNSORTED] = 1;
    else w[L.GRANTED_UNSORTED] = 0;`,
  },
  {
    name: 'a grant after a wait has no new token',
    file: 'granted.ts',
    find: 'd[(set | L.SET_STAMP) >> 1] = tick(d);',
    replace: '',
  },
  {
    name: 'tokens do not grow',
    file: 'granted.ts',
    find: 'd[L.CLOCK >> 1] = stamp;',
    replace: '',
  },
  {
    name: 'a mark left after a grant of the same operation is not told',
    file: 'granted.ts',
    find: '    markGranted(w, set);\n  }\n}',
    replace: '  }\n}',
  },
  {
    name: 'what a set keeps is not forgotten when it is granted',
    file: 'granted.ts',
    find: 'if (w[set | L.SET_EDGES] !== L.NOBODY) dropEdges(w, set);',
    replace: '',
  },
  {
    name: 'edges are not dropped when a set ends',
    file: 'ending.ts',
    find: 'if (w[set | L.SET_EDGES] !== L.NOBODY) dropEdges(w, set);',
    replace: '',
  },
  {
    name: 'an edge is left on the list of the grant that it names',
    file: 'edges.ts',
    find: `unlinkEdge(w, edge, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
    free`,
    replace: 'free',
  },
  {
    name: 'a set ends twice',
    file: 'core.ts',
    find: "if ((w[set | L.FLAGS] & L.KIND) !== L.SET) throw broken('only live sets end');",
    replace: '',
  },
  {
    name: 'an ended grant releases whoever has its words now',
    file: 'core.ts',
    find: 'return isGranted && d[(set | L.SET_STAMP) >> 1] === token;',
    replace: 'return isGranted;',
  },
  {
    name: 'the links of an ended set are leaked',
    file: 'ending.ts',
    find: 'free(w, set, last);',
    replace: 'free(w, set, set);',
  },
  {
    name: 'the links of a robbed set are leaked',
    file: 'core.ts',
    find: 'if (lastOfLost !== lost) free(w, w[lost | L.CHAIN], lastOfLost);',
    replace: '',
  },
  {
    name: 'the link of a part let go is leaked',
    file: 'core.ts',
    find: 'free(w, link, link);',
    replace: '',
  },
  {
    name: 'a resource named twice is queued for twice',
    file: 'core.ts',
    find: 'if (tail !== L.NOBODY && w[tail | L.LINK_SET] === set) continue;',
    replace: '',
  },
  {
    name: 'a thief that names a resource twice robs itself',
    file: 'core.ts',
    find: 'if (head !== L.NOBODY && w[head | L.LINK_SET] === set) continue;',
    replace: '',
  },
  {
    name: 'a mark is not set by the death of a holder',
    file: 'ending.ts',
    find: 'if (isMarked !== died && (setFlags & L.SET_GRANTED) !== 0) {',
    replace: 'if (isMarked && !died && (setFlags & L.SET_GRANTED) !== 0) {',
  },
  {
    name: 'a mark is set by the death of one who waits',
    file: 'ending.ts',
    find: 'if (isMarked !== died && (setFlags & L.SET_GRANTED) !== 0) {',
    replace: 'if (isMarked !== died) {',
  },
  {
    name: 'a mark is not cleared by a release',
    file: 'ending.ts',
    find: 'if (isMarked !== died && (setFlags & L.SET_GRANTED) !== 0) {',
    replace: 'if (!isMarked && died && (setFlags & L.SET_GRANTED) !== 0) {',
  },
  {
    name: 'a mark is not cleared by a downgrade',
    file: 'core.ts',
    find: 'markLeft(w, resource, flags, false);',
    replace: '',
  },
  {
    name: 'a mark is cleared by a reader',
    file: 'ending.ts',
    find: 'if (isMarked === died || (linkFlags & L.LINK_EXCLUSIVE) === 0) return;',
    replace: 'if (isMarked === died || (died && (linkFlags & L.LINK_EXCLUSIVE) === 0)) return;',
  },
  {
    name: 'a mark is cleared by one who only ignored the resource',
    file: 'ending.ts',
    find: 'if (!died && (linkFlags & L.LINK_TRIGGERED) === 0) return;',
    replace: '',
  },
  {
    name: 'a mark is lost when its queue runs empty',
    file: 'ending.ts',
    find: 'if ((flags & (L.RESOURCE_RECOVERED | L.RESOURCE_KEPT)) !== 0) return;',
    replace: 'if ((flags & L.RESOURCE_KEPT) !== 0) return;',
  },
  {
    name: 'a kept resource is told of as idle',
    file: 'ending.ts',
    find: 'if ((flags & (L.RESOURCE_RECOVERED | L.RESOURCE_KEPT)) !== 0) return;',
    replace: 'if ((flags & L.RESOURCE_RECOVERED) !== 0) return;',
  },
  {
    name: 'a resource takes its mark with it uncounted',
    file: 'core.ts',
    find: 'if ((flags & L.RESOURCE_RECOVERED) !== 0) w[L.MARKED]--;',
    replace: '',
  },
  {
    name: 'a thief is not told of the marks it causes',
    file: 'core.ts',
    find: 'if (w[L.MARKED] !== 0) w[set | L.FLAGS] |= L.SET_UNUSUAL;',
    replace: '',
  },
  {
    name: 'a downgrade wakes nobody',
    file: 'core.ts',
    find: `w[link | L.FLAGS] = flags & ~L.LINK_EXCLUSIVE;
      advance(w, d, resource);`,
    replace: 'w[link | L.FLAGS] = flags & ~L.LINK_EXCLUSIVE;',
  },
  {
    name: 'a downgrade of a part is one of all',
    file: 'core.ts',
    find: 'if (chosenOnly && !unchoose(w, resource)) continue;',
    replace: 'if (chosenOnly) unchoose(w, resource);',
  },
  {
    name: 'a part let go wakes nobody',
    file: 'core.ts',
    find: `        place = link;
      }
    }
    giveTokens(w, d);`,
    replace: `        place = link;
      }
    }
    w[L.GRANTED_FIRST] = L.NOBODY;
    w[L.GRANTED_LAST] = L.NOBODY;`,
  },
  {
    name: 'a part let go stays chosen',
    file: 'core.ts',
    find: 'if (unchoose(w, w[link | L.LINK_RESOURCE])) {',
    replace: 'if ((w[w[link | L.LINK_RESOURCE] | L.FLAGS] & L.RESOURCE_CHOSEN) !== 0) {',
  },
  {
    name: 'a part refused stays chosen',
    file: 'core.ts',
    find: 'for (let index = 0; index < count; index++) unchoose(w, refs[index] as number);',
    replace: '',
  },
  {
    name: 'a theft leaves waiters triggered',
    file: 'core.ts',
    find: 'w[link | L.FLAGS] = flags & ~L.LINK_TRIGGERED;',
    replace: '',
  },
  {
    name: 'a waiter does not count that it waits for a thief',
    file: 'core.ts',
    find: 'if (counted === L.LINK_TRIGGERED) w[set | L.SET_PENDING]++;',
    replace: 'void counted;',
  },
  {
    name: 'a theft misses holders who ignored the resource',
    file: 'core.ts',
    find: 'const isWholeQueue = (w[resource | L.FLAGS] & L.RESOURCE_IGNORED) !== 0;',
    replace: 'const isWholeQueue = false;',
  },
  {
    name: 'a resource does not know that it is ignored',
    file: 'core.ts',
    find: 'w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;',
    replace: '',
  },
  {
    name: 'a theft robs a set twice that it meets in two queues',
    file: 'core.ts',
    find: '} else if ((setFlags & L.SET_LOST) === 0) {',
    replace: '} else {',
  },
  {
    name: 'a thief comes last in arrival',
    file: 'core.ts',
    find: 'const arrival = --d[L.STEALS >> 1];',
    replace: 'const arrival = tick(d);',
  },
  {
    name: 'a lock is not let go when its set ends',
    file: 'ending.ts',
    find: 'if ((setFlags & L.SET_SYNC) !== 0) w[resource | L.FLAGS] = flags -= L.RESOURCE_SYNC_ONE;',
    replace: '',
  },
  {
    name: 'who calls synchronously and ignores finds its own lock',
    file: 'core.ts',
    find: `if ((bits & PASS_LOCKED) !== 0 && isPending) isPending = !passLocked(w, set, resource, link);
      if ((bits & SYNC) !== 0) w[resource | L.FLAGS] += L.RESOURCE_SYNC_ONE;`,
    replace: `if ((bits & SYNC) !== 0) w[resource | L.FLAGS] += L.RESOURCE_SYNC_ONE;
      if ((bits & PASS_LOCKED) !== 0 && isPending) isPending = !passLocked(w, set, resource, link);`,
  },
  {
    name: 'who ignores locks waits for nobody',
    file: 'core.ts',
    find: 'if (w[resource | L.FLAGS] >>> L.RESOURCE_SYNC_SHIFT === 0) return false;',
    replace: '',
  },
  {
    name: 'an ignored link counts as ignored for ever',
    file: 'core.ts',
    find: '(flags & (L.LINK_IGNORED | L.LINK_TRIGGERED)) === L.LINK_IGNORED',
    replace: '(flags & L.LINK_IGNORED) !== 0',
  },
  {
    name: 'an observer that stops is left in its ring',
    file: 'watches.ts',
    find: 'if ((w[eye | L.FLAGS] & L.LINK_TRIGGERED) === 0) unwatch(w, w[eye | L.LINK_RESOURCE], eye);',
    replace: '',
  },
  {
    name: 'a watch ends too early',
    file: 'watches.ts',
    find: 'L.LINK_ARRIVAL) >> 1] <= d[(eye',
    replace: 'L.LINK_ARRIVAL) >> 1] > d[(eye',
  },
  {
    name: 'a watch waits for those who come later',
    file: 'watches.ts',
    find: 'if (isInTheWay) return;',
    replace: 'if (oldest !== L.NOBODY) return;\n    void isInTheWay;',
  },
  {
    name: 'watches for writers never end',
    file: 'watches.ts',
    find: 'settleRing(w, d, resource | L.RESOURCE_WATCH_EXCLUSIVE, oldestExclusive(w, resource));',
    replace: '',
  },
  {
    name: 'who watches for writers waits for readers too',
    file: 'watches.ts',
    find: 'return w[resource | L.RESOURCE_FRONTIER];',
    replace: 'return head;',
  },
  {
    name: 'the second of two kinds of watches is forgotten with the first',
    file: 'watches.ts',
    find: 'if (w[other] === L.NOBODY) w[resource',
    replace: 'if (other !== L.NOBODY) w[resource',
  },
  {
    name: 'a circle through a reader is not seen',
    file: 'cycle.ts',
    find: 'if (exclusive || (flags & L.LINK_EXCLUSIVE) !== 0) sets.push',
    replace: 'if (exclusive) sets.push',
  },
  {
    name: 'a circle behind an ignored writer is not seen',
    file: 'cycle.ts',
    find: 'if ((flags & (L.LINK_EXCLUSIVE | L.LINK_IGNORED)) === L.LINK_EXCLUSIVE) return;',
    replace: 'if ((flags & L.LINK_EXCLUSIVE) !== 0) return;',
  },
  {
    name: 'a circle behind a reader that another reader passed is not seen',
    file: 'cycle.ts',
    find: 'if (!exclusive) {\n      if (passed.has(ahead)) return;',
    replace: '{\n      if (passed.has(ahead)) return;',
  },
  {
    name: 'a circle is seen where a set ignores who is in the way',
    file: 'cycle.ts',
    find: '(L.LINK_TRIGGERED | L.LINK_IGNORED)) === 0',
    replace: 'L.LINK_TRIGGERED) === 0',
  },
  {
    name: 'a circle is seen where readers stand behind readers',
    file: 'cycle.ts',
    find: 'if (exclusive || (flags & L.LINK_EXCLUSIVE) !== 0) sets.push',
    replace: 'sets.push',
  },
  {
    name: 'memory is filled one slot too far',
    file: 'slots.ts',
    find: 'return countMissing <= 0 ||',
    replace: 'return countMissing <= 1 ||',
  },
  {
    name: 'memory is refused while slots are free',
    file: 'slots.ts',
    find: 'L.NOBODY && countMissing > 0;',
    replace: 'L.NOBODY && countMissing > 1;',
  },
  {
    name: 'slots that are forgotten can still be taken',
    file: 'slots.ts',
    find: 'w[L.FREE] = L.NOBODY;',
    replace: '',
  },
  {
    name: 'growing memory forgets its last words',
    file: 'memory.ts',
    find: 'words.set(this.words.subarray(0, Math.min(wordCount, this.words.length)));',
    replace: 'words.set(this.words.subarray(0, Math.min(wordCount, this.words.length) - 8));',
  },
  {
    name: 'a triggered link is not saved',
    file: 'queue.ts',
    find: '    save(w, link);\n    w[link | L.FLAGS] = flags | L.LINK_TRIGGERED;',
    replace: '    w[link | L.FLAGS] = flags | L.LINK_TRIGGERED;',
  },
  {
    name: 'a queue that grows is not saved',
    file: 'core.ts',
    find: 'if (w[L.JOURNAL] !== 0) saveEnds(w, refs, count);',
    replace: '',
  },
  {
    name: 'the last in a queue is not saved as another comes',
    file: 'queue.ts',
    find: 'if (tail !== L.NOBODY) save(w, tail);',
    replace: '',
  },
  {
    name: 'a set that counts down is not saved',
    file: 'granted.ts',
    find: '  save(w, set);\n',
    replace: '',
  },
  {
    name: 'a set that ends is not saved',
    file: 'ending.ts',
    find: '  save(w, set);\n  w[set | L.FLAGS] = 0;\n  free(w, set, last);',
    replace: '  w[set | L.FLAGS] = 0;\n  free(w, set, last);',
  },
  {
    name: 'what is given back is not saved',
    file: 'slots.ts',
    find: '  save(w, last);\n',
    replace: '',
  },
  {
    name: 'what is taken from the free list is not saved',
    file: 'slots.ts',
    find: 'if (w[L.JOURNAL] !== 0) saveFree(w, count);',
    replace: '',
  },
  {
    name: 'a queue that shrinks is not saved',
    file: 'ending.ts',
    find: '  save(w, resource);\n  let flags = w[resource | L.FLAGS];',
    replace: '  let flags = w[resource | L.FLAGS];',
  },
  {
    name: 'the neighbour of a watch that ends is not saved',
    file: 'watches.ts',
    find: '  save(w, previous);\n  save(w, next);',
    replace: '  save(w, previous);',
  },
  {
    name: 'a set that is robbed is not saved',
    file: 'core.ts',
    find: '    save(w, link);\n    save(w, set);',
    replace: '    save(w, link);',
  },
  {
    name: 'the keeper of an edge is not saved',
    file: 'edges.ts',
    find: '  save(w, holder);\n',
    replace: '',
  },
  {
    name: 'undoing goes on from the oldest record',
    file: 'journal.ts',
    find: 'for (let at = w[L.JOURNAL] - recordWords; at >= first; at -= recordWords) {',
    replace: 'for (let at = first; at < w[L.JOURNAL]; at += recordWords) {',
  },
  {
    name: 'a slot is saved again in one operation',
    file: 'journal.ts',
    find: 'if (w[stamp] === operation) return;',
    replace: '',
  },
  {
    name: 'sets that end together give tokens after each',
    file: 'core.ts',
    find: 'for (const set of latestFirst) end(w, d, set, died);',
    replace: 'for (const set of latestFirst) this.remove(set, died);',
  },
  {
    name: 'sets that end together end in the order that they are named in',
    file: 'core.ts',
    find: 'for (const set of latestFirst) end(w, d, set, died);',
    replace: 'for (const set of sets) this.remove(set, died);',
  },
];
