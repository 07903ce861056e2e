/** The pool of frame buffers, and the turns of the line. */

import type { SetSpec, Snapshot, SnapshotEntry, SyncGrant } from 'kds';
import type { ThreadsDomain } from 'kds/threads';
import { bufferCount, turnCount } from './scene.ts';

export const turnOf = (number: number): string => `turn ${number % turnCount}`;
const frameOf = (buffer: number): string => `frame ${buffer}`;

export const allTurns = Array.from({ length: turnCount }, (_, turn) => turnOf(turn));
export const wholePool = Array.from({ length: bufferCount }, (_, buffer) => frameOf(buffer));

/** A turn and a buffer. */
export function decoderSet(number: number): SetSpec {
  return { exclusive: [turnOf(number), frameOf(number % bufferCount)] };
}

export function bufferOfGrant(_grant: SyncGrant, number: number): number {
  return number % bufferCount;
}

export function setPoolSize(_domain: ThreadsDomain, _size: number): void {}

export function takenOf({ held }: Snapshot): number {
  return held.filter(({ session }) => session === 'decoder').length;
}

/** The buffer of a frame, and its turn, by the set that the decoder keeps for it. */
export function bufferInSet({ label = '' }: SnapshotEntry): BufferInTurn | undefined {
  const [stage, number] = label.split(' ');
  if (stage !== 'decoder') return undefined;
  return { turn: turnOf(Number(number)), buffer: frameOf(Number(number) % bufferCount) };
}

export interface BufferInTurn {
  readonly turn: string;
  readonly buffer: string;
}
