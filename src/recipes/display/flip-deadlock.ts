/**
 * Whether a flip waits for what the display shows, which the display lets go of only for that flip.
 *
 * `holding` says so to the domain where it is known as the flip is asked for. A flip that is asked
 * for earlier learns only later what is on the screen when its turn comes: then the snapshot tells.
 */

import { DeadlockError, type DeadlockStep } from '../../api/errors.ts';
import { labelLengthMax } from '../../api/limits.ts';
import type { Snapshot, SnapshotEntry } from '../../api/snapshot.ts';
import { quote } from '../../runtime/escape.ts';

/** The error if the request of that label waits for the grant of that token; else undefined. */
export function findCircle(
  { held, pending }: Snapshot,
  label: string,
  token: number,
): DeadlockError | undefined {
  const start = pending.find((entry) => entry.label === label);
  const kept = held.find((entry) => entry.token === token);
  if (start === undefined || kept === undefined) return undefined;
  const byId = new Map(pending.map((entry) => [entry.id, entry]));
  const cameFrom = new Map<number, SnapshotEntry>();
  const open = [start];
  for (let entry = open.shift(); entry !== undefined; entry = open.shift()) {
    for (const id of entry.waitingFor) {
      if (cameFrom.has(id) || id === start.id) continue;
      cameFrom.set(id, entry);
      if (id === kept.id) return errorOf(wayTo(kept, cameFrom));
      const next = byId.get(id);
      if (next !== undefined) open.push(next);
    }
  }
  return undefined;
}

function wayTo(
  end: SnapshotEntry,
  cameFrom: ReadonlyMap<number, SnapshotEntry>,
): readonly SnapshotEntry[] {
  const way = [end];
  for (let at = cameFrom.get(end.id); at !== undefined; at = cameFrom.get(at.id)) way.unshift(at);
  return way;
}

function errorOf(way: readonly SnapshotEntry[]): DeadlockError {
  const [flip] = way;
  const steps = way.map(({ id, label, set, token }): DeadlockStep => {
    return { id, label, set, isHeld: token !== undefined };
  });
  const told = way.slice(1).map((entry) => `for ${tell(entry)}`);
  return new DeadlockError(
    `${flip?.label} would never be shown: it waits ${told.join(', which waits ')}, which is on ` +
      'the screen until a later frame is. Draw into a buffer that the display has not ' +
      '(nextBuffer() names one), ask for one buffer at a time, or use one buffer more.',
    steps,
  );
}

function tell({ label, id, set }: SnapshotEntry): string {
  const names = [...set.exclusive, ...set.shared].map((name) => quote(name)).join(', ');
  return `${label === undefined ? `request ${id}` : quote(label, labelLengthMax)} (${names})`;
}
