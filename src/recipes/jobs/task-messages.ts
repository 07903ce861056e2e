/** Messages between a queue and its workers; other messages may use the same port. */

import type { Unit } from '../../api/units.ts';

export interface NamedSet {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly units?: ReadonlyMap<string, number>;
}

export type ToWorker =
  | {
      readonly kds: 'run task';
      readonly id: number;
      readonly task: string;
      readonly data: unknown;
      readonly set: NamedSet;
      /** Those that its job has; absent if it declares none. */
      readonly units?: Readonly<Record<string, readonly Unit[]>>;
    }
  | { readonly kds: 'abort task'; readonly id: number; readonly reason: unknown };

export type FromWorker =
  | { readonly kds: 'task done'; readonly id: number; readonly result: unknown }
  | {
      readonly kds: 'task failed';
      readonly id: number;
      readonly error: unknown;
      /** The task ended because of an abort: the error is the reason of the abort. */
      readonly isAborted: boolean;
    };

export function isToWorker(message: unknown): message is ToWorker {
  const kds = (message as ToWorker | null | undefined)?.kds;
  return kds === 'run task' || kds === 'abort task';
}

export function isFromWorker(message: unknown): message is FromWorker {
  const kds = (message as FromWorker | null | undefined)?.kds;
  return kds === 'task done' || kds === 'task failed';
}
