/** Takes a snapshot of a local domain: a copy of its state, whose entries may be made in slices. */

import type { LocalReader } from '../report/core-reader.ts';
import { entriesOf } from '../report/snapshot-entries.ts';

/** The operations that a snapshot uses. */
interface SnapshotSource {
  readonly reader: LocalReader;
  begin(): void;
  commit(): void;
}

/** The copy is of this moment; the generator makes the entries from it. */
export function takeSnapshot(source: SnapshotSource): ReturnType<typeof entriesOf> {
  source.begin();
  const copy = source.reader.copy();
  source.commit();
  return entriesOf(copy, (entry, set) => {
    const owner = copy.ownerOf?.(set);
    return owner === undefined ? entry : { ...entry, owner };
  });
}
