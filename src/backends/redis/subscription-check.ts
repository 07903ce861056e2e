/**
 * Checks whether messages still arrive. A connection that only receives may die unnoticed, as when
 * a NAT or a load balancer forgets it: nothing is ever sent on it that would fail.
 *
 * The client sends itself a message six times in the length of the lease, by the connection for
 * commands. If one has not arrived when the server has answered the next one, a sixth of a lease
 * later, the connection for messages is given up and made again. So its death is noticed within a
 * third of the lease. The answer shows that the server is not slow; and an event loop that was
 * blocked has read by then what had arrived before.
 */

import type { Clock } from '../../runtime/clock.ts';
import type { RedisConnection } from './connection.ts';

export const checksPerLease = 6;
const word = 'check';

export interface SubscriptionCheckOptions {
  readonly connection: RedisConnection;
  readonly clock: Clock;
  readonly channel: string;
  readonly leaseMs: number;
  /** Whether the server answers; otherwise no check is made. */
  readonly isUp: () => boolean;
  /** Applies the time limit of a call. */
  readonly inTime: <T>(reply: Promise<T>) => Promise<T>;
  /** Messages arrive again; some may be lost. */
  readonly onRenewed: () => void;
}

export class SubscriptionCheck {
  readonly #options: SubscriptionCheckOptions;
  #sentLast = 0;
  /** Of the last message that the server has taken. */
  #takenLast = 0;
  #receivedLast = 0;
  #isRenewing = false;
  #isClosed = false;
  #stopTimer: () => void = () => undefined;

  constructor(options: SubscriptionCheckOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, leaseMs } = this.#options;
    if (this.#isClosed) return;
    this.#stopTimer = clock.after(leaseMs / checksPerLease, () => {
      void this.#check();
      this.start();
    });
  }

  stop(): void {
    this.#isClosed = true;
    this.#stopTimer();
  }

  /** Whether a message of the channel was one of these. */
  take(text: string): boolean {
    const [first, number] = text.split(' ');
    if (first !== word) return false;
    this.#receivedLast = Math.max(this.#receivedLast, Number(number));
    return true;
  }

  async #check(): Promise<void> {
    const { connection, channel, inTime, isUp } = this.#options;
    if (this.#isRenewing || !isUp()) return;
    const takenBefore = this.#takenLast;
    this.#sentLast++;
    const number = this.#sentLast;
    try {
      await inTime(connection.publish(channel, `${word} ${number}`));
    } catch {
      // Without an answer nothing is known; the heartbeats go on until there is one.
      return;
    }
    this.#takenLast = number;
    if (this.#receivedLast < takenBefore && !this.#isClosed) await this.#renew();
  }

  async #renew(): Promise<void> {
    const { connection, inTime, onRenewed } = this.#options;
    this.#isRenewing = true;
    try {
      await inTime(connection.renewSubscriptions());
      this.#receivedLast = this.#sentLast;
      onRenewed();
    } catch {
      // The next message that does not arrive has the connection made once more.
    } finally {
      this.#isRenewing = false;
      if (this.#isClosed) await connection.close().catch(() => undefined);
    }
  }
}
