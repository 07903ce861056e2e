/** A request of a client: its terms, and how its outcome is reported. Its state is in the table. */

import type { LockedPolicy } from '../api/options.ts';
import type { RequestReport } from '../session/request-report.ts';
import type { RemoteGrant } from './grant.ts';
import type { RemoteSet } from './resources.ts';
import type { RemoteScope } from './scope.ts';

export interface RequestTerms {
  /** Waits for the set; has it now or never; waits until nothing conflicts with it. */
  readonly how: 'acquire' | 'try' | 'settled';
  readonly set: RemoteSet;
  readonly label: string | undefined;
  readonly locked: LockedPolicy | undefined;
  readonly steal: boolean | undefined;
  /** As declared by the caller; some may have ended since. */
  readonly holding: readonly RemoteGrant[];
  /** In ms; undefined: without end. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export class RemoteRequest {
  readonly id: number;
  readonly scope: RemoteScope;
  readonly terms: RequestTerms;
  readonly report: RequestReport<RemoteGrant>;

  constructor(
    id: number,
    scope: RemoteScope,
    terms: RequestTerms,
    report: RequestReport<RemoteGrant>,
  ) {
    this.id = id;
    this.scope = scope;
    this.terms = terms;
    this.report = report;
  }
}
