/** Takes a snapshot of a local domain: a copy of its state, whose entries may be made in slices. */

import { entriesOf } from '../report/snapshot-entries.ts';
import type { Host } from './host.ts';

/** The copy is of this moment; the generator makes the entries from it. */
export function takeSnapshot(host: Host): ReturnType<typeof entriesOf> {
  host.enter();
  const copy = host.reader.copy();
  host.leave();
  return entriesOf(copy, copy.withOwner);
}
