/**
 * An agent that joins: its thread has yet to show that it lives (signs.ts), and if it ended now,
 * no other thread would notice. So until then this stands in place of the arena's lock, and refuses
 * it: the agent begins no operation, and has neither the lock nor a set.
 */

import { LimitError, UnavailableError } from '../../api/errors.ts';
import type { Agent } from './agent.ts';
import { endJoining } from './agents.ts';
import { LIVE } from './control.ts';
import { showLife } from './signs.ts';

/** Nothing was done, and it can be done as soon as the domain is ready. */
export class NotReadyError extends UnavailableError {
  constructor() {
    super(
      'this domain is not ready: if its thread ended now, no other thread would notice. ' +
        'Nothing was done. Await domain.ready before calls that must answer at once',
    );
  }
}

/** Resolves when an agent has joined; with the reason, if it never does. */
export async function join(
  agent: Agent,
  doorbells: { notifyAll(): void },
): Promise<Error | undefined> {
  try {
    await showLife(agent, doorbells);
  } catch (cause) {
    const reason = 'the browser refuses this thread a Web Lock, by which its end would be noticed';
    return new UnavailableError(reason, { cause });
  }
  const { control, number, generation, isClosed } = agent;
  if (isClosed || endJoining(control, number, generation, LIVE)) return undefined;
  return new LimitError(
    'the arena was full, and another domain was opened instead of this one before it was ready',
  );
}

/** In place of the arena's lock. */
export class Joining {
  /** Resolves when the agent has joined; rejects with the reason if it never does. */
  readonly ready: Promise<void>;
  /** Resolves in both cases. */
  readonly over: Promise<void>;
  #resolve: () => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  #failure: Error | undefined = undefined;

  constructor() {
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Requests report the reason too, so a program need not await `ready`.
    this.over = this.ready.catch(() => undefined);
  }

  /** @throws NotReadyError; the reason, if the agent never joins. */
  take(): never {
    throw this.#failure ?? new NotReadyError();
  }

  tryTake(): boolean {
    return false;
  }

  letGo(): void {}

  wakeAll(): void {}

  admit(): void {
    this.#resolve();
  }

  fail(reason: Error): void {
    this.#failure = reason;
    this.#reject(reason);
  }
}
