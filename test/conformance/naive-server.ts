/**
 * The state of a host that is made of the oracle, and as slow: to see that the suite is not made to
 * the measure of one host, and that it notices when a host is broken.
 *
 * Clients reach it by messages that take a while and stay in order, both ways.
 */

import { DeadlockError, type Snapshot, type SnapshotEntry, WaitTimeoutError } from 'kds';
import type { OracleSet, OracleSpec } from 'kds/conformance';
import { type Fault, FaultyOracle } from './faulty-oracle.ts';

/** A request's owner. Told once of a grant or a refusal, and of a loss after a grant. */
export interface Owner {
  readonly label: string | undefined;
  readonly session: string | undefined;
  onGranted(set: Live, token: number, recovered: readonly string[]): void;
  onRefused(reason: unknown): void;
  onLost(): void;
}

interface Note {
  readonly id: number;
  readonly owner: Owner;
  sinceMs: number;
  token: number | undefined;
}

export type Live = OracleSet<Note>;

export interface Terms {
  readonly timeoutMs?: number | undefined;
  readonly steal?: boolean | undefined;
  readonly isTry?: boolean;
  readonly holding: readonly (Live | undefined)[];
}

export class NaiveServer {
  readonly fault: Fault | undefined;
  readonly #oracle: FaultyOracle<Note>;
  #clock = 0;
  #leaving: (() => Live | undefined)[] | undefined;

  constructor(fault?: Fault) {
    this.fault = fault;
    this.#oracle = new FaultyOracle(fault);
  }

  /** To the server or back. */
  send(message: () => void): void {
    queueMicrotask(() => queueMicrotask(message));
  }

