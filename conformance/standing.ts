/** How a set of the oracle stands with the host: asked for, had at once, or looked on from. */

import type { Domain } from '../src/api/domain.ts';
import type { Grant } from '../src/api/grant.ts';
import type { Ask } from './ask.ts';
import { check, failureOf, within } from './assertions.ts';
import type { Enqueued } from './enqueued.ts';
import type { OracleSpec } from './oracle.ts';

export interface Standing {
  readonly label: string;
  /** Which party it went through; -1 is the domain itself. */
  readonly by: number;
  /** Those of one ear are told in order; undefined for those that are not told but answered. */
  readonly ear?: string | undefined;
  /** Whether it has ended, or been granted, as far as its owner knows. */
  isTold(): boolean;
  /** When it is granted; of one who looks on, when that is over. */
  granted(): Promise<unknown>;
  /** Of one that is known to have it. */
  grant(): Grant;
  cancel(): unknown;
  refusal(): Promise<unknown>;
}

export function standingOf(request: Ask | Enqueued, by: number, way: string): Standing {
  return {
    label: request.label,
    by,
    ear: `${way} of ${by}`,
    isTold: () => request.state !== 'waiting',
    granted: () => request.granted(),
    grant: () => request.grant,
    cancel: () => request.cancel(),
    refusal: () => request.refusal(),
  };
}

export function hadAtOnce(label: string, by: number, grant: Grant): Standing {
  return {
    label,
    by,
    isTold: () => true,
    granted: async () => grant,
    grant: () => grant,
    cancel: () => check(false, `${label} does not wait`),
    refusal: () => failureOf(async () => grant),
  };
}

export function lookingOn(label: string, by: number, domain: Domain, spec: OracleSpec): Standing {
  const controller = new AbortController();
  let isTold = false;
  const over = domain.settled(spec, { signal: controller.signal }).finally(() => {
    isTold = true;
  });
  over.catch(() => undefined);
  return {
    label,
    by,
    isTold: () => isTold,
    granted: () => within(over, `${label} to be over`),
    grant: () => {
      throw new Error(`${label} takes nothing`);
    },
    cancel: () => controller.abort(),
    refusal: () => failureOf(() => over),
  };
}
