/**
 * The state machine: enqueue, remove, weaken in; "these are now granted" out.
 *
 *     A set is granted exactly when no live set that arrived earlier conflicts with it.
 *
 * It reads no clock, does no I/O and calls nobody. All of its state is in the words of a Memory, so
 * anything that orders the calls (one event loop, a lock in shared memory, a broker) is a backend.
 *
 * Each operation fills three lists, which the backend empties: sets newly granted, in arrival order
 * (I6); sets whose grant was taken back, or that are refused; resources that fell idle. Several
 * operations may come before that, as parts of one of the backend's.
 * The rule itself is in queue.ts; every operation here that changes a queue ends in it (I2).
 */

import { countAnnexesMissing, freeAnnex } from './annex.ts';
import { createSet, finishBuilding, passLocked, unitsAt } from './building.ts';
import { dropAsserted, findExceeding, isDeclared, putCapacity } from './capacity.ts';
import { declaredFor, findCycle, type KeptFor } from './cycle.ts';
import { declareEdge } from './edges.ts';
import { end } from './ending.ts';
import { giveTokens, tick } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import type { Memory } from './memory.ts';
import {
  countSlots,
  forgetNumbers,
  meter,
  type NumberRange,
  numberRanges,
  stealNumbers,
} from './numbers.ts';
import { addObservation } from './observations.ts';
import { choose, downgrade, removeChosen, tryUpgrade, type UnitsFor } from './parts.ts';
import { advance, append, putFirst, saveEnds } from './queue.ts';
import { addLost, clearLost, revoke } from './revoking.ts';
import { capacityOf, isMetered, unitsOf } from './rule.ts';
import { allocate, free, type Refs, reserve, reset } from './slots.ts';

/** Bits of {@link Core.enqueue}: asked for by a synchronous caller. */
export const SYNC = L.SET_SYNC;
/** Do not wait for resources that a synchronous caller holds or has queued on. */
export const PASS_LOCKED = 1;

/** Bits of {@link Core.state}. */
export const GRANTED = L.SET_GRANTED;
/** Some resources may have the recovered flag, or some links be {@link Core.isIgnored}. */
export const HAS_DETAILS = L.SET_HAS_DETAILS;

/** What neither waits nor is held. */
const notSets = L.SET_OBSERVER | L.SET_LOST;
const smallIntegerMax = 2 ** 31 - 1;

export class Core {
  readonly memory: Memory;

  /** On memory that is all zero, or that another Core has laid out. */
  constructor(memory: Memory) {
    this.memory = memory;
    if (memory.words[L.TOP] === 0) memory.words[L.TOP] = L.HEADER_WORDS;
  }

  /** The same state in memory of its own, which can be read while this one goes on. */
  copy(): Core {
    return new Core(this.memory.copy(this.memory.words[L.TOP]));
  }

  /** A new resource that nobody uses, or 0 if memory is at its end. */
  createResource(userData: number): number {
    if (!reserve(this.memory, 1)) return L.NOBODY;
    const w = this.memory.words;
    const resource = allocate(w);
    w[resource | L.FLAGS] = L.RESOURCE;
    w[resource | L.RESOURCE_HEAD] = L.NOBODY;
    w[resource | L.RESOURCE_TAIL] = L.NOBODY;
    w[resource | L.RESOURCE_FRONTIER] = L.NOBODY;
    w[resource | L.RESOURCE_USER_DATA] = userData;
    w[resource | L.RESOURCE_USED] = 0;
    w[resource | L.RESOURCE_ANNEX] = L.NOBODY;
    return resource;
  }

