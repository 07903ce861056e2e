/**
 * A client's session under a lease at a server: heartbeats renew it.
 *
 * When the server lets the lease end, it gives to others all that the session holds. By the guard
 * the lease has run out here before that, whatever the state.
 */

import type { Clock } from '../runtime/clock.ts';
import { LeaseGuard } from './lease-guard.ts';

export type SessionState =
  /** The server has not confirmed it yet. */
  | 'opening'
  /** The server answered last time. */
  | 'open'
  /** The server did not answer: only heartbeats are sent until one is answered. */
  | 'suspect'
  /** The server has ended it, or its owner has given it up. */
  | 'lost'
  /** Ended in order from here. */
  | 'closed';

const moves: Readonly<Record<SessionState, readonly SessionState[]>> = {
  opening: ['open', 'lost', 'closed'],
  open: ['suspect', 'lost', 'closed'],
  suspect: ['open', 'lost', 'closed'],
  lost: [],
  closed: [],
};

/** A server's answer to a heartbeat: it has the session. */
export interface Renewal {
  /** When the heartbeat was sent, on the clock, ms. */
  readonly sentMs: number;
  /** Length of the lease from then on, ms. */
  readonly leaseMs: number;
  /** Another heartbeat is to follow at once. */
  readonly isMoreDue?: boolean;
}

/** The other answer: the server does not have the session any more, and why. */
export interface Loss {
  readonly lost: string;
}

export interface SessionConfig<R extends Renewal> {
  readonly clock: Clock;
  readonly heartbeatsPerLease: number;
  /** Pause after a heartbeat without an answer, ms. */
  readonly retryMs: number;
  /** The first heartbeat, and each that follows. They reject if no answer comes. */
  open(): Promise<R | Loss>;
  renew(): Promise<R | Loss>;
  /** Ends the session at the server, if that can be reached. Never rejects. */
  end(): Promise<void>;
  onRenewed(renewal: R): void;
  /** The lease may be over: nothing that the session holds is certain from here on. */
  onRunOut(): void;
  /** Called once, unless the session is closed before. */
  onLost(why: string): void;
  /** A heartbeat was not answered. */
  onFailed(error: unknown): void;
}

export class LeasedSession<R extends Renewal = Renewal> {
  readonly #config: SessionConfig<R>;
  readonly #guard: LeaseGuard;
  #state: SessionState = 'opening';
  /** One heartbeat is under way at a time; `due`: another is to follow it at once. */
  #heartbeat: 'idle' | 'sent' | 'due' = 'idle';
  #stopTimer: () => void = () => undefined;

  constructor(config: SessionConfig<R>) {
    this.#config = config;
    this.#guard = new LeaseGuard(config.clock, () => config.onRunOut());
  }

  /** Whether calls of the session are answered, as far as is known. */
  get isUp(): boolean {
    return this.#state === 'open';
  }

  /** Neither lost nor closed. */
  get isLive(): boolean {
    return moves[this.#state].length > 0;
  }

  /** Whether what the session holds is certainly held at this moment. */
  get isValid(): boolean {
    return this.isLive && this.#guard.isValid;
  }

  /** Calls `onRunOut` now if the lease has run out by the clock. */
  check(): void {
    this.#guard.check();
  }

  /**
   * Waits for the first heartbeat. False if the session was lost meanwhile.
   *
   * @throws the error of that heartbeat; then this may be called again.
   */
  async open(): Promise<boolean> {
    this.#schedule(await this.#renew());
    return this.isLive;
  }

  /** Sends a heartbeat at once, or as soon as the present one is answered. */
  heartbeatNow(): void {
    if (!this.isLive) return;
    if (this.#heartbeat !== 'idle') this.#heartbeat = 'due';
    else void this.#sendHeartbeat();
  }

  /** A call was not answered. */
  suspect(): void {
    if (this.#state !== 'open') return;
    this.#move('suspect');
    this.heartbeatNow();
  }

  /** The server has ended it, or it is given up. */
  lose(why: string): void {
    if (!this.isLive) return;
    this.#stop('lost');
    this.#config.onLost(why);
  }

  /** Resolves when the server has ended it, or cannot be reached: it then ends with its lease. */
  async close(): Promise<void> {
    if (!this.isLive) return;
    this.#stop('closed');
    await this.#config.end();
  }

  async #sendHeartbeat(): Promise<void> {
    this.#stopTimer();
    this.#heartbeat = 'sent';
    let delayMs = this.#config.retryMs;
    try {
      delayMs = await this.#renew();
    } catch (error) {
      if (this.#state === 'open') this.#move('suspect');
      if (this.isLive) this.#config.onFailed(error);
    }
    // A field: what was called meanwhile may have set it.
    if (this.#isHeartbeatDue()) delayMs = 0;
    this.#heartbeat = 'idle';
    this.#schedule(delayMs);
  }

  #isHeartbeatDue(): boolean {
    return this.#heartbeat === 'due';
  }

  /** Returns the time until the next heartbeat, ms. */
  async #renew(): Promise<number> {
    const { heartbeatsPerLease, onRenewed } = this.#config;
    // The event loop may have been blocked for longer than the lease, and its owner given it up.
    this.check();
    if (!this.isLive) return 0;
    const isOpening = this.#state === 'opening';
    const answer = await (isOpening ? this.#config.open() : this.#config.renew());
    if (!this.isLive) return 0;
    if ('lost' in answer) {
      this.lose(answer.lost);
      return 0;
    }
    if (this.#state !== 'open') this.#move('open');
    this.#guard.renewed(answer.sentMs, answer.leaseMs);
    onRenewed(answer);
    // The answer may be older than the lease, as when the process was stopped meanwhile.
    this.check();
    return answer.isMoreDue === true ? 0 : answer.leaseMs / heartbeatsPerLease;
  }

  #schedule(delayMs: number): void {
    if (!this.isLive) return;
    this.#stopTimer();
    this.#stopTimer = this.#config.clock.after(delayMs, () => void this.#sendHeartbeat());
  }

  #stop(state: 'lost' | 'closed'): void {
    this.#move(state);
    this.#stopTimer();
    this.#guard.end();
  }

  #move(state: SessionState): void {
    if (!moves[this.#state].includes(state)) {
      throw new Error(`a session that is ${this.#state} cannot become ${state}`);
    }
    this.#state = state;
  }
}
