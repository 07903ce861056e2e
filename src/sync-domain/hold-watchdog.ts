/** Reports, once each, grants that are held for longer than expected. Revokes nothing. */

import { deliver } from '../domain/callback.ts';
import { watched } from '../domain/events.ts';
import { describe, type NamedSet } from '../domain/sets.ts';
import { Deadline } from '../event-loop/deadline.ts';
import type { Host } from './host.ts';
import { snapshotOf } from './snapshot.ts';

export interface HoldWarning {
  readonly id: number;
  readonly token: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  readonly session: string | undefined;
  /** For how long it has been held, in ms. */
  readonly heldMs: number;
  /** How many requests wait. */
  readonly pendingCount: number;
}

export class HoldWatchdog {
  readonly #host: Host;
  readonly #warnAfterMs: number;
  readonly #report: (warning: HoldWarning) => void;
  #deadline: Deadline | undefined;
  /** Tokens of those that are overdue and were told of. */
  #reported: ReadonlySet<number> = new Set();

  constructor(host: Host, warnAfterMs: number, report: (warning: HoldWarning) => void) {
    this.#host = host;
    this.#warnAfterMs = warnAfterMs;
    this.#report = report;
  }

  /** Something is held: its time runs. */
  watch(): void {
    this.#deadline ??= new Deadline(this.#warnAfterMs, () => this.#look());
  }

  /** Nothing is held any more, nor will be. */
  stop(): void {
    this.#deadline?.cancel();
  }

  #look(): void {
    this.#deadline = undefined;
    const host = this.#host;
    let nextMs = Number.POSITIVE_INFINITY;
    const overdue = new Set<number>();
    host.enter();
    for (const set of host.ownSets()) {
      if (!host.core.isGranted(set)) continue;
      const leftMs = host.sinceOf(set) + this.#warnAfterMs - host.clock.now();
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else overdue.add(host.core.token(set));
    }
    host.leave();
    const fresh = [...overdue].filter((token) => !this.#reported.has(token));
    this.#reported = overdue;
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#deadline = new Deadline(nextMs, () => this.#look());
    }
    if (fresh.length > 0) this.#tell(new Set(fresh));
  }

  #tell(tokens: ReadonlySet<number>): void {
    const host = this.#host;
    const { clock } = host;
    host.enter();
    const { held, pending } = snapshotOf(host);
    if (watched.isWatched) this.#note(tokens, pending.length);
    host.leave();
    const now = clock.toEpochMs(clock.now());
    for (const { id, token, set, label, session, since } of held) {
      if (token === undefined || !tokens.has(token)) continue;
      const heldMs = now - since;
      const pendingCount = pending.length;
      const warning = { id, token, set, label, session, heldMs, pendingCount };
      deliver({ deliver: () => this.#report(warning) });
    }
  }

  /** Within an operation. */
  #note(tokens: ReadonlySet<number>, pendingCount: number): void {
    const { core, clock, events } = this.#host;
    for (const set of this.#host.ownSets()) {
      const token = core.token(set);
      if (!core.isGranted(set) || !tokens.has(token)) continue;
      events.heldLong(set, token, clock.now() - this.#host.sinceOf(set), pendingCount);
    }
  }
}

/** Where nobody else is told: as a warning of the process, or on the console of a browser. */
export function reportAsWarning({ set, label, heldMs, pendingCount }: HoldWarning): void {
  const names = [...set.exclusive, ...set.shared].slice(0, 5).map(describe);
  const message =
    `${label === undefined ? 'a grant' : JSON.stringify(label)} has held ${names.join(', ')} ` +
    `for ${heldMs} ms, and ${pendingCount} request(s) wait in this domain`;
  const emitWarning = globalThis.process?.emitWarning as
    | ((message: string, type: string) => void)
    | undefined;
  if (emitWarning === undefined) console.warn(`kds: ${message}`);
  else emitWarning.call(globalThis.process, message, 'KdsHoldWarning');
}
