/**
 * Whether an arena at rest is in order, and to whom each slot belongs: what findFaults of core
 * cannot know, since names, labels and inboxes are the host's own. Their layout is written here
 * once more on purpose.
 */

import { stateOf } from '../../../src/backends/threads/agents.ts';
import { type Arena, ArenaMemory, controlOf } from '../../../src/backends/threads/arena.ts';
import * as C from '../../../src/backends/threads/control.ts';
import { findName, hashOf, keyOf } from '../../../src/backends/threads/names.ts';
import * as R from '../../../src/backends/threads/root.ts';
import { readText } from '../../../src/backends/threads/text.ts';
import { findFaults } from '../../../src/core/index.ts';
import * as L from '../../../src/core/layout.ts';

const INBOX_FIRST = 2;
const INBOX_LAST = 3;
const SET_NEXT = L.SET_PENDING;
const NODE_RESOURCE = 2;
const NODE_CHILD = 4;
const LABELS_AGENT = 2;
const LABELS_TEXTS = [3, 4];
const ANNEX_UNIT_NAMES = 7;

/** What is wrong, a line each. Nobody may be at work in the arena. */
export function findArenaFaults(arena: Arena): readonly string[] {
  return new Inspection(arena).faults;
}

/** How many sets there are, waiting, held, or not heard of. */
export function setCountOf(arena: Arena): number {
  const { words } = new ArenaMemory(controlOf(arena));
  let count = 0;
  for (let slot = L.HEADER_WORDS; slot < words[L.TOP]!; slot += L.SLOT_WORDS) {
    if ((words[slot | L.FLAGS]! & L.KIND) === L.SET) count++;
  }
  return count;
}

class Inspection {
  readonly faults: string[];
  readonly #control: Int32Array;
  readonly #w: Int32Array;
  /** Whose the host's slots are. */
  readonly #owners = new Map<number, string>();

