/** What waits while the server is out of reach, or refuses: how long, and how it ends. */

import { UnavailableError } from '../../api/errors.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RedisSession } from './leased-session.ts';
import type { PendingRedisRequest } from './pending-request.ts';
import type { Warnings } from './warnings.ts';

/** Time limit of an outage, ms: what waits ends by UnavailableError then. */
const outageMsMax = 10_000;
/** Between attempts, ms. */
const pauseMs = 20;

export interface ReachOptions {
  readonly clock: Clock;
  readonly requests: RequestTable<PendingRedisRequest>;
  readonly session: Pick<RedisSession, 'suspect'>;
  readonly warnings: Warnings;
}

export class Reach {
  readonly #options: ReachOptions;
  #downSinceMs: number | undefined;
  #isClosed = false;

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  /** The domain is closed: failures mean nothing any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** A heartbeat was answered. */
  answered(): void {
    this.#downSinceMs = undefined;
  }

  /**
   * Does a call again while the server is out of reach, or refuses for now.
   *
   * @throws what `attempt` fails with, UnavailableError only after the limit, or once closed.
   */
  async whenReached<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const untilMs = clock.nowMs() + outageMsMax;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        const isLate = this.#isClosed || clock.nowMs() > untilMs;
        if (!(error instanceof UnavailableError) || isLate) throw error;
      }
      await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
    }
  }

  /** A heartbeat that is refused for good renews no lease: requests would wait in vain, and end. */
  heartbeatFailed(error: unknown): void {
    this.failed(error);
    if (this.#isClosed || error instanceof UnavailableError) return;
    const { requests } = this.#options;
    const awaited = [...requests.pending].filter(({ state }) => state !== 'late');
    requests.withdraw(
      awaited.map(({ request }) => request),
      error,
    );
  }

  /** A call has failed, and is done again later. */
  failed(error: unknown): void {
    if (this.#isClosed) return;
    const { clock, requests, session, warnings } = this.#options;
    if (!(error instanceof UnavailableError)) {
      warnings.warn(error instanceof Error ? error.message : String(error));
      return;
    }
    session.suspect();
    const nowMs = clock.nowMs();
    this.#downSinceMs ??= nowMs;
    for (const { request, sinceMs, state } of requests.pending) {
      const downMs = nowMs - Math.max(sinceMs, this.#downSinceMs);
      if (state === 'late' || downMs < outageMsMax) continue;
      requests.withdraw([request], outOfReach(downMs, error));
    }
  }
}

function outOfReach(forMs: number, { message }: UnavailableError): UnavailableError {
  return new UnavailableError(
    `redis has been out of reach for ${Math.round(forMs)} ms: ${message}`,
  );
}
