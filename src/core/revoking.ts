/** Sets that lose their grants, or are refused: they stay, without links, until forgotten. */

import { clear } from './ending.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { untrigger } from './queue.ts';
import { free } from './slots.ts';

/**
 * Before a stealing set takes the head of a queue: granted sets here are lost, links of waiting
 * ones are not triggered any more. Granted sets are among the triggered, but for links that their
 * set ignored: only where there may be such is the whole queue walked.
 */
export function revoke(w: Int32Array, resource: number): void {
  const isWholeQueue = (w[resource | L.FLAGS] & L.RESOURCE_IGNORED) !== 0;
  const end = isWholeQueue ? L.NOBODY : w[resource | L.RESOURCE_FRONTIER];
  for (let link = w[resource | L.RESOURCE_HEAD]; link !== end; link = w[link | L.LINK_NEXT]) {
    const set = w[link | L.LINK_SET];
    untrigger(w, link);
    const held = w[set | L.FLAGS] & (L.SET_GRANTED | L.SET_LOST);
    if (held === L.SET_GRANTED) addLost(w, set);
  }
}

export function addLost(w: Int32Array, set: number): void {
  save(w, set);
  w[set | L.FLAGS] |= L.SET_LOST;
  w[set | L.SET_AFTER] = w[L.LOST_FIRST];
  w[L.LOST_FIRST] = set;
}

/** Ends all that a lost set has; the set itself stays until it is forgotten. */
export function clearLost(w: Int32Array, d: Float64Array, set: number, died: boolean): void {
  const last = clear(w, d, set, died);
  if (last !== set) free(w, w[set | L.CHAIN], last);
  w[set | L.CHAIN] = L.NOBODY;
}