  constructor(arena: Arena) {
    this.#control = controlOf(arena);
    const memory = new ArenaMemory(this.#control);
    this.#w = memory.words;
    this.faults = [...findFaults(memory)];
    this.#inspect();
  }

  #inspect(): void {
    const { faults } = this;
    if (this.#control[C.LOCK] !== 0) faults.push('the lock is taken');
    if (this.#w[L.JOURNAL] !== 0) faults.push('the journal is open');
    this.#claim(R.ROOT, 'the root');
    this.#inspectNames();
    this.#inspectAgents();
    this.#inspectSets();
    for (const slot of this.#slotsOfKind(L.BACKEND)) {
      if (!this.#owners.has(slot)) faults.push(`the host's slot ${slot} is leaked`);
    }
  }

  #inspectNames(): void {
    const { faults } = this;
    const w = this.#w;
    const named = new Set<number>();
    const open = [w[R.ROOT | R.NAMES]!];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node === L.NOBODY) continue;
      if (!this.#claim(node, 'a name')) continue;
      this.#claimText(w[node | L.CHAIN]!, 'the text of a name');
      const key = keyOf(w, node);
      const resource = w[node | NODE_RESOURCE]!;
      const isResource = (w[resource | L.FLAGS]! & L.KIND) === L.RESOURCE;
      if (!isResource) faults.push(`${key.text} names ${resource}, no resource`);
      else if (w[resource | L.RESOURCE_USER_DATA] !== node)
        faults.push(`${key.text} is named otherwise`);
      const found = findName(w, R.ROOT | R.NAMES, key, hashOf(key.text, this.#control[C.SEED]!));
      if (found !== resource) faults.push(`${key.text} is not found, but ${found} is`);
      if (named.has(resource)) faults.push(`${resource} has two names`);
      named.add(resource);
      for (let child = 0; child < 4; child++) open.push(w[node | (NODE_CHILD + child)]!);
    }
    const resources = this.#slotsOfKind(L.RESOURCE);
    for (const resource of resources) {
      this.#inspectUnitNames(resource);
      if (!named.has(resource)) faults.push(`the resource at ${resource} has no name`);
    }
    const count = w[R.ROOT | R.RESOURCE_COUNT];
    if (count !== resources.length) faults.push(`${count} resources counted`);
  }

  #inspectUnitNames(resource: number): void {
    const w = this.#w;
    const annex = w[resource | L.RESOURCE_ANNEX]!;
    const first = annex === L.NOBODY ? L.NOBODY : w[annex | ANNEX_UNIT_NAMES]!;
    if (first === L.NOBODY) return;
    this.#claimText(first, `the names of units of ${resource}`);
    const names = JSON.parse(readText(w, first));
    if (names.length !== w[annex | L.ANNEX_CAPACITY]) this.faults.push(`${names} are other units`);
  }

  #inspectAgents(): void {
    const { faults } = this;
    const control = this.#control;
    const w = this.#w;
    const posted = new Set<number>();
    for (let agent = 0; agent < control[C.AGENT_COUNT_MAX]!; agent++) {
      const state = stateOf(control, agent);
      const isDead = state !== C.FREE && state !== C.LIVE && state !== C.JOINING;
      if (isDead) faults.push(`agent ${agent} is in state ${state}`);
      const isClaimed = control[C.wordsOfAgent(agent) + C.THREAD] !== 0;
      if (isClaimed !== (state !== C.FREE)) faults.push(`agent ${agent} is claimed, or not`);
      const slot = R.inboxOf(agent);
      if (!this.#claim(slot, `the inbox of ${agent}`)) continue;
      let last = L.NOBODY;
      for (let set = w[slot | INBOX_FIRST]!; set !== L.NOBODY; set = w[set | SET_NEXT]!) {
        if (posted.has(set)) {
          faults.push(`${set} is in an inbox twice`);
          break;
        }
        posted.add(set);
        last = set;
        if ((w[set | L.FLAGS]! & L.SET_POSTED) === 0) faults.push(`${set} is posted unknowingly`);
        if (this.#agentOf(set) !== agent) faults.push(`${set} is in the inbox of ${agent}`);
      }
      if (w[slot | INBOX_LAST] !== last) faults.push(`the inbox of ${agent} ends elsewhere`);
      if (state === C.FREE && last !== L.NOBODY) faults.push(`free ${agent} has news`);
    }
    for (const set of this.#slotsOfKind(L.SET)) {
      const isPosted = (w[set | L.FLAGS]! & L.SET_POSTED) !== 0;
      if (isPosted && !posted.has(set)) faults.push(`${set} is posted, and in no inbox`);
    }
  }

  #inspectSets(): void {
    const w = this.#w;
    for (const set of this.#slotsOfKind(L.SET)) {
      const tag = w[set | L.SET_USER_DATA]!;
      if (tag >= 0 && this.#claim(tag, `the labels of ${set}`)) {
        for (const text of LABELS_TEXTS) {
          const first = w[tag | text]!;
          if (first !== L.NOBODY) this.#claimText(first, `a label of ${set}`);
        }
      }
      const agent = this.#agentOf(set);
      const state = stateOf(this.#control, agent);
      if (state !== C.LIVE) this.faults.push(`${set} belongs to ${agent}, in state ${state}`);
    }
  }

  #agentOf(set: number): number {
    const tag = this.#w[set | L.SET_USER_DATA]!;
    return tag < 0 ? -1 - tag : this.#w[tag | LABELS_AGENT]!;
  }

  /** Of slots that are in use. */
  #slotsOfKind(kind: number): readonly number[] {
    const w = this.#w;
    const isFree = new Set<number>();
    for (let slot = w[L.FREE]!; slot !== L.NOBODY && !isFree.has(slot); slot = w[slot | L.CHAIN]!) {
      isFree.add(slot);
    }
    const slots: number[] = [];
    for (let slot = L.HEADER_WORDS; slot < w[L.TOP]!; slot += L.SLOT_WORDS) {
      if (!isFree.has(slot) && (w[slot | L.FLAGS]! & L.KIND) === kind) slots.push(slot);
    }
    return slots;
  }

  #claimText(first: number, as: string): void {
    for (let slot = first; slot !== L.NOBODY; slot = this.#w[slot | L.CHAIN]!) {
      if (!this.#claim(slot, as)) return;
    }
  }

  #claim(slot: number, as: string): boolean {
    const isHosts = (this.#w[slot | L.FLAGS]! & L.KIND) === L.BACKEND;
    if (!isHosts) this.faults.push(`${as} at ${slot} is not the host's`);
    const owner = this.#owners.get(slot);
    if (owner !== undefined) this.faults.push(`${slot} is both ${owner} and ${as}`);
    this.#owners.set(slot, as);
    return isHosts && owner === undefined;
  }
}
