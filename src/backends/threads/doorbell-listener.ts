/**
 * An agent's event loop waits for its doorbell: by Atomics.waitAsync on the doorbell's word, or,
 * where that is missing, for messages on a channel that all of the arena's agents share.
 *
 * One wait at a time is under way, and only while notices are possible, so no waits pile up: a wait
 * cannot be cancelled, and ends with the next notification. Neither it nor the channel keeps the
 * event loop alive; a timer that does nothing does, while requests wait.
 *
 * A channel that has just been opened may not be connected yet when a message for it is sent, and
 * no event reports when it is. So an agent that waits on the channel also polls its doorbell.
 */

import {
  clearRealTimeout,
  queueRealMicrotask,
  setRealInterval,
  setRealTimeout,
} from '../../runtime/real-time.ts';
import { unref } from '../../runtime/timer.ts';
import * as C from './control.ts';
import type { Doorbell } from './doorbell.ts';

/** As long as timers can be: 24 days. It only has to be there. */
const idleMs = 2 ** 31 - 1;

/** Between two polls of the doorbell, for a message that was lost. */
const pollMs = 100;

/** What Node has of a timer or channel, to let the process end although it is there. */
interface Referenced {
  ref?(): unknown;
  unref?(): unknown;
}

export class DoorbellListener {
  readonly #doorbell: Doorbell;
  readonly #agent: number;
  readonly #channelName: string;
  readonly #onNotified: () => void;
  #channel: BroadcastChannel | undefined = undefined;
  #keeper: Referenced | undefined = undefined;
  #pollTimer: ReturnType<typeof setTimeout> | undefined = undefined;
  #isListening = false;
  #isClosed = false;

  constructor(control: Int32Array, agent: number, doorbell: Doorbell, onNotified: () => void) {
    this.#doorbell = doorbell;
    this.#agent = agent;
    this.#channelName = `kds arena ${control[C.ID]} ${control[C.ID + 1]}`;
    this.#onNotified = onNotified;
  }

  /** From now on, until the next notification. */
  listen(): void {
    if (this.#isListening || this.#isClosed) return;
    this.#isListening = true;
    const canWaitAsync = typeof Atomics.waitAsync === 'function';
    if (!canWaitAsync) this.#openChannel();
    this.#doorbell.reachedBy = canWaitAsync ? C.ON_DOORBELL : C.ON_CHANNEL;
    const notified = (): void => this.#notified();
    const waiting = canWaitAsync ? this.#doorbell.whenNotified() : undefined;
    if (waiting !== undefined) void waiting.then(notified);
    // It may have grown before SLEEP held how to reach the agent.
    else if (canWaitAsync || this.#doorbell.isNotified) queueRealMicrotask(notified);
    else this.#poll();
  }

  /** Notifies an agent that waits on the channel. */
  send(agent: number): void {
    this.#openChannel().postMessage(agent);
  }

  /** Whether the event loop is to go on although nothing else may be left to do. */
  set keepsAlive(isNeeded: boolean) {
    if (this.#keeper === undefined) {
      if (!isNeeded) return;
      const { timer, clear } = setRealInterval(() => {}, idleMs);
      const canKeep = typeof timer === 'object';
      this.#keeper = canKeep ? timer : {};
      // A browser's page stays by itself.
      if (!canKeep) clear();
    }
    if (isNeeded) this.#keeper.ref?.();
    else this.#keeper.unref?.();
  }

  close(): void {
    this.#isClosed = true;
    this.keepsAlive = false;
    clearRealTimeout(this.#pollTimer);
    this.#channel?.close();
  }

  #poll(): void {
    const poll = (): void => {
      this.#pollTimer = undefined;
      if (!this.#isListening || this.#isClosed) return;
      if (this.#doorbell.isNotified) this.#notified();
      else this.#poll();
    };
    this.#pollTimer ??= setRealTimeout(poll, pollMs);
    unref(this.#pollTimer);
  }

  #notified(): void {
    if (!this.#isListening || this.#isClosed) return;
    this.#isListening = false;
    this.#doorbell.reachedBy = C.AWAKE;
    this.#onNotified();
  }

  #openChannel(): BroadcastChannel {
    if (this.#channel === undefined) {
      this.#channel = new BroadcastChannel(this.#channelName);
      this.#channel.onmessage = ({ data }) => {
        if (data === this.#agent) this.#notified();
      };
      (this.#channel as Referenced).unref?.();
    }
    return this.#channel;
  }
}
