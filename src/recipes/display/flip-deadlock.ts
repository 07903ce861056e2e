/**
 * Finds the deadlock of a flip that waits for the buffer on the screen, which the display releases
 * only for that flip.
 *
 * The domain finds it by `holding` if the frame before the flip is known when the flip is
 * requested. For a flip requested earlier a snapshot is searched once its turn has come.
 */

import { DeadlockError, type DeadlockStep } from '../../api/errors.ts';
import { labelLengthMax } from '../../api/limits.ts';
import type { Snapshot, SnapshotEntry } from '../../api/snapshot.ts';
import { quote } from '../../runtime/escape.ts';

/** The error if the request of that label waits for the grant of that token; else undefined. */
export function findFlipDeadlock(
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
      if (id === kept.id) return errorOf(pathTo(kept, cameFrom));
      const next = byId.get(id);
      if (next !== undefined) open.push(next);
    }
  }
  return undefined;
}

function pathTo(
  end: SnapshotEntry,
  cameFrom: ReadonlyMap<number, SnapshotEntry>,
): readonly SnapshotEntry[] {
  const path = [end];
  for (let at = cameFrom.get(end.id); at !== undefined; at = cameFrom.get(at.id)) path.unshift(at);
  return path;
}

function errorOf(path: readonly SnapshotEntry[]): DeadlockError {
  const [flip] = path;
  const steps = path.map(({ id, label, set, token }): DeadlockStep => {
    return { id, label, set, isHeld: token !== undefined };
  });
  const reasons = path.slice(1).map((entry) => `for ${nameOf(entry)}`);
  return new DeadlockError(
    `${flip?.label} would never be shown: it waits ${reasons.join(', which waits ')}, which ` +
      'stays on the screen until a later frame is shown. Draw into a buffer that the display ' +
      'does not have (nextBuffer() names one), request one buffer at a time, or use one ' +
      'more buffer.',
    steps,
  );
}

function nameOf({ label, id, set }: SnapshotEntry): string {
  const names = [...set.exclusive, ...set.shared].map((name) => quote(name)).join(', ');
  return `${label === undefined ? `request ${id}` : quote(label, labelLengthMax)} (${names})`;
}
