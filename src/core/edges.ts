/**
 * Edges: "while this set waits, its caller keeps that grant". An edge is on the list of both. It
 * ends when the waiter is granted or gone, or the grant is.
 */

import { save } from './journal.ts';
import * as L from './layout.ts';
import { allocate, free } from './slots.ts';

export function declareEdge(w: Int32Array, waiter: number, held: number): void {
  const edge = allocate(w);
  w[edge | L.FLAGS] = L.EDGE;
  w[edge | L.EDGE_WAITER] = waiter;
  w[edge | L.EDGE_HELD] = held;
  linkEdge(w, edge, waiter, L.EDGE_NEXT_OF_WAITER, L.EDGE_PREVIOUS_OF_WAITER);
  linkEdge(w, edge, held, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
}

/** Ends the edges of `set`: those it declared, or those that name it. It has no numbers. */
export function dropEdges(w: Int32Array, set: number): void {
  let edge = w[set | L.SET_EDGES];
  while (edge !== L.NOBODY) {
    const isWaiter = w[edge | L.EDGE_WAITER] === set;
    const next = w[edge + (isWaiter ? L.EDGE_NEXT_OF_WAITER : L.EDGE_NEXT_OF_HELD)];
    unlinkEdge(w, edge, L.EDGE_WAITER, L.EDGE_NEXT_OF_WAITER, L.EDGE_PREVIOUS_OF_WAITER);
    unlinkEdge(w, edge, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
    free(w, edge, edge);
    edge = next;
  }
}

export function linkEdge(
  w: Int32Array,
  edge: number,
  end: number,
  next: number,
  previous: number,
): void {
  const first = w[end | L.SET_EDGES];
  w[edge | next] = first;
  w[edge | previous] = L.NOBODY;
  save(w, end);
  if (first !== L.NOBODY) {
    save(w, first);
    w[first | previous] = edge;
  }
  w[end | L.SET_EDGES] = edge;
}

export function unlinkEdge(
  w: Int32Array,
  edge: number,
  end: number,
  next: number,
  previous: number,
): void {
  const after = w[edge | next];
  const before = w[edge | previous];
  const holder = before === L.NOBODY ? w[edge | end] : before;
  save(w, holder);
  if (before === L.NOBODY) w[holder | L.SET_EDGES] = after;
  else w[before | next] = after;
  if (after === L.NOBODY) return;
  save(w, after);
  w[after | previous] = before;
}
