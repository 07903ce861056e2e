/** All copies of a domain's state that this process keeps, its clients' own among them, noted. */

import { Replica } from '../../src/hosts/etcd/replica.ts';

/** Calls `note` after each step of each copy, until the function that it returns is called. */
export function noteFolds(note: (replica: Replica) => void): () => void {
  const { apply, reset } = Replica.prototype;
  Replica.prototype.apply = function (this: Replica, ...args) {
    const news = apply.apply(this, args);
    note(this);
    return news;
  };
  Replica.prototype.reset = function (this: Replica, ...args) {
    const news = reset.apply(this, args);
    note(this);
    return news;
  };
  return () => {
    Object.assign(Replica.prototype, { apply, reset });
  };
}
