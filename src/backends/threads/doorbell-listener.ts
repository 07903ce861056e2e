/**
 * An agent's event loop waits for its doorbell: by Atomics.waitAsync on the doorbell's word, or,
 * where that is missing, for messages on a channel that all of the arena's agents share.
 *
 * One wait at a time is under way, and only while notices are possible, so no waits pile up: a wait
 * cannot be cancelled, and ends with the next ring. Neither it nor the channel keeps the event loop
 * alive; a timer that does nothing does, while requests wait.
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

/** How often to look at the doorbell for a message that was lost. */
const lookMs = 100;

/** What Node has of a timer or channel, to let the process end although it is there. */
interface Referenced {
  ref?(): unknown;
  unref?(): unknown;
}

export class DoorbellListener {
  readonly #doorbell: Doorbell;
  readonly #agent: number;
  readonly #channelName: string;
  readonly #onRing: () => void;
  #channel: BroadcastChannel | undefined = undefined;
  #keeper: Referenced | undefined = undefined;
  #looker: ReturnType<typeof setTimeout> | undefined = undefined;
  #isListening = false;
  #isClosed = false;

  constructor(control: Int32Array, agent: number, doorbell: Doorbell, onRing: () => void) {
    this.#doorbell = doorbell;
    this.#agent = agent;
    this.#channelName = `kds arena ${control[C.ID]} ${control[C.ID + 1]}`;
    this.#onRing = onRing;
  }

  /** From now on, until the next ring. */
  listen(): void {
    if (this.#isListening || this.#isClosed) return;
    this.#isListening = true;
    const canWaitAsync = typeof Atomics.waitAsync === 'function';
    if (!canWaitAsync) this.#openChannel();
    this.#doorbell.reachedBy = canWaitAsync ? C.ON_BELL : C.ON_CHANNEL;
    const heard = (): void => this.#heard();
    const ringing = canWaitAsync ? this.#doorbell.ringing() : undefined;
    if (ringing !== undefined) void ringing.then(heard);
    // It may have been rung by somebody who did not know yet how to reach it.
    else if (canWaitAsync || this.#doorbell.isRung) queueRealMicrotask(heard);
    else this.#lookAgain();
  }

  /** Tells an agent that waits on the channel that its doorbell has been rung. */
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
    clearRealTimeout(this.#looker);
    this.#channel?.close();
  }

  #lookAgain(): void {
    const look = (): void => {
      this.#looker = undefined;
      if (!this.#isListening || this.#isClosed) return;
      if (this.#doorbell.isRung) this.#heard();
      else this.#lookAgain();
    };
    this.#looker ??= setRealTimeout(look, lookMs);
    unref(this.#looker);
  }

  #heard(): void {
    if (!this.#isListening || this.#isClosed) return;
    this.#isListening = false;
    this.#doorbell.reachedBy = C.AWAKE;
    this.#onRing();
  }

  #openChannel(): BroadcastChannel {
    if (this.#channel === undefined) {
      this.#channel = new BroadcastChannel(this.#channelName);
      this.#channel.onmessage = ({ data }) => {
        if (data === this.#agent) this.#heard();
      };
      (this.#channel as Referenced).unref?.();
    }
    return this.#channel;
  }
}
