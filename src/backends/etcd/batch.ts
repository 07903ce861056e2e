/**
 * One transaction about sets of this client's: its compares, and its operations.
 *
 * A set is put, or deleted, and the flags that go with that are set or cleared in the same
 * transaction; where there are too many, as many as fit are done first, and the rest in the next,
 * while the set is still there, so that nobody is granted what is flagged only later.
 */

import {
  type Compare,
  changedAt,
  createdAt,
  deletedBy,
  deleteOf,
  type Operation,
  putOf,
} from './calls.ts';
import { type LinkEntry, type SetEntry, writeEntry } from './entries.ts';
import { encodeResource, type Keys } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { OwnSet } from './own-set.ts';

/** By default etcd takes 128 operations in a transaction, and as many compares. */
export const operationsMax = 120;
/** By default etcd takes 1.5 MiB in all. */
const bytesMax = 1_000_000;

/** The grants that a stealing request revokes, if that transaction is the last of the chain. */
export interface Victims {
  readonly sets: readonly LiveSet[];
  readonly chainRevision: number;
}

/** The part of a batch that concerns one set. */
export interface Step {
  readonly own: OwnSet;
  readonly flags: readonly (readonly [name: string, isSet: boolean])[];
  readonly put: SetEntry | undefined;
  readonly isDelete: boolean;
}

export class Batch {
  readonly steps: Step[] = [];
  readonly compares: Compare[] = [];
  readonly operations: Operation[] = [];
  readonly #keys: Keys;
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
    if (!isDeletion || this.isFull || !this.add(own, undefined)) return false;
    // It does nothing the second time, so that it ends no later chain.
    if (own.modRevision > 0) this.compares.push(changedAt(own.key, own.modRevision));
    return true;
  }

  /** What is due of a set; false, and nothing is added, if it does not fit here. */
  add(own: OwnSet, victims: Victims | undefined): boolean {
    const isFirst = this.steps.length === 0;
    const isStealing = own.entry.steal === true && own.modRevision === 0 && !own.isEnding;
    const room = operationsMax - this.operations.length - 1;
    if (!isFirst && (own.isAlone || isStealing || own.flags.size > room)) return false;
    const flags = [...own.flags].slice(0, room);
    const isWhole = flags.length === own.flags.size;
    const put = isWhole && !own.isEnding ? this.#entryOf(own) : undefined;
    const value = put === undefined ? '' : writeEntry(put);
    const byteCount = own.key.length + Buffer.byteLength(value);
    if (!isFirst && this.#byteCount + byteCount > bytesMax) return false;
    this.#byteCount += byteCount;
    this.#isFull = own.isAlone || isStealing || !isWhole;
    this.#compare(own, flags.length > 0);
    for (const [name, isSet] of flags) this.operations.push(flagOf(this.#keys, name, isSet));
    if (isStealing) this.#rob(victims);
    if (put !== undefined) {
      own.entry = put;
      own.isSent = true;
      this.operations.push(putOf(own.key, value));
    }
    const isDelete = isWhole && own.isEnding;
    if (isDelete) this.operations.push(deleteOf(own.key));
    this.steps.push({ own, flags, put, isDelete });
    return true;
  }

  /** A new one has its place among those that come with it. */
  #entryOf({ entry, modRevision }: OwnSet): SetEntry {
    return modRevision === 0 ? { ...entry, at: this.steps.length } : entry;
  }

  /** So that a late or repeated transaction undoes nothing that was done since. */
  #compare({ key, modRevision, isEnding }: OwnSet, hasMarks: boolean): void {
    if (modRevision === 0 && !isEnding) this.compares.push(createdAt(key, 0));
    else if (hasMarks || !isEnding) this.compares.push(changedAt(key, modRevision));
  }

  /** Revokes as many as there is room for; the other clients give way when they see it. */
  #rob(victims: Victims | undefined): void {
    this.operations.push(putOf(this.#keys.steal, '{}'));
    if (victims === undefined) return;
    const { sets, chainRevision } = victims;
    this.compares.push(changedAt(this.#keys.chain, chainRevision));
    for (const live of sets) {
      const removal = removalOf(this.#keys, live);
      const count = this.operations.length + removal.length + 1;
      if (count > operationsMax || this.compares.length >= operationsMax) continue;
      this.compares.push(changedAt(live.key, live.modRevision));
      this.operations.push(...removal);
    }
  }
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
 * exclusive, or held until it was revoked, are flagged, except those that no other client reaches.
 */
export function removalOf(keys: Keys, live: LiveSet): Operation[] {
  const { key, session, entry, isGranted, isRevoked } = live;
  const refs =
    isGranted || isRevoked ? entry.exclusive.filter((ref) => typeof ref === 'string') : [];
  const flags = refs.map((ref) => flagOf(keys, encodeResource(ref, session), true));
  return [...flags, deleteOf(key)];
}

function flagOf(keys: Keys, name: string, isSet: boolean): Operation {
  return isSet ? putOf(keys.flag(name), '{}') : deleteOf(keys.flag(name));
}
