/** Reports, once each, grants that are held for longer than expected. Revokes nothing. */

import { eventFlags } from '../api/events.ts';
import { labelLengthMax } from '../api/limits.ts';
import type { NamedSet } from '../api/sets.ts';
import { namesOf } from '../report/blockers.ts';
import type { CoreReader } from '../report/core-reader.ts';
import { deliver } from '../runtime/delivery.ts';
import { quote } from '../runtime/escape.ts';
import { Timer } from '../runtime/timer.ts';

/** The operations that a watchdog uses. */
interface WatchedSource {
  readonly reader: CoreReader;
  readonly events: {
    heldLong(set: number, token: number, heldMs: number, pendingCount: number): void;
  };
  readonly port: { readonly owners: { sets(): readonly number[] } };
  begin(): void;
  commit(): void;
}

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
  readonly #host: WatchedSource;
  readonly #warnAfterMs: number;
  readonly #report: (warning: HoldWarning) => void;
  #deadline: Timer | undefined;
  /** More than one only if a test has faked the timers, or restored them, meanwhile. */
  readonly #deadlines = new Set<Timer>();
  /** Tokens of those that are overdue and were told of. */
  #reported: ReadonlySet<number> = new Set();

  constructor(host: WatchedSource, warnAfterMs: number, report: (warning: HoldWarning) => void) {
    this.#host = host;
    this.#warnAfterMs = warnAfterMs;
    this.#report = report;
  }

  /** Something is held: its time runs. */
  watch(): void {
    // One that was set by fake timers is never over once those are gone.
    if (this.#deadline?.isCurrent !== true) this.#lookIn(this.#warnAfterMs);
  }

  /** Nothing is held any more, nor will be. */
  stop(): void {
    for (const deadline of this.#deadlines) deadline.cancel();
    this.#deadlines.clear();
  }

  #lookIn(delayMs: number): void {
    const dueMs = this.#host.reader.clock.now() + delayMs;
    const deadline = new Timer(delayMs, () => {
      this.#deadlines.delete(deadline);
      if (this.#deadline === deadline) this.#deadline = undefined;
      this.#look(dueMs);
    });
    this.#deadline = deadline;
    this.#deadlines.add(deadline);
  }

  /** By the timers it is `dueMs`, though a clock beside faked timers may have stood still. */
  #look(dueMs: number): void {
    const host = this.#host;
    let nextMs = Number.POSITIVE_INFINITY;
    const overdue = new Set<number>();
    host.begin();
    const nowMs = Math.max(host.reader.clock.now(), dueMs);
    for (const set of host.port.owners.sets()) {
      if (!host.reader.core.isGranted(set)) continue;
      const leftMs = host.reader.sinceOf(set) + this.#warnAfterMs - nowMs;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else overdue.add(host.reader.core.token(set));
    }
    host.commit();
    const fresh = [...overdue].filter((token) => !this.#reported.has(token));
    this.#reported = overdue;
    if (nextMs < Number.POSITIVE_INFINITY) this.#lookIn(nextMs);
    if (fresh.length > 0) this.#tell(new Set(fresh), nowMs);
  }

  #tell(tokens: ReadonlySet<number>, nowMs: number): void {
    const host = this.#host;
    const { core } = host.reader;
    host.begin();
    const pendingCount = core.sets().filter((set) => !core.isGranted(set)).length;
    const warnings: HoldWarning[] = [];
    for (const set of host.port.owners.sets()) {
      const token = core.token(set);
      if (core.isGranted(set) && tokens.has(token))
        warnings.push(this.#note(set, pendingCount, nowMs));
    }
    host.commit();
    warnings.sort((one, other) => one.token - other.token);
    for (const warning of warnings) deliver({ deliver: () => this.#report(warning) });
  }

  /** Within an operation. */
  #note(set: number, pendingCount: number, nowMs: number): HoldWarning {
    const { events, reader } = this.#host;
    const token = reader.tokenOf(set);
    const heldMs = nowMs - reader.sinceOf(set);
    if (eventFlags.hasSubscribers) events.heldLong(set, token, heldMs, pendingCount);
    return {
      id: reader.idOf(set),
      token,
      set: namesOf(reader, set),
      label: reader.labelOf(set),
      session: reader.sessionLabelOf(set),
      heldMs,
      pendingCount,
    };
  }
}

/** Where nobody else is told: as a warning of the process, or on the console of a browser. */
export function reportAsWarning({ set, label, heldMs, pendingCount }: HoldWarning): void {
  const names = [...set.exclusive, ...set.shared].slice(0, 5).map((name) => quote(name));
  const who = label === undefined ? 'a grant' : quote(label, labelLengthMax);
  const message =
    `${who} has held ${names.join(', ')} ` +
    `for ${heldMs} ms, and ${pendingCount} request(s) wait in this domain`;
  const emitWarning = globalThis.process?.emitWarning as
    | ((message: string, type: string) => void)
    | undefined;
  if (emitWarning === undefined) console.warn(`kds: ${message}`);
  else emitWarning.call(globalThis.process, message, 'KdsHoldWarning');
}
