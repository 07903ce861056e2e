/** A domain that a command has opened, and the options of opening it. */

import type { Domain } from '../api/domain.ts';

export interface OpenedDomain {
  readonly domain: Domain;
  /** Closes the domain and its connection. */
  close(): Promise<void>;
}

export interface Opening {
  /** Used where a request has no label. */
  readonly label?: string | undefined;
  readonly command?: string | undefined;
}
