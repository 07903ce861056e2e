/**
 * One transaction about sets of this client's: its compares, and its operations.
 *
 * A set is put, or deleted, and the flags that go with that are set or cleared in the same
 * transaction; where there are too many, as many as fit are done first, and the rest in the next,
 * while the set is still there, so that nobody is granted what is flagged only later.
 */

import {
  byteCountOf,
  type Compare,
  changedAt,
  createdAt,
  deletedBy,
  deleteOf,
  type Operation,
  putOf,
} from './calls.ts';
import type { DerivedState } from './derived-state.ts';
import { type LinkEntry, type SetEntry, writeEntry, writeSet } from './entries.ts';
import { encodeResource, type Keys } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { OwnSet } from './own-set.ts';
import type { Needs } from './units.ts';

/** By default etcd takes 128 operations in a transaction, and as many compares. */
export const operationsMax = 120;
/** By default etcd takes 1.5 MiB in all. */
export const bytesMax = 1_000_000;

/** The grants that a stealing request revokes, if that transaction is the last of the chain. */
export interface Victims {
  readonly sets: readonly LiveSet[];
  readonly state: DerivedState;
  readonly chainRevision: number;
}

/** The part of a batch that concerns one set. */
export interface Step {
  readonly own: OwnSet;
  readonly flags: readonly (readonly [name: string, isSet: boolean])[];
  readonly put: SetEntry | undefined;
  readonly isDelete: boolean;
  /** What was to be put before its needs were known; for a set that was there already. */
  readonly changed: SetEntry | undefined;
}

export class Batch {
  readonly steps: Step[] = [];
  readonly compares: Compare[] = [];
  readonly operations: Operation[] = [];
  readonly #keys: Keys;
  /** Values of other keys that it puts. */
  readonly #puts = new Map<string, string>();
  #byteCount = 0;
  #isFull = false;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** Whether nothing is to be added any more. */
  get isFull(): boolean {
    return this.#isFull || this.operations.length >= operationsMax || this.#byteCount >= bytesMax;
  }

  /**
   * The end of a set, if deletions are all that it takes, so that etcd needs no space for it. Adds
   * nothing and returns false if it takes more, or does not fit here.
   */
  addEnd(own: OwnSet): boolean {
    const isDeletion = own.isEnding && [...own.flags.values()].every((isSet) => !isSet);
    if (!isDeletion || this.isFull || !this.add(own, undefined, undefined)) return false;
    // It does nothing the second time, so that it ends no later chain.
    if (own.modRevision > 0) this.compares.push(changedAt(own.key, own.modRevision));
    return true;
  }

