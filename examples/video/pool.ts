/** The turns of the line, and the pool of frame buffers, whose units have their names. */

import type { SetSpec, Snapshot, SyncDomain, SyncGrant } from 'kds';
import { bufferCount, turnCount } from './scene.ts';

const poolName = 'frames';
const bufferNames = Array.from({ length: bufferCount }, (_, buffer) => `frame ${buffer}`);

export const turnOf = (number: number): string => `turn ${number % turnCount}`;
export const allTurns = Array.from({ length: turnCount }, (_, turn) => turnOf(turn));

/** All turns, and all units of the pool. */
export const wholeLine: SetSpec = { exclusive: [...allTurns, poolName] };

/** The decoder's set: the turn of a frame, and a buffer. */
export function decoderSet(number: number): SetSpec {
  return { exclusive: turnOf(number), units: { [poolName]: 1 } };
}

/** The buffer of the decoder's set. A unit that the pool has no more has a number for its name. */
export function bufferOfGrant({ units }: Pick<SyncGrant, 'units'>): number {
  const [unit] = units[poolName] ?? [];
  return typeof unit === 'number' ? unit : bufferNames.indexOf(unit ?? '');
}

/** Buffers that are taken stay so; those beyond the size are not given out again. */
export function setPoolSize(domain: SyncDomain, size: number): void {
  domain.setCapacity(poolName, bufferNames.slice(0, size));
}

/** Buffers that are taken. */
export function takenOf({ capacities }: Snapshot): number {
  return capacities?.find(({ resource }) => resource === poolName)?.taken ?? 0;
}

/** Buffers by the turns of their frames, as the decoder keeps their units. */
export function buffersByTurn({ held }: Snapshot): ReadonlyMap<string, string> {
  const buffers = new Map<string, string>();
  for (const { label, units } of held) {
    const [, number] = /^decoder (\d+)$/.exec(label ?? '') ?? [];
    if (number === undefined || units === undefined) continue;
    buffers.set(turnOf(Number(number)), bufferNames[bufferOfGrant({ units })] as string);
  }
  return buffers;
}
