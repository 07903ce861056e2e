/**
 * A simulated process: it has a clock that runs fast or slow, may be stopped and go on (SIGSTOP, a
 * long collection of garbage), and may be killed.
 *
 * All that happens in it comes in as events, by {@link Machine.receive} or a timer. While it is
 * stopped they wait, and time goes on; then they come in the order in which they were due, but for
 * timers and messages, which may pass each other. Once it is dead nothing happens in it any more.
 */

import type { World } from './world.ts';

type Life = 'running' | 'stopped' | 'dead';
type Kind = 'message' | 'timer';

interface Held {
  readonly kind: Kind;
  readonly run: () => void;
}

export class Machine {
  readonly name: string;
  /** Its ms for each ms of the world. */
  readonly rate: number;
  readonly #world: World;
  readonly #startMs: number;
  /** Between the time of day and the clock that never goes back. */
  #epochMs = 1_750_000_000_000;
  #life: Life = 'running';
  #held: Held[] = [];
  /** Called before each event that runs in it. */
  onRun: () => void = () => undefined;
  /** Stopped at least once since then: what it knows of time may be old. In ms of the world. */
  stoppedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(world: World, name: string, rate: number) {
    this.#world = world;
    this.name = name;
    this.rate = rate;
    this.#startMs = world.random.between(0, 1_000_000);
  }

  get life(): Life {
    return this.#life;
  }

  /** The monotonic clock of the process, in ms of its own. */
  nowMs(): number {
    return this.#startMs + this.#world.nowMs * this.rate;
  }

  /** Ms since 1970 by the time of day of the process, which {@link setTime} has set. */
  epochMs(): number {
    return this.#epochMs + this.nowMs();
  }

  /** The time of day is set forward or back; no timer moves with it. */
  setTime(byMs: number): void {
    this.#epochMs += byMs;
    this.#world.log(() => `${this.name} has its time of day set by ${byMs.toFixed(0)} ms`);
  }

  /** A timer by that clock; the result cancels it. */
  after(delayMs: number, run: () => void): () => void {
    let isOn = true;
    const fire = (): void => {
      if (!isOn) return;
      isOn = false;
      run();
    };
    const cancel = this.#world.clock.after(Math.max(0, delayMs) / this.rate, () =>
      this.#receive({ kind: 'timer', run: fire }),
    );
    return () => {
      isOn = false;
      cancel();
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** Something arrives from outside: it runs now, once the process goes on, or never. */
  receive(run: () => void): void {
    this.#receive({ kind: 'message', run });
  }

  stop(): void {
    if (this.#life !== 'running') return;
    this.#life = 'stopped';
    this.#world.log(() => `${this.name} is stopped`);
  }

  resume(): void {
    if (this.#life !== 'stopped') return;
    this.#life = 'running';
    this.stoppedUntilMs = this.#world.nowMs;
    this.#world.log(() => `${this.name} goes on`);
    const held = this.#held;
    this.#held = [];
    for (const { run } of this.#shuffled(held)) {
      this.#world.clock.after(0, () => this.receive(run));
    }
  }

  kill(): void {
    if (this.#life === 'dead') return;
    this.#life = 'dead';
    this.#held = [];
    this.#world.log(() => `${this.name} is killed`);
  }

  #receive(event: Held): void {
    if (this.#life === 'running') {
      this.onRun();
      event.run();
    } else if (this.#life === 'stopped') this.#held.push(event);
  }

  /** Messages in their order and timers in theirs, but the two in any. */
  #shuffled(held: readonly Held[]): Held[] {
    const messages = held.filter(({ kind }) => kind === 'message');
    const timers = held.filter(({ kind }) => kind === 'timer');
    const mixed: Held[] = [];
    while (messages.length > 0 || timers.length > 0) {
      const total = messages.length + timers.length;
      const next = this.#world.random.below(total) < messages.length ? messages : timers;
      mixed.push(next.shift() as Held);
    }
    return mixed;
  }
}