  /**
   * Declares how many units a resource has, from 1 to ALL, or changes that. No grant is taken back,
   * but waiting sets that want more units are refused: {@link takeLost} has them, not granted.
   * O(queue). False if memory is at its end.
   */
  setCapacity(resource: number, capacity: number): boolean {
    if (!this.#reserveAnnex(resource)) return false;
    const { words: w, doubles: d } = this.memory;
    putCapacity(w, resource, capacity, false);
    // All that end are known before one ends: it must not grant another one of them. The latest
    // ends first, as a set is in the way of later ones only.
    for (const set of findExceeding(w, resource, capacity).reverse()) {
      addLost(w, set);
      clearLost(w, d, set, false);
    }
    advance(w, d, resource);
    giveTokens(w, d);
    return true;
  }

  /**
   * Declares the capacity of an unused resource that has none for as long as it is in use: until
   * its queue runs empty, or {@link dropAsserted}. False if memory is at its end.
   */
  assertCapacity(resource: number, capacity: number): boolean {
    assert(!this.isUsed(resource) && !this.isMetered(resource), 'assertions do not resize');
    if (!this.#reserveAnnex(resource)) return false;
    putCapacity(this.memory.words, resource, capacity, true);
    return true;
  }

  #reserveAnnex(resource: number): boolean {
    return reserve(this.memory, this.slotsOfCapacity(resource));
  }

  /** How many slots a capacity of a resource takes: an annex, and the range of all numbers. */
  slotsOfCapacity(resource: number): number {
    const isNew = !this.isMetered(resource);
    return countAnnexesMissing(this.memory.words, [resource], 1) + (isNew ? 1 : 0);
  }

  /** How many slots more than one and one for each resource a set of these takes. */
  slotsOfNumbers(refs: Refs, count: number): number {
    return countSlots(this.memory.words, refs, count);
  }

  /** Forgets an asserted capacity of a resource that has not come into use after all. */
  dropAsserted(resource: number): void {
    if (!this.isUsed(resource)) dropAsserted(this.memory.words, resource);
  }

  /** Whether a capacity is in force, declared or asserted. */
  isMetered(resource: number): boolean {
    return isMetered(this.memory.words, resource);
  }

  /** Whether a capacity is in force that lasts while the resource is unused. */
  isDeclared(resource: number): boolean {
    return isDeclared(this.memory.words, resource);
  }

  /** The units of a resource: its capacity, or ALL. */
  capacity(resource: number): number {
    return capacityOf(this.memory.words, resource);
  }

  /** Ends a resource that nobody uses. Its recovered flag is lost. */
  destroyResource(resource: number): void {
    const w = this.memory.words;
    const flags = w[resource | L.FLAGS];
    assert((flags & L.KIND) === L.RESOURCE && !this.isUsed(resource), 'only idle resources end');
    if ((flags & L.RESOURCE_RECOVERED) !== 0) w[L.RECOVERED_COUNT]--;
    if (w[resource | L.RESOURCE_ANNEX] !== L.NOBODY) {
      forgetNumbers(w, w[resource | L.RESOURCE_ANNEX]);
      freeAnnex(w, resource);
    }
    save(w, resource);
    w[resource | L.FLAGS] = 0;
    free(w, resource, resource);
  }

  /**
   * A set arrives: all of its links are queued at this moment (I1). Returns it, granted or
   * waiting ({@link isGranted}), or 0 if memory is at its end, and then nothing has happened. The
   * first `exclusiveCount` of the `count` resources are wanted exclusive, the others shared; or
   * `units` has the units of each, from ALL down to 1, each ALL or within its capacity. A resource
   * named again counts once, as it was named first: so exclusive, or the greater number of units,
   * wins. `grantedAt` is as of {@link setGrantedAt}.
   */
  enqueue(
    refs: Refs,
    exclusiveCount: number,
    count: number,
    bits: number,
    userData: number,
    grantedAt: number,
    units?: Refs,
  ): number {
    const numberSlots = countSlots(this.memory.words, refs, count);
    if (!reserve(this.memory, 1 + count + numberSlots)) return L.NOBODY;
    const w = this.memory.words;
    const d = this.memory.doubles;
    if (w[L.JOURNAL] !== 0) saveEnds(w, refs, count);
    const arrival = tick(d);
    const set = createSet(w, L.SET | (bits & SYNC), userData);
    w[set | L.SET_GRANTED_AT] = grantedAt;
    let last = set;
    let pending = 0;
    for (let index = 0; index < count; index++) {
      const resource = refs[index] as number;
      const tail = w[resource | L.RESOURCE_TAIL];
      if (tail !== L.NOBODY && w[tail | L.LINK_SET] === set) continue;
      const link = allocate(w);
      d[(link | L.LINK_ARRIVAL) >> 1] = arrival;
      w[last | L.CHAIN] = link;
      last = link;
      const taken = unitsAt(index, exclusiveCount, units);
      let isPending = !append(w, resource, set, link, tail, taken);
      if (numberSlots > 0 && isMetered(w, resource)) meter(w, link);
      if ((bits & PASS_LOCKED) !== 0 && isPending) isPending = !passLocked(w, set, resource, link);
      if ((bits & SYNC) !== 0) w[resource | L.FLAGS] += L.RESOURCE_SYNC_ONE;
      if (isPending) pending++;
    }
    w[last | L.CHAIN] = L.NOBODY;
    finishBuilding(w, d, set, pending, arrival);
    return set;
  }

  /**
   * A set arrives as if it had come first, with exclusive links only: grants that conflict are
   * lost, and it is granted at once. Returns it, or 0 if memory is at its end.
   */
  steal(refs: Refs, count: number, bits: number, userData: number): number {
    if (!reserve(this.memory, 1 + count)) return L.NOBODY;
    const w = this.memory.words;
    const d = this.memory.doubles;
    const arrival = --d[L.STEALS >> 1];
    const set = createSet(w, L.SET | (bits & SYNC), userData);
    let last = set;
    for (let index = 0; index < count; index++) {
      const resource = refs[index] as number;
      const head = w[resource | L.RESOURCE_HEAD];
      if (head !== L.NOBODY && w[head | L.LINK_SET] === set) continue;
      revoke(w, resource);
      const link = putFirst(w, resource, set);
      d[(link | L.LINK_ARRIVAL) >> 1] = arrival;
      w[last | L.CHAIN] = link;
      last = link;
      if ((bits & SYNC) !== 0) w[resource | L.FLAGS] += L.RESOURCE_SYNC_ONE;
    }
    w[last | L.CHAIN] = L.NOBODY;
    finishBuilding(w, d, set, 0, tick(d));
    for (let lost = w[L.LOST_FIRST]; lost !== L.NOBODY; lost = w[lost | L.SET_AFTER]) {
      clearLost(w, d, lost, true);
    }
    for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      if (isMetered(w, w[link | L.LINK_RESOURCE])) stealNumbers(w, link);
    }
    if (w[L.RECOVERED_COUNT] !== 0) w[set | L.FLAGS] |= L.SET_HAS_DETAILS;
    giveTokens(w, d);
    return set;
  }

