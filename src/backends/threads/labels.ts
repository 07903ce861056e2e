/**
 * What core keeps of a set for this host, in the set's tag: whose it is, and what it is called.
 *
 *     -1 - agent     an agent's, without labels
 *     a slot         an agent's, with a label of its own or of its session
 */

import * as L from '../../core/layout.ts';
import { allocate, free } from '../../core/slots.ts';
import { freeText, readText, slotsOfText, writeText } from './text.ts';

const AGENT = 2;
const LABEL = 3;
const SESSION = 4;

/** How many slots {@link writeLabels} takes. */
export function slotsOfLabels(label: string | undefined, session: string | undefined): number {
  if (label === undefined && session === undefined) return 0;
  return 1 + slotsOf(label) + slotsOf(session);
}

/** The tag of a set with these labels, in slots that have been reserved. */
export function writeLabels(
  w: Int32Array,
  agent: number,
  label: string | undefined,
  session: string | undefined,
): number {
  if (label === undefined && session === undefined) return -1 - agent;
  const slot = allocate(w);
  w[slot | L.FLAGS] = L.BACKEND;
  w[slot | L.CHAIN] = L.NOBODY;
  w[slot | AGENT] = agent;
  w[slot | LABEL] = label === undefined ? L.NOBODY : writeText(w, label);
  w[slot | SESSION] = session === undefined ? L.NOBODY : writeText(w, session);
  return slot;
}

export function agentOf(w: Int32Array, tag: number): number {
  return tag < 0 ? -1 - tag : w[tag | AGENT];
}

export function labelIn(w: Int32Array, tag: number): string | undefined {
  return tag < 0 ? undefined : textAt(w, w[tag | LABEL]);
}

export function sessionIn(w: Int32Array, tag: number): string | undefined {
  return tag < 0 ? undefined : textAt(w, w[tag | SESSION]);
}

export function freeLabels(w: Int32Array, tag: number): void {
  if (tag < 0) return;
  for (const text of [w[tag | LABEL], w[tag | SESSION]]) {
    if (text !== L.NOBODY) freeText(w, text);
  }
  free(w, tag, tag);
}

function slotsOf(text: string | undefined): number {
  return text === undefined ? 0 : slotsOfText(text);
}

function textAt(w: Int32Array, first: number): string | undefined {
  return first === L.NOBODY ? undefined : readText(w, first);
}
