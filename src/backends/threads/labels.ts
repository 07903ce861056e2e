/**
 * What core keeps of a set for this backend, in the set's userData: its agent, and its labels.
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

/** The userData of a set without labels. */
export function userDataOf(agent: number): number {
  return -1 - agent;
}

/** The userData of a set with these labels, in slots that have been reserved. */
export function writeLabels(
  w: Int32Array,
  agent: number,
  label: string | undefined,
  session: string | undefined,
): number {
  if (label === undefined && session === undefined) return userDataOf(agent);
  const slot = allocate(w);
  w[slot | L.FLAGS] = L.BACKEND;
  w[slot | L.CHAIN] = L.NOBODY;
  w[slot | AGENT] = agent;
  w[slot | LABEL] = label === undefined ? L.NOBODY : writeText(w, label);
  w[slot | SESSION] = session === undefined ? L.NOBODY : writeText(w, session);
  return slot;
}

export function agentOf(w: Int32Array, userData: number): number {
  return userData < 0 ? -1 - userData : w[userData | AGENT];
}

export function labelIn(w: Int32Array, userData: number): string | undefined {
  return userData < 0 ? undefined : textAt(w, w[userData | LABEL]);
}

export function sessionIn(w: Int32Array, userData: number): string | undefined {
  return userData < 0 ? undefined : textAt(w, w[userData | SESSION]);
}

export function freeLabels(w: Int32Array, userData: number): void {
  if (userData < 0) return;
  for (const text of [w[userData | LABEL], w[userData | SESSION]]) {
    if (text !== L.NOBODY) freeText(w, text);
  }
  free(w, userData, userData);
}

function slotsOf(text: string | undefined): number {
  return text === undefined ? 0 : slotsOfText(text);
}

function textAt(w: Int32Array, first: number): string | undefined {
  return first === L.NOBODY ? undefined : readText(w, first);
}
