/** A set of this client's: as it is to be in etcd, and as etcd is known to have it. */

import type { RemoteRef } from '../../remote/resources.ts';
import type { SetEntry } from './entries.ts';

/** An upgrade that is to be sent. `again`: the copy of the state was not the present one. */
export interface Upgrade {
  readonly refs: readonly RemoteRef[];
  readonly end: (outcome: 'done' | 'blocked' | 'again') => void;
}

export class OwnSet {
  readonly key: string;
  readonly number: number;
  /** What it is to be; of one that ends, what it was. */
  entry: SetEntry;
  /** It is to be there no more. */
  isEnding = false;
  /** Resources, as in keys, to be flagged (or cleared) before, or as, its key is next updated. */
  readonly flags = new Map<string, boolean>();
  /** Etcd may have it, as it was sent to a member. */
  isSent = false;
  /** Another client has deleted it: it is not sent, unless it is enqueued again. */
  isDeleted = false;
  /** What was last put, if that is known. */
  written: SetEntry | undefined = undefined;
  /** Of its key, as far as is known; 0 if it is not known to be there. */
  modRevision = 0;
  /** It goes in a transaction of its own, as it may be too large. */
  isAlone = false;
  /** It is granted, and is to record the numbers of its units. */
  isRecording = false;
  /** It may have recorded them: it is known only from the log. */
  hasSentRecord = false;
  upgrade: Upgrade | undefined = undefined;
  /** Attempts to revoke others' grants in its own transaction. */
  stealCount = 0;
  /** Called when etcd has it as it is to be, or never will. */
  readonly waiting: (() => void)[] = [];

  constructor(key: string, number: number, entry: SetEntry) {
    this.key = key;
    this.number = number;
    this.entry = entry;
  }

  /** Whether etcd lacks a change of it. */
  get isDue(): boolean {
    if (this.isDeleted) return false;
    if (this.isEnding) return this.isSent;
    if (this.isRecording || this.upgrade !== undefined) return true;
    return this.flags.size > 0 || this.entry !== this.written;
  }

  /** It takes the end of the queue, as if it had never been there. */
  enqueueAgain(): void {
    this.isDeleted = false;
    this.isSent = false;
    this.isRecording = false;
    this.hasSentRecord = false;
    this.written = undefined;
    this.modRevision = 0;
    const { held, metered, ...entry } = this.entry;
    this.entry = entry;
  }

  /** The log has it like this, with the numbers of its units or without. */
  noteRecord({ held }: SetEntry): void {
    this.hasSentRecord = false;
    if (held === undefined) return;
    this.isRecording = false;
    if (this.entry.held !== undefined) return;
    const isWritten = this.entry === this.written;
    this.entry = { ...this.entry, held };
    if (isWritten) this.written = this.entry;
  }

  endUpgrade(outcome: 'done' | 'blocked' | 'again'): void {
    this.upgrade?.end(outcome);
    this.upgrade = undefined;
  }

  resolveWaiters(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
