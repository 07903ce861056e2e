/**
 * One transaction about sets of this client's: what it asks to be so, and what it then does.
 *
 * A set is put, or deleted, and the marks that go with that are set or cleared in the same
 * transaction; where there are too many, as many as fit are done first, and the rest in the next,
 * while the set is still there, so that nobody is granted what is marked only later.
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

/** Etcd takes 128 operations in a transaction, and as many comparisons, unless told otherwise. */
export const operationsMax = 120;
/** Etcd takes 1.5 MiB in all, unless told otherwise. */
const bytesMax = 1_000_000;

/** Whom a thief robs: all of them, if the last transaction that the chain counts is that one. */
export interface Victims {
  readonly sets: readonly LiveSet[];
  readonly chainRevision: number;
}

/** What it does for one set. */
export interface Step {
  readonly own: OwnSet;
  readonly marks: readonly (readonly [name: string, isSet: boolean])[];
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
    const isDeletion = own.isEnding && [...own.marks.values()].every((isSet) => !isSet);
    if (!isDeletion || this.isFull || !this.add(own, undefined)) return false;
    // It does nothing the second time, so that it ends no later chain.
    if (own.modRevision > 0) this.compares.push(changedAt(own.key, own.modRevision));
    return true;
  }

  /** What is due of a set; false, and nothing is added, if it does not fit here. */
  add(own: OwnSet, victims: Victims | undefined): boolean {
    const isFirst = this.steps.length === 0;
    const isThief = own.entry.steal === true && own.modRevision === 0 && !own.isEnding;
    const room = operationsMax - this.operations.length - 1;
    if (!isFirst && (own.isAlone || isThief || own.marks.size > room)) return false;
    const marks = [...own.marks].slice(0, room);
    const isWhole = marks.length === own.marks.size;
    const put = isWhole && !own.isEnding ? this.#entryOf(own) : undefined;
    const value = put === undefined ? '' : writeEntry(put);
    const byteCount = own.key.length + Buffer.byteLength(value);
    if (!isFirst && this.#byteCount + byteCount > bytesMax) return false;
    this.#byteCount += byteCount;
    this.#isFull = own.isAlone || isThief || !isWhole;
    this.#compare(own, marks.length > 0);
    for (const [name, isSet] of marks) this.operations.push(markOf(this.#keys, name, isSet));
    if (isThief) this.#rob(victims);
    if (put !== undefined) {
      own.entry = put;
      own.isSent = true;
      this.operations.push(putOf(own.key, value));
    }
    const isDelete = isWhole && own.isEnding;
    if (isDelete) this.operations.push(deleteOf(own.key));
    this.steps.push({ own, marks, put, isDelete });
    return true;
  }

  /** A new one has its place among those that come with it. */
  #entryOf({ entry, modRevision }: OwnSet): SetEntry {
    return modRevision === 0 ? { ...entry, at: this.steps.length } : entry;
  }

  /** So that what comes late, or twice, undoes nothing that was done since. */
  #compare({ key, modRevision, isEnding }: OwnSet, hasMarks: boolean): void {
    if (modRevision === 0 && !isEnding) this.compares.push(createdAt(key, 0));
    else if (hasMarks || !isEnding) this.compares.push(changedAt(key, modRevision));
  }

  /** As many as there is room for; the others, and the unknown, give way when they hear of it. */
  #rob(victims: Victims | undefined): void {
    this.operations.push(putOf(this.#keys.theft, '{}'));
    if (victims === undefined) return;
    const { sets, chainRevision } = victims;
    this.compares.push(changedAt(this.#keys.chain, chainRevision));
    for (const live of sets) {
      const burial = burialOf(this.#keys, live);
      const count = this.operations.length + burial.length + 1;
      if (count > operationsMax || this.compares.length >= operationsMax) continue;
      this.compares.push(changedAt(live.key, live.modRevision));
      this.operations.push(...burial);
    }
  }
}

/** A transaction that changes sets or marks, or brings a session: it counts and tells itself. */
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
 * A set of somebody's who has died, or is robbed, goes: what it holds exclusive, or held until it
 * was robbed, is marked, but for what nobody else can reach.
 */
export function burialOf(keys: Keys, live: LiveSet): Operation[] {
  const { key, session, entry, isGranted, isRobbed } = live;
  const refs =
    isGranted || isRobbed ? entry.exclusive.filter((ref) => typeof ref === 'string') : [];
  const marks = refs.map((ref) => markOf(keys, encodeResource(ref, session), true));
  return [...marks, deleteOf(key)];
}

function markOf(keys: Keys, name: string, isSet: boolean): Operation {
  return isSet ? putOf(keys.mark(name), '{}') : deleteOf(keys.mark(name));
}