  /**
   * Observes what conflicts with these resources *now* until it is gone; blocks nobody. Returns
   * an observer: a set that holds nothing and is granted when that is so (perhaps at once), to be
   * removed like any; or 0 if memory is at its end.
   */
  observe(
    refs: Refs,
    exclusiveCount: number,
    count: number,
    userData: number,
    units?: Refs,
  ): number {
    const countMissing = countAnnexesMissing(this.memory.words, refs, count);
    if (!reserve(this.memory, 1 + count + countMissing)) return L.NOBODY;
    const w = this.memory.words;
    const d = this.memory.doubles;
    const arrival = tick(d);
    const set = createSet(w, L.SET | L.SET_OBSERVER, userData);
    let last = set;
    let pending = 0;
    for (let index = 0; index < count; index++) {
      const taken = unitsAt(index, exclusiveCount, units);
      const entry = addObservation(w, refs[index] as number, set, taken);
      if (entry === L.NOBODY) continue;
      d[(entry | L.LINK_ARRIVAL) >> 1] = arrival;
      w[last | L.CHAIN] = entry;
      last = entry;
      pending++;
    }
    w[last | L.CHAIN] = L.NOBODY;
    finishBuilding(w, d, set, pending, arrival);
    return set;
  }

  /**
   * A set ends: release, cancel, time-out and loss are all this. If its holder `died`, what it held
   * exclusive is flagged as recovered; otherwise such a flag is cleared.
   */
  remove(set: number, died: boolean): void {
    const { words: w, doubles: d } = this.memory;
    if ((w[set | L.FLAGS] & L.KIND) !== L.SET) throw broken('only live sets end');
    end(w, d, set, died);
    if (w[L.GRANTED_FIRST] !== L.NOBODY) giveTokens(w, d);
  }

