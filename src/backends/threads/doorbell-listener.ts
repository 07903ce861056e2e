/**
 * An agent's event loop hears its bell: by Atomics.waitAsync on the bell's word, or, where that is
 * missing, by messages on a channel that all of the arena's agents share.
 *
 * One wait at a time is under way, and only while there is something to hear of, so none piles up:
 * it cannot be cancelled, and ends with the next ring. Neither it nor the channel keeps the event
 * loop alive; a timer that does nothing does, while requests wait.
 *
 * A channel that has just been opened may not be connected yet when a message for it is sent, and
 * nothing tells when it is. So who waits on the channel also looks at the bell from time to time.
 */

import {
  clearRealTimeout,
  queueRealMicrotask,
  setRealInterval,
  setRealTimeout,
} from '../../runtime/real-time.ts';
import { unref } from '../../runtime/timer.ts';
import * as C from './control.ts';
import type { Bell } from './doorbell.ts';

/** As long as timers can be: 24 days. It only has to be there. */
const idleMs = 2 ** 31 - 1;

/** How often to look at the bell for a message that was lost. */
const lookMs = 100;

/** What Node has of a timer or channel, to let the process end although it is there. */
interface Referenced {
  ref?(): unknown;
  unref?(): unknown;
}

export class BellListener {
  readonly #bell: Bell;
  readonly #agent: number;
  readonly #channelName: string;
  readonly #onRing: () => void;
  #channel: BroadcastChannel | undefined = undefined;
  #keeper: Referenced | undefined = undefined;
  #looker: ReturnType<typeof setTimeout> | undefined = undefined;
  #isListening = false;
  #isClosed = false;

  constructor(control: Int32Array, agent: number, bell: Bell, onRing: () => void) {
    this.#bell = bell;
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
    this.#bell.reachedBy = canWaitAsync ? C.ON_BELL : C.ON_CHANNEL;
    const heard = (): void => this.#heard();
    const ringing = canWaitAsync ? this.#bell.ringing() : undefined;
    if (ringing !== undefined) void ringing.then(heard);
    // It may have been rung by somebody who did not know yet how to reach it.
    else if (canWaitAsync || this.#bell.isRung) queueRealMicrotask(heard);
    else this.#lookAgain();
  }

  /** Tells an agent that waits on the channel that its bell has been rung. */
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
      if (this.#bell.isRung) this.#heard();
      else this.#lookAgain();
    };
    this.#looker ??= setRealTimeout(look, lookMs);
    unref(this.#looker);
  }

  #heard(): void {
    if (!this.#isListening || this.#isClosed) return;
    this.#isListening = false;
    this.#bell.reachedBy = C.AWAKE;
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