  /** What is due of a set; false, and nothing is added, if it does not fit here. */
  add(own: OwnSet, victims: Victims | undefined, needs: Needs | undefined): boolean {
    const isFirst = this.steps.length === 0;
    if (!isFirst && needs !== undefined && !this.#hasRoomFor(needs)) return false;
    const isStealing = own.entry.steal === true && own.modRevision === 0 && !own.isEnding;
    const flags = this.#flagsOf(own);
    const entry = own.isEnding ? undefined : this.#entryOf(own, needs);
    const value = entry === undefined ? '' : writeSet(entry);
    const putByteCount = own.key.length + Buffer.byteLength(value);
    // A large put has a transaction of its own, after the flags.
    const isWhole =
      flags.names.length === own.flags.size &&
      (flags.byteCount === 0 || flags.byteCount + putByteCount <= bytesMax);
    if (!isFirst && (own.isAlone || isStealing || !isWhole)) return false;
    const put = isWhole ? entry : undefined;
    const byteCount = flags.byteCount + (isWhole ? putByteCount : 0);
    if (!isFirst && this.#byteCount + byteCount > bytesMax) return false;
    this.#byteCount += byteCount;
    this.#isFull = own.isAlone || isStealing || !isWhole || needs?.isAlone === true;
    this.#compare(own, flags.names.length > 0);
    this.operations.push(...flags.operations);
    if (isStealing) this.#revoke(victims);
    // What depends on the copy is known to be so only when etcd has it.
    const changed = needs !== undefined && own.modRevision > 0 ? own.entry : undefined;
    if (put !== undefined) {
      if (changed === undefined) own.entry = put;
      else if (own.isRecording) own.hasSentRecord = true;
      own.isSent = true;
      this.operations.push(putOf(own.key, value));
      if (needs !== undefined) this.#addNeeds(needs);
    }
    const isDelete = isWhole && own.isEnding;
    if (isDelete) this.operations.push(deleteOf(own.key));
    this.steps.push({ own, flags: flags.names, put, isDelete, changed });
    return true;
  }

  /** A key is put once, and to one value. */
  #hasRoomFor({ compares, puts, isAlone }: Needs): boolean {
    if (isAlone) return false;
    const areSame = puts.every(([key, value]) => (this.#puts.get(key) ?? value) === value);
    const more = puts.length + 1;
    return (
      areSame &&
      this.compares.length + compares.length + 1 < operationsMax &&
      this.operations.length + more < operationsMax
    );
  }

  #addNeeds({ compares, puts }: Needs): void {
    this.compares.push(...compares);
    for (const [key, value] of puts) {
      if (!this.#puts.has(key)) this.operations.push(putOf(key, value));
      this.#puts.set(key, value);
    }
  }

  /** As many flags of a set as there is room for, by number and by size; one at least. */
  #flagsOf({ flags }: OwnSet) {
    const room = operationsMax - this.operations.length - 1;
    const names: (readonly [name: string, isSet: boolean])[] = [];
    const operations: Operation[] = [];
    let byteCount = 0;
    for (const [name, isSet] of flags) {
      const operation = flagOf(this.#keys, name, isSet);
      const more = byteCountOf(operation);
      if (names.length === room || (names.length > 0 && byteCount + more > bytesMax)) break;
      byteCount += more;
      names.push([name, isSet]);
      operations.push(operation);
    }
    return { names, operations, byteCount };
  }

  /** A new one has its ordinal among those of its transaction. */
  #entryOf({ entry: own, modRevision }: OwnSet, needs: Needs | undefined): SetEntry {
    const entry = needs?.entry ?? own;
    return modRevision === 0 ? { ...entry, at: this.steps.length } : entry;
  }

  /** So that a late or repeated transaction undoes nothing that was done since. */
  #compare({ key, modRevision, isEnding }: OwnSet, hasFlags: boolean): void {
    if (modRevision === 0 && !isEnding) this.compares.push(createdAt(key, 0));
    else if (hasFlags || !isEnding) this.compares.push(changedAt(key, modRevision));
  }

  /** Revokes as many as there is room for; the other clients give way when they see it. */
  #revoke(victims: Victims | undefined): void {
    this.operations.push(putOf(this.#keys.steal, '{}'));
    if (victims === undefined) return;
    const { sets, state, chainRevision } = victims;
    this.compares.push(changedAt(this.#keys.chain, chainRevision));
    for (const live of sets) {
      const removal = removalOf(this.#keys, live, state);
      const count = this.operations.length + removal.length + 1;
      const byteCount = byteCountOfAll(removal);
      if (count > operationsMax || this.compares.length >= operationsMax) continue;
      if (this.#byteCount + byteCount > bytesMax) continue;
      this.#byteCount += byteCount;
      this.compares.push(changedAt(live.key, live.modRevision));
      this.operations.push(...removal);
    }
  }
}

/** Parts of a list of operations, each of which fits into a transaction. */
export function inTransactions(operations: readonly Operation[]): readonly Operation[][] {
  const parts: Operation[][] = [];
  let room = 0;
  for (const operation of operations) {
    const byteCount = byteCountOf(operation);
    const last = parts.at(-1);
    if (last === undefined || last.length === operationsMax || byteCount > room) {
      parts.push([operation]);
      room = bytesMax;
    } else last.push(operation);
    room -= byteCount;
  }
  return parts;
}

export function byteCountOfAll(operations: readonly Operation[]): number {
  return operations.reduce((sum, operation) => sum + byteCountOf(operation), 0);
}

/** Operations that change sets or flags, or add a session: the chain counts and lists them. */
export function linked(keys: Keys, operations: readonly Operation[]): readonly Operation[] {
  const deleted = operations.flatMap(deletedBy);
  const entry: LinkEntry = { putCount: operations.length - deleted.length, deleted };
  return [putOf(keys.chain, writeEntry(entry)), ...operations];
}

/**
 * A transaction of deletions only, which etcd does also where it has no space for a put. It cannot
 * be counted, so it ends the chain: until there is one again, a copy is compared with the number of
 * all keys, and where one begins, all keys are read.
 */
export function uncounted(keys: Keys, deletions: readonly Operation[]): readonly Operation[] {
  return [deleteOf(keys.chain), ...deletions];
}

/**
 * Removes a set that is revoked, or whose session has expired. The resources that it holds
 * exclusive, or may hold, or held until it was revoked, are flagged, except those that no other
 * client reaches.
 */
export function removalOf(keys: Keys, live: LiveSet, state: DerivedState): Operation[] {
  const { key, session, entry, isGranted, isRevoked } = live;
  const isHeld = isGranted || isRevoked || state.mayHold(live);
  const wholes = isHeld ? state.wholesOf(entry.parts, session) : [];
  const refs = wholes.filter((ref) => typeof ref === 'string');
  const flags = refs.map((ref) => flagOf(keys, encodeResource(ref, session), true));
  return [...flags, deleteOf(key)];
}

function flagOf(keys: Keys, name: string, isSet: boolean): Operation {
  return isSet ? putOf(keys.flag(name), '{}') : deleteOf(keys.flag(name));
}