  /**
   * Sets end at one moment, in one operation: none of them is granted as another one goes, and the
   * sets that are granted get their tokens in one arrival order (I6). Each is named once.
   */
  removeAll(sets: readonly number[], died: boolean): void {
    const { words: w, doubles: d } = this.memory;
    if (sets.some((set) => (w[set | L.FLAGS] & L.KIND) !== L.SET)) {
      throw broken('only live sets end');
    }
    // The latest first: a set is in the way of later ones only.
    const latestFirst = [...sets].sort((one, other) => this.arrival(other) - this.arrival(one));
    for (const set of latestFirst) end(w, d, set, died);
    if (w[L.GRANTED_FIRST] !== L.NOBODY) giveTokens(w, d);
  }

  /** Frees a set that {@link takeLost} has reported. */
  forget(set: number): void {
    const w = this.memory.words;
    assert((w[set | L.FLAGS] & L.SET_LOST) !== 0, 'only lost sets are forgotten');
    save(w, set);
    w[set | L.FLAGS] = 0;
    free(w, set, set);
  }

  /**
   * Links of a granted set become shared, or take this many units of each resource, at most as many
   * as before: all links, or those that {@link choose} chose. False if memory is at its end, which
   * only numbers of units need.
   */
  downgrade(set: number, chosenOnly: boolean, unitsFor: UnitsFor = () => 1): boolean {
    return downgrade(this.memory, set, chosenOnly, unitsFor);
  }

  /**
   * Links of a granted set become exclusive, all of them or those that {@link choose} chose, if on
   * each resource no other link is triggered and no other set holds it; otherwise none does, and
   * this is false.
   */
  tryUpgrade(set: number, chosenOnly: boolean): boolean {
    return tryUpgrade(this.memory.words, set, chosenOnly);
  }

  /** Ends the links of a granted set that {@link choose} chose. The set lives on, even if empty. */
  removeChosen(set: number): void {
    removeChosen(this.memory, set);
  }

  /** Chooses a part of a set for the next operation; false, and no choice, if it has not all. */
  choose(set: number, refs: Refs, count: number): boolean {
    return choose(this.memory.words, set, refs, count);
  }

  /**
   * Declares that the caller of a waiting set keeps these grants while it waits. Returns the cycle
   * that this closes, as sets of which each waits for, or is kept by, the next (and then the caller
   * removes the set); empty without a cycle; undefined if memory is at its end.
   */
  declareHolding(set: number, held: Refs): readonly number[] | undefined {
    if (!reserve(this.memory, held.length)) return undefined;
    const w = this.memory.words;
    for (let index = 0; index < held.length; index++) declareEdge(w, set, held[index] as number);
    return this.findCycle(set, (kept) => declaredFor(w, kept));
  }

  /** The cycle that a waiting set is part of, if there is one: see {@link declareHolding}. */
  findCycle(set: number, keptFor: KeptFor): readonly number[] {
    return findCycle(this.memory.words, set, keptFor);
  }

  /** Forgets all slots, once no resource and no set exists any more. */
  reset(): void {
    reset(this.memory);
  }

  /** The first of these resources that a synchronous caller holds or has queued on, or 0. */
  firstLocked(refs: Refs, count: number): number {
    for (let index = 0; index < count; index++) {
      const resource = refs[index] as number;
      if (this.memory.words[resource | L.FLAGS] >>> L.RESOURCE_SYNC_SHIFT !== 0) return resource;
    }
    return L.NOBODY;
  }

  /** The next set newly granted, in arrival order, or 0. */
  takeGranted(): number {
    const w = this.memory.words;
    const set = w[L.GRANTED_FIRST];
    if (set === L.NOBODY) return set;
    const after = w[set | L.SET_AFTER];
    w[L.GRANTED_FIRST] = after;
    if (after === L.NOBODY) w[L.GRANTED_LAST] = L.NOBODY;
    return set;
  }

