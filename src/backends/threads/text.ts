/** Strings in slots: a chain, two code units a word. The first slot begins with the length. */

import * as L from '../../core/layout.ts';
import { allocate, free } from '../../core/slots.ts';

const LENGTH = 2;
/** Words of a slot that hold text. */
const firstWord = 2;
const lastWord = L.SLOT_WORDS - 1;
const unitsPerSlot = (L.SLOT_WORDS - firstWord) * 2;

/** How many slots a string takes. */
export function slotsOfText(text: string): number {
  return Math.floor((text.length + 2) / unitsPerSlot) + 1;
}

/** Writes a string to slots that have been reserved. Returns the first. */
export function writeText(w: Int32Array, text: string): number {
  const first = allocateText(w);
  w[first | LENGTH] = text.length;
  let slot = first;
  let word = LENGTH;
  for (let index = 0; index < text.length; index += 2) {
    if (word === lastWord) {
      const next = allocateText(w);
      w[slot | L.CHAIN] = next;
      slot = next;
      word = firstWord - 1;
    }
    word++;
    w[slot | word] = text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16);
  }
  return first;
}

export function readText(w: Int32Array, first: number): string {
  const length = w[first | LENGTH];
  let text = '';
  walkText(w, first, (pair, index) => {
    text += String.fromCharCode(pair & 0xffff);
    if (index + 1 < length) text += String.fromCharCode(pair >>> 16);
    return true;
  });
  return text;
}

export function isText(w: Int32Array, first: number, text: string): boolean {
  if (w[first | LENGTH] !== text.length) return false;
  return walkText(w, first, (pair, index) => {
    return pair === (text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16));
  });
}

export function freeText(w: Int32Array, first: number): void {
  let last = first;
  while (w[last | L.CHAIN] !== L.NOBODY) last = w[last | L.CHAIN];
  free(w, first, last);
}

function allocateText(w: Int32Array): number {
  const slot = allocate(w);
  w[slot | L.FLAGS] = L.BACKEND;
  w[slot | L.CHAIN] = L.NOBODY;
  return slot;
}

/** Each pair of code units with the index of its first, until `visit` returns false. */
function walkText(
  w: Int32Array,
  first: number,
  visit: (pair: number, index: number) => boolean,
): boolean {
  const length = w[first | LENGTH];
  let slot = first;
  let word = LENGTH;
  for (let index = 0; index < length; index += 2) {
    if (word === lastWord) {
      slot = w[slot | L.CHAIN];
      word = firstWord - 1;
    }
    word++;
    if (!visit(w[slot | word], index)) return false;
  }
  return true;
}
