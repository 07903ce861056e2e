/** What the page and its workers say to each other. */

import type { Arena } from '../../src/backends/threads/index.ts';
import type { CapacitySpec, SetSpec, SyncGrant } from '../../src/index.ts';
import type { SectionsMemory } from './sections.ts';

/** How a worker asks for a set. */
export type Way = 'block' | 'await' | 'try';

/** How a worker asks for a set before its domain is ready. */
export type EarlyWay = 'await' | 'await a try' | 'await both' | 'enqueue' | 'block' | 'try';

export type Order =
  | {
      readonly do: 'open';
      readonly arena: Arena;
      readonly label: string;
      readonly memory: SectionsMemory;
      readonly party: number;
    }
  | { readonly do: 'take'; readonly set: SetSpec; readonly how: Way }
  | { readonly do: 'release' }
  | { readonly do: 'close' }
  /** Answers as it has opened its domain, not waiting until that is ready; and when granted. */
  | {
      readonly do: 'open and take';
      readonly arena: Arena;
      readonly set: SetSpec;
      readonly how: EarlyWay;
      /** Declared by the worker as it opens its domain. */
      readonly capacity?: Readonly<Record<string, CapacitySpec>>;
    }
  /** As one does that never comes back to its event loop once its domain is ready. */
  | {
      readonly do: 'open and take for ever';
      readonly arena: Arena;
      readonly set: SetSpec;
      readonly thenBlockFor?: SetSpec;
    }
  /** Goes in and out of sections, in every way that a worker can. */
  | { readonly do: 'contend'; readonly durationMs: number }
  /** Takes a set and lets it go, and counts the steps. */
  | { readonly do: 'count steps'; readonly set: SetSpec }
  /** The same, and stops for ever just before one of them. */
  | { readonly do: 'stop at step'; readonly set: SetSpec; readonly step: number };

export interface Answer {
  readonly agent?: number;
  readonly granted?: boolean;
  readonly recovered?: readonly string[];
  readonly units?: SyncGrant['units'];
  /** The code of an error of kds, or its name. */
  readonly refused?: string;
  readonly stepCount?: number;
  readonly stopped?: true;
  readonly violations?: readonly string[];
}