  /** There and back, with what the server says. */
  ask<T>(question: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.send(() => {
        try {
          const answer = question();
          this.send(() => resolve(answer));
        } catch (error) {
          this.send(() => reject(error));
        }
      });
    });
  }

  tick(): number {
    this.#clock++;
    return this.#clock;
  }

  arrive(spec: OracleSpec, terms: Terms, owner: Owner): Live | undefined {
    const note = { id: this.tick(), owner, sinceMs: Date.now(), token: undefined };
    if (terms.steal === true && this.fault !== 'a steal waits') return this.#steal(spec, note);
    const kept = this.fault === 'a holding is ignored' ? [] : terms.holding;
    const holding = kept.filter((set): set is Live => this.isLive(set));
    const arrival = this.#oracle.arrive(spec, { holding });
    if (!('set' in arrival)) throw new Error('no caller is synchronous, and no set names units');
    const { set, outcome } = arrival;
    set.tag = note;
    const inTheWay = this.#oracle.inTheWay(set);
    const isBarging = terms.isTry === true && this.fault === 'a try barges past those who wait';
    if (isBarging && !inTheWay.some((other) => other.granted)) set.granted = true;
    if (set.granted) this.#tell([set]);
    else if (terms.timeoutMs === 0) this.timeOut(set, 0);
    else if (outcome === 'deadlock')
      this.#refuse(set, new DeadlockError(circle(holding, inTheWay)));
    return set;
  }

  observe(spec: OracleSpec, terms: Terms, owner: Owner): Live {
    const set = this.#oracle.observe(this.fault === 'settled waits for nobody' ? {} : spec);
    set.tag = { id: this.tick(), owner, sinceMs: Date.now(), token: undefined };
    if (set.granted) this.#tell([set]);
    else if (terms.timeoutMs === 0) this.timeOut(set, 0);
    return set;
  }

  timeOut(set: Live | undefined, timeoutMs: number): void {
    if (!this.isLive(set) || set.granted) return;
    const inTheWay = this.#oracle.inTheWay(set).map(({ modes, tag }) => {
      const names = [...modes.keys()].map((key) => `"${told(key)}"`);
      return `${names.join(', ')} of "${tag?.owner.label}"`;
    });
    const message = `not granted within ${timeoutMs} ms: ${inTheWay.join('; ')}`;
    this.#refuse(set, new WaitTimeoutError(message));
  }

  /** Ends a set, if it has not ended. */
  remove(set: Live | undefined, died = false): void {
    if (this.isLive(set)) this.#tell(this.#oracle.remove(set, died));
  }

  /** Ends sets at one moment, those of them that have not ended. */
  removeAll(sets: readonly (Live | undefined)[]): void {
    if (this.fault === 'sets that end together are ended one by one') {
      for (const set of sets) this.remove(set);
    } else {
      this.#tell(this.#oracle.removeAll(sets.filter((set): set is Live => this.isLive(set))));
    }
  }

  /** Ends, at one moment, all that is named in one go. */
  removeSoon(setOf: () => Live | undefined): void {
    if (this.#leaving === undefined) {
      const leaving: (() => Live | undefined)[] = [];
      this.#leaving = leaving;
      queueMicrotask(() => {
        this.#leaving = undefined;
      });
      this.send(() => this.removeAll(leaving.map((each) => each())));
    }
    this.#leaving.push(setOf);
  }

  downgrade(set: Live, part?: readonly string[]): void {
    if (this.fault === 'a downgrade lets go of all') this.remove(set);
    else this.#tell(this.#oracle.downgrade(set, part));
  }

  releasePart(set: Live, part: readonly string[]): void {
    this.#tell(this.#oracle.releasePart(set, part));
    if (set.modes.size === 0) this.remove(set);
  }

  isLive(set: Live | undefined): set is Live {
    return set !== undefined && this.#oracle.live.includes(set);
  }

  isUsed(key: string): boolean {
    return this.#oracle.isUsed(key);
  }

  /** Whoever holds some of the same, if the set itself has ended. */
  successorOf(set: Live): Live | undefined {
    return this.#oracle.live.find(
      (other) => other.granted && [...other.modes.keys()].some((key) => set.modes.has(key)),
    );
  }

  snapshot(): Snapshot {
    const sets = this.#oracle.live.filter((set) => !set.isObserver);
    const entries = sets.map((set) => this.#entryOf(set));
    const held = entries.filter(({ token }) => token !== undefined);
    held.sort((one, other) => (one.token as number) - (other.token as number));
    return { held, pending: entries.filter(({ token }) => token === undefined) };
  }

  #entryOf(set: Live): SnapshotEntry {
    const { id, token, owner, sinceMs } = set.tag as Note;
    const nearest = this.#oracle.nearestInTheWay(set).map(({ tag }) => tag?.id ?? 0);
    const namesIn = (wanted: string) =>
      [...set.modes].flatMap(([key, mode]) => (mode === wanted ? [told(key)] : []));
    return {
      id: this.fault === 'an id changes with the grant' ? (token ?? id) : id,
      set: { exclusive: namesIn('exclusive'), shared: namesIn('shared') },
      label: owner.label,
      session: owner.session,
      token,
      since: sinceMs,
      waitingFor: nearest.sort((one, other) => one - other),
    };
  }

  #steal(spec: OracleSpec, note: Note): Live {
    const { set, lost, granted } = this.#oracle.steal(spec);
    set.tag = note;
    for (const { tag } of lost) {
      if (this.fault !== 'a lost grant is not reported') this.send(() => tag?.owner.onLost());
    }
    this.#tell(granted);
    return set;
  }

  #tell(granted: readonly Live[]): void {
    for (const set of granted) {
      const note = set.tag as Note;
      if (set.isObserver) this.#oracle.remove(set);
      const token = this.fault === 'a token is the arrival' ? note.id : this.tick();
      note.token = token;
      note.sinceMs = Date.now();
      const { recovered } = this.#oracle;
      const marked = [...set.modes.keys()].filter((key) => recovered.has(key)).map(told);
      const known = this.fault === 'a revoked grant sets no recovered flag' ? [] : marked;
      this.send(() => note.owner.onGranted(set, token, known));
    }
  }

  #refuse(set: Live, reason: Error): void {
    const leaves = this.fault !== 'a time-out leaves its set in the queue';
    if (leaves || reason instanceof DeadlockError) this.remove(set);
    this.send(() => set.tag?.owner.onRefused(reason));
  }
}

/** A key tells a name from a handle without one. */
function told(key: string): string {
  return key.startsWith('=') ? key.slice(1) : key;
}

function circle(holding: readonly Live[], inTheWay: readonly Live[]): string {
  const labels = [...inTheWay, ...holding].map(({ tag }) => tag?.owner.label);
  return `this would wait for ever, by way of ${labels.join(', ')}`;
}
