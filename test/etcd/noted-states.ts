/**
 * All copies of a domain's state that this process keeps, its clients' own among them, noted where
 * they must agree.
 */

import { Replica } from '../../src/backends/etcd/replica.ts';

/**
 * Whether nothing can have been left out of what a copy is: not so after the end of a session,
 * which the chain does not count.
 */
export function isCertain({ revision, chainRevision, resetRevision }: Replica): boolean {
  return revision === chainRevision || revision === resetRevision;
}

/** Calls `note` after such steps of each copy, until the function that it returns is called. */
export function noteStates(note: (replica: Replica) => void): () => void {
  const { apply, reset } = Replica.prototype;
  Replica.prototype.apply = function (this: Replica, ...args) {
    const news = apply.apply(this, args);
    if (isCertain(this)) note(this);
    return news;
  };
  Replica.prototype.reset = function (this: Replica, ...args) {
    const news = reset.apply(this, args);
    if (isCertain(this)) note(this);
    return news;
  };
  return () => {
    Object.assign(Replica.prototype, { apply, reset });
  };
}
