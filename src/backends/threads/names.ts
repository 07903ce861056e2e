/**
 * Names in the arena: a search tree over the bits of their hashes, so that no table must grow.
 *
 * Each name is a node, and has four children. From the root, two bits of a name's hash at each step
 * choose the child to go to; the name is the first empty child. Where all bits are used up (names
 * with equal hashes) the path goes on by the first child. A node that ends is replaced by a leaf
 * from below it, which is right anywhere on its path. The hash is seeded: nobody can choose names
 * for it.
 */

import { save } from '../../core/journal.ts';
import * as L from '../../core/layout.ts';
import { allocate, free } from '../../core/slots.ts';
import { freeText, isText, readText, slotsOfText, writeText } from './text.ts';

// A node; its CHAIN is the text.
const RESOURCE = 2;
const HASH = 3;
const CHILD = 4;
/** Of FLAGS: a resource with a number in place of a name. */
const NAMELESS = 1 << 3;

const bitsPerStep = 2;

/** A name, or a number as a string that is in nobody's way. */
export interface Key {
  readonly text: string;
  readonly isNameless: boolean;
}

export function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return hash ^ (hash >>> 15);
}

/** How many slots {@link addName} takes. */
export function slotsOfName({ text }: Key): number {
  return 1 + slotsOfText(text);
}

/** The resource of a name, or 0. `rootAt` is the word that leads to the first node. */
export function findName(w: Int32Array, rootAt: number, key: Key, hash: number): number {
  let bits = hash;
  for (let node = w[rootAt]; node !== L.NOBODY; bits >>>= bitsPerStep) {
    if (w[node | HASH] === hash && isKey(w, node, key)) return w[node | RESOURCE];
    node = w[childOf(node, bits)];
  }
  return L.NOBODY;
}

/** Adds a name that is not there, in slots that have been reserved. Returns its node. */
export function addName(
  w: Int32Array,
  rootAt: number,
  key: Key,
  hash: number,
  resource: number,
): number {
  const node = allocate(w);
  w[node | L.FLAGS] = key.isNameless ? L.BACKEND | NAMELESS : L.BACKEND;
  w[node | L.CHAIN] = writeText(w, key.text);
  w[node | RESOURCE] = resource;
  w[node | HASH] = hash;
  for (let child = 0; child < 4; child++) w[node | (CHILD + child)] = L.NOBODY;
  let at = rootAt;
  for (let bits = hash; w[at] !== L.NOBODY; bits >>>= bitsPerStep) at = childOf(w[at], bits);
  save(w, at & ~(L.SLOT_WORDS - 1));
  w[at] = node;
  return node;
}

/** Ends a name and its text. */
export function removeName(w: Int32Array, rootAt: number, node: number): void {
  let at = rootAt;
  for (let bits = w[node | HASH]; w[at] !== node; bits >>>= bitsPerStep) {
    at = childOf(w[at], bits);
  }
  const leafAt = leafBelow(w, at);
  const leaf = w[leafAt];
  save(w, leafAt & ~(L.SLOT_WORDS - 1));
  w[leafAt] = L.NOBODY;
  if (leaf !== node) {
    save(w, leaf);
    for (let child = 0; child < 4; child++) {
      w[leaf | (CHILD + child)] = w[node | (CHILD + child)];
    }
    save(w, at & ~(L.SLOT_WORDS - 1));
    w[at] = leaf;
  }
  freeText(w, w[node | L.CHAIN]);
  free(w, node, node);
}

export function keyOf(w: Int32Array, node: number): Key {
  const isNameless = (w[node | L.FLAGS] & NAMELESS) !== 0;
  return { text: readText(w, w[node | L.CHAIN]), isNameless };
}

function isKey(w: Int32Array, node: number, key: Key): boolean {
  const isNameless = (w[node | L.FLAGS] & NAMELESS) !== 0;
  return isNameless === key.isNameless && isText(w, w[node | L.CHAIN], key.text);
}

/** The word that leads to the child for these bits. */
function childOf(node: number, bits: number): number {
  return node | (CHILD + (bits & 3));
}

/** The word that leads to some leaf at or below the node that the word at `from` leads to. */
function leafBelow(w: Int32Array, from: number): number {
  let at = from;
  for (;;) {
    const node = w[at];
    let next = L.NOBODY;
    for (let child = 0; child < 4; child++) {
      if (w[node | (CHILD + child)] !== L.NOBODY) next = node | (CHILD + child);
    }
    if (next === L.NOBODY) return at;
    at = next;
  }
}
