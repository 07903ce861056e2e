/** The turns of the line, and the pool of frame buffers: unit n of the pool is buffer n. */

import type { SetSpec, Snapshot, SyncDomain, SyncGrant } from 'kds';
import { turnCount } from './scene.ts';

const poolName = 'frames';

export const turnOf = (number: number): string => `turn ${number % turnCount}`;
export const allTurns = Array.from({ length: turnCount }, (_, turn) => turnOf(turn));

/** All turns, and all units of the pool. */
export const wholeLine: SetSpec = { exclusive: [...allTurns, poolName] };

/** The decoder's set: the turn of a frame, and a buffer. */
export function decoderSet(number: number): SetSpec {
  return { exclusive: turnOf(number), units: { [poolName]: 1 } };
}

/** The buffer of the decoder's set. */
export function bufferOfGrant({ units }: Pick<SyncGrant, 'units'>): number {
  const [unit] = units[poolName] ?? [];
  if (typeof unit !== 'number') throw new Error(`the unit of a buffer is a number, not ${unit}`);
  return unit;
}

/** Buffers that are taken stay so; those beyond the size are not given out again. */
export function setPoolSize(domain: SyncDomain, size: number): void {
  domain.setCapacity(poolName, size);
}

/** Buffers that are taken. */
export function takenOf({ capacities }: Snapshot): number {
  return capacities?.find(({ resource }) => resource === poolName)?.taken ?? 0;
}

/** Buffers by the turns of their frames, as the decoder keeps their units. */
export function buffersByTurn({ held }: Snapshot): ReadonlyMap<string, number> {
  const buffers = new Map<string, number>();
  for (const { label, units } of held) {
    const [, number] = /^decoder (\d+)$/.exec(label ?? '') ?? [];
    if (number === undefined || units === undefined) continue;
    buffers.set(turnOf(Number(number)), bufferOfGrant({ units }));
  }
  return buffers;
}
