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
interface HoldSource {
  readonly reader: CoreReader;
  readonly events: {
    heldLong(set: number, token: number, heldMs: number, pendingCount: number): void;
  };
  readonly port: { readonly owners: { sets(): readonly number[] } };
  begin(): void;
  commit(): void;
}

/**
 * The report of a grant that has been held for longer than `holdWarningMs`.
 *
 * @since 0.1.0
 */
export interface HoldWarning {
  /** The id of the request, as in snapshots. */
  readonly id: number;
  /** The fencing token of the grant. */
  readonly token: number;
  /** The resources that it holds. */
  readonly set: NamedSet;
  /** The label of the request. */
  readonly label: string | undefined;
  /** The label of the session, or of the domain, that the request was made through. */
  readonly session: string | undefined;
  /** Time since the grant, ms. */
  readonly heldMs: number;
  /** Number of requests of the domain that wait. */
  readonly pendingCount: number;
}

export class HoldWatchdog {
  readonly #source: HoldSource;
  readonly #warnAfterMs: number;
  readonly #report: (warning: HoldWarning) => void;
  #timer: Timer | undefined;
  /** More than one only if a test has faked the timers, or restored them, meanwhile. */
  readonly #timers = new Set<Timer>();
  /** Tokens of the overdue grants that were reported. */
  #reported: ReadonlySet<number> = new Set();

  constructor(source: HoldSource, warnAfterMs: number, report: (warning: HoldWarning) => void) {
    this.#source = source;
    this.#warnAfterMs = warnAfterMs;
    this.#report = report;
  }

  /** Something is held: its time runs. */
  start(): void {
    // One that was set by fake timers is never over once those are gone.
    if (this.#timer?.isCurrent !== true) this.#checkIn(this.#warnAfterMs);
  }

  /** Nothing is held any more, nor will be. */
  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #checkIn(delayMs: number): void {
    const dueMs = this.#source.reader.clock.now() + delayMs;
    const timer = new Timer(delayMs, () => {
      this.#timers.delete(timer);
      if (this.#timer === timer) this.#timer = undefined;
      this.#check(dueMs);
    });
    this.#timer = timer;
    this.#timers.add(timer);
  }

  /** By the timers it is `dueMs`, though a clock beside faked timers may have stood still. */
  #check(dueMs: number): void {
    const source = this.#source;
    let nextMs = Number.POSITIVE_INFINITY;
    const overdue = new Set<number>();
    source.begin();
    const nowMs = Math.max(source.reader.clock.now(), dueMs);
    for (const set of source.port.owners.sets()) {
      if (!source.reader.core.isGranted(set)) continue;
      const leftMs = source.reader.sinceOf(set) + this.#warnAfterMs - nowMs;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else overdue.add(source.reader.core.token(set));
    }
    source.commit();
    const fresh = [...overdue].filter((token) => !this.#reported.has(token));
    this.#reported = overdue;
    if (nextMs < Number.POSITIVE_INFINITY) this.#checkIn(nextMs);
    if (fresh.length > 0) this.#warn(new Set(fresh), nowMs);
  }

  #warn(tokens: ReadonlySet<number>, nowMs: number): void {
    const source = this.#source;
    const { core } = source.reader;
    source.begin();
    const pendingCount = core.sets().filter((set) => !core.isGranted(set)).length;
    const warnings: HoldWarning[] = [];
    for (const set of source.port.owners.sets()) {
      const token = core.token(set);
      if (core.isGranted(set) && tokens.has(token))
        warnings.push(this.#warningOf(set, pendingCount, nowMs));
    }
    source.commit();
    warnings.sort((one, other) => one.token - other.token);
    for (const warning of warnings) deliver({ deliver: () => this.#report(warning) });
  }

  /** Within an operation. */
  #warningOf(set: number, pendingCount: number, nowMs: number): HoldWarning {
    const { events, reader } = this.#source;
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

/** Without a listener: as a warning of the process, or on the console of a browser. */
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
