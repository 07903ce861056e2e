/** The queue of each buffer, in the terms of the pipeline: one row each, always in one order. */

import type { Snapshot, SnapshotEntry } from 'kds';
import { Buffers, type Scene, type Stage, stages } from './scene.ts';

/** A stage that holds a buffer for a frame, or waits for it. */
export interface BufferUse {
  readonly stage: Stage;
  readonly frame: number;
  readonly isExclusive: boolean;
}

export interface BufferRow {
  readonly name: string;
  readonly holder: BufferUse | undefined;
  /** In queue order. */
  readonly waiting: readonly BufferUse[];
}

export class BufferRows {
  readonly #names: readonly (readonly [name: string, resource: string])[];
  readonly #firstNumber: number;

  constructor(scene: Scene) {
    const { vertices, frames } = new Buffers(scene);
    this.#names = [vertices, frames].flatMap(({ buffers }, pool) => {
      const name = pool === 0 ? 'vertices' : 'frame';
      return buffers.map(({ resource }, index) => [`${name} ${index}`, resource] as const);
    });
    this.#firstNumber = scene.firstNumber;
  }

  rowsOf({ held, pending }: Snapshot): BufferRow[] {
    return this.#names.map(([name, resource]) => {
      const [holder] = this.#usesOf(held, resource);
      return { name, holder, waiting: this.#usesOf(pending, resource) };
    });
  }

  #usesOf(entries: readonly SnapshotEntry[], resource: string): BufferUse[] {
    return entries.flatMap(({ set, label }) => {
      const isExclusive = set.exclusive.includes(resource);
      if (!isExclusive && !set.shared.includes(resource)) return [];
      const use = readLabel(label ?? '');
      if (use === undefined) return [];
      return { stage: use.stage, frame: this.#firstNumber + use.frame, isExclusive };
    });
  }
}

/** Labels are `render 12`, and `display 1x2y3z, flip 13`, whose flips are counted from 1. */
function readLabel(label: string): { readonly stage: Stage; readonly frame: number } | undefined {
  const [, name, flip, number] = /^(\w+) (?:\w+, (flip) )?(\d+)$/.exec(label) ?? [];
  const stage = stages.find((each) => each === name);
  if (stage === undefined) return undefined;
  return { stage, frame: Number(number) - (flip === undefined ? 0 : 1) };
}