  /**
   * The next set whose grant was taken back, or that was refused as the capacity fell (and is not
   * granted), or 0. The backend calls {@link forget} on it.
   */
  takeLost(): number {
    const w = this.memory.words;
    const set = w[L.LOST_FIRST];
    if (set !== L.NOBODY) w[L.LOST_FIRST] = w[set | L.SET_AFTER];
    return set;
  }

  /** The next resource that fell idle, or 0. The backend may destroy it or keep it. */
  takeIdle(): number {
    const w = this.memory.words;
    const resource = w[L.IDLE_FIRST];
    if (resource !== L.NOBODY) w[L.IDLE_FIRST] = w[resource | L.CHAIN];
    return resource;
  }

  /** Whether there is anything to take from these lists. */
  get hasNotifications(): boolean {
    const w = this.memory.words;
    return (w[L.GRANTED_FIRST] | w[L.LOST_FIRST] | w[L.IDLE_FIRST]) !== 0;
  }

  /** Whether the backend keeps a resource when it falls idle; then that is not reported. */
  keep(resource: number, isKept: boolean): void {
    const w = this.memory.words;
    save(w, resource);
    if (isKept) w[resource | L.FLAGS] |= L.RESOURCE_KEPT;
    else w[resource | L.FLAGS] &= ~L.RESOURCE_KEPT;
  }

  /** Whether a set is GRANTED, and whether it is HAS_DETAILS. */
  state(set: number): number {
    return this.memory.words[set | L.FLAGS] & (GRANTED | HAS_DETAILS);
  }

  isGranted(set: number): boolean {
    return (this.memory.words[set | L.FLAGS] & L.SET_GRANTED) !== 0;
  }

  isRecovered(resource: number): boolean {
    return (this.memory.words[resource | L.FLAGS] & L.RESOURCE_RECOVERED) !== 0;
  }

  /** Whether any set holds it or waits for it. */
  isUsed(resource: number): boolean {
    return this.memory.words[resource | L.RESOURCE_HEAD] !== L.NOBODY;
  }

  /** Whether the link's set goes without it: it was passed over, and is still not triggered. */
  isIgnored(link: number): boolean {
    const flags = this.memory.words[link | L.FLAGS];
    return (flags & (L.LINK_IGNORED | L.LINK_TRIGGERED)) === L.LINK_IGNORED;
  }

  isObserver(set: number): boolean {
    return (this.memory.words[set | L.FLAGS] & L.SET_OBSERVER) !== 0;
  }

  /** The units that a link takes: 1 if it is shared, ALL if it is exclusive. */
  units(link: number): number {
    return unitsOf(this.memory.words, link);
  }

  /** Numbers of the units of a granted link, ascending; none if its resource had no capacity. */
  ranges(link: number): readonly NumberRange[] {
    return numberRanges(this.memory.words, link);
  }

  isExclusive(link: number): boolean {
    return unitsOf(this.memory.words, link) === L.ALL;
  }

  isTriggered(link: number): boolean {
    return (this.memory.words[link | L.FLAGS] & L.LINK_TRIGGERED) !== 0;
  }

  /** Sets the backend's time of a set that is in no list. The grant of the set overwrites it. */
  setGrantedAt(set: number, grantedAt: number): void {
    const w = this.memory.words;
    save(w, set);
    w[set | L.SET_GRANTED_AT] = grantedAt;
  }

  /** Of a granted set: grows with every grant. */
  token(set: number): number {
    const token = this.memory.doubles[(set | L.SET_STAMP) >> 1];
    // As a small integer where it is one: an object that keeps it then needs no box for it.
    return token <= smallIntegerMax ? token | 0 : token;
  }

  /** Whether the grant with this token, once of this set, is still held. */
  isHeld(set: number, token: number): boolean {
    const { words: w, doubles: d } = this.memory;
    const isGranted = (w[set | L.FLAGS] & (L.KIND | L.SET_GRANTED)) === (L.SET | L.SET_GRANTED);
    return isGranted && d[(set | L.SET_STAMP) >> 1] === token;
  }

