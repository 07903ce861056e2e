/** The backend's side of a set of the oracle: a request, a grant of a try, or an observer. */

import type { Domain } from '../src/api/domain.ts';
import type { Grant } from '../src/api/grant.ts';
import type { Ask } from './ask.ts';
import { check, failureOf, within } from './assertions.ts';
import type { Enqueued } from './enqueued.ts';
import type { OracleSpec } from './oracle.ts';

export interface Standing {
  readonly label: string;
  /** Number of its participant; -1 is the domain itself. */
  readonly by: number;
  /** Grants of one recorder are reported in order; undefined for the results of calls. */
  readonly recorder?: string | undefined;
  /** Whether it has ended, or been granted, as far as its owner knows. */
  isReported(): boolean;
  /** Resolves when it is granted; of an observer, when it is settled. */
  granted(): Promise<unknown>;
  /** The grant of a granted set. */
  grant(): Grant;
  cancel(): unknown;
  refusal(): Promise<unknown>;
}

export function standingOf(request: Ask | Enqueued, by: number, way: string): Standing {
  return {
    label: request.label,
    by,
    recorder: `${way} of ${by}`,
    isReported: () => request.state !== 'waiting',
    granted: () => request.granted(),
    grant: () => request.grant,
    cancel: () => request.cancel(),
    refusal: () => request.refusal(),
  };
}

export function grantedAtOnce(label: string, by: number, grant: Grant): Standing {
  return {
    label,
    by,
    isReported: () => true,
    granted: async () => grant,
    grant: () => grant,
    cancel: () => check(false, `${label} does not wait`),
    refusal: () => failureOf(async () => grant),
  };
}

export function observing(label: string, by: number, domain: Domain, spec: OracleSpec): Standing {
  const controller = new AbortController();
  let isReported = false;
  const over = domain.settled(spec, { signal: controller.signal }).finally(() => {
    isReported = true;
  });
  over.catch(() => undefined);
  return {
    label,
    by,
    isReported: () => isReported,
    granted: () => within(over, `${label} to be over`),
    grant: () => {
      throw new Error(`${label} is an observer`);
    },
    cancel: () => controller.abort(),
    refusal: () => failureOf(() => over),
  };
}