  /** Every set that waits or is held (in these words), in no order. O(words): for snapshots. */
  sets(from?: number, end?: number): readonly number[] {
    const w = this.memory.words;
    return this.allSets(from, end).filter((set) => (w[set | L.FLAGS] & notSets) === 0);
  }

  /** Every resource (in these words) that has a capacity, in no order. */
  meteredResources(from: number, end: number): readonly number[] {
    const w = this.memory.words;
    const resources: number[] = [];
    for (let slot = Math.max(from, L.HEADER_WORDS); slot < end; slot += L.SLOT_WORDS) {
      if ((w[slot | L.FLAGS] & L.KIND) === L.RESOURCE && isMetered(w, slot)) resources.push(slot);
    }
    return resources;
  }

  /** And every observer, and what was taken away and is not forgotten. */
  allSets(from = 0, end = this.memory.words[L.TOP]): readonly number[] {
    const w = this.memory.words;
    const sets: number[] = [];
    for (let slot = Math.max(from, L.HEADER_WORDS); slot < end; slot += L.SLOT_WORDS) {
      if ((w[slot | L.FLAGS] & L.KIND) === L.SET) sets.push(slot);
    }
    return sets;
  }

  /** Unique for ever; negative for a set that stole. An empty set has its token. */
  arrival(set: number): number {
    const link = this.firstLink(set);
    return this.memory.doubles[
      (link === L.NOBODY ? set | L.SET_STAMP : link | L.LINK_ARRIVAL) >> 1
    ];
  }

  userData(set: number): number {
    return this.memory.words[set | L.SET_USER_DATA];
  }

  setUserData(set: number, userData: number): void {
    const w = this.memory.words;
    save(w, set);
    w[set | L.SET_USER_DATA] = userData;
  }

  /** The backend's time; it means nothing until the set is granted and taken. */
  grantedAt(set: number): number {
    return this.memory.words[set | L.SET_GRANTED_AT];
  }

  resourceUserData(resource: number): number {
    return this.memory.words[resource | L.RESOURCE_USER_DATA];
  }

  setResourceUserData(resource: number, userData: number): void {
    const w = this.memory.words;
    save(w, resource);
    w[resource | L.RESOURCE_USER_DATA] = userData;
  }

  /** Of a declared capacity; 0 for none. */
  capacityUserData(resource: number): number {
    const w = this.memory.words;
    const annex = w[resource | L.RESOURCE_ANNEX];
    return annex === L.NOBODY ? 0 : w[annex | L.ANNEX_USER_DATA];
  }

  /** The resource has a declared capacity. The backend frees what this leads to before it ends. */
  setCapacityUserData(resource: number, userData: number): void {
    const w = this.memory.words;
    const annex = w[resource | L.RESOURCE_ANNEX];
    save(w, annex);
    w[annex | L.ANNEX_USER_DATA] = userData;
  }

  /** The first link of a set, or 0; {@link nextLink} leads on, in the order they were named. */
  firstLink(set: number): number {
    return this.memory.words[set | L.CHAIN];
  }

  nextLink(link: number): number {
    return this.memory.words[link | L.CHAIN];
  }

  resourceOf(link: number): number {
    return this.memory.words[link | L.LINK_RESOURCE];
  }

  setOf(link: number): number {
    return this.memory.words[link | L.LINK_SET];
  }

  /** The oldest link in the queue of a resource, or 0; {@link nextInQueue} leads on. */
  firstInQueue(resource: number): number {
    return this.memory.words[resource | L.RESOURCE_HEAD];
  }

  /** The one ahead in the queue, or 0. */
  previousInQueue(link: number): number {
    return this.memory.words[link | L.LINK_PREVIOUS];
  }

  nextInQueue(link: number): number {
    return this.memory.words[link | L.LINK_NEXT];
  }
}

function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw broken(what);
}

function broken(what: string): Error {
  return new Error(`kds core broke its own rule: ${what}`);
}
