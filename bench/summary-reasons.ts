/** Why a row stands where it stands: written by hand, printed only where the figures agree. */

import type { Standing } from './summary.ts';

type Reasons = Partial<Record<Standing, string>>;

const promiseReason = 'A grant is an object, whose `then` the engine reads as it resolves.';
const setAtOnce = 'The set is one request, of which the peers make one for each name.';
const roundTrips = 'The script that keeps the queue costs the server more than a SET.';

const reasons: Readonly<Record<number, Reasons>> = {
  2: { ahead: setAtOnce },
  3: { behind: promiseReason },
  4: {
    ahead: 'A hand-over does not depend on the length of the queue.',
    behind: 'A request has a set, a token and one order for all names; the peer has one name.',
  },
  6: { ahead: 'A waiter by direct callback needs no promise.' },
  9: {
    behind: 'An operation on the arena comes before the wake-up, which both have.',
  },
  13: {
    ahead: 'Edges between jobs follow from the queues, and are not stored.',
    behind: 'The peer has no dependencies: it is the price of a queue alone.',
  },
  14: { behind: 'Node starts a process more slowly than make and xargs do.' },
  15: { behind: 'The hand-over goes through three event loops, that of flock through the kernel.' },
  17: {
    behind: 'By the standard each callback is a task of its own; the peer calls from promises.',
  },
  19: { ahead: 'A set is one script at any size.', behind: roundTrips },
  20: { ahead: 'The next client is notified, where the peers poll.' },
  23: { ahead: 'The next client is notified, where the peers poll.' },
  24: { ahead: 'A set is one transaction, of which the peer makes one for each name.' },
  25: { ahead: 'The next client watches one key, where the peer polls.' },
  28: {
    ahead: 'A hand-over does not depend on the length of the queue.',
    behind: 'The peer has no weights and no named units: its queue is a list of functions.',
  },
  31: { ahead: 'Fewer modules are loaded.', behind: 'More modules are loaded (row 32).' },
  32: { behind: 'Its modules are chunks that its entry points share.' },
  33: {
    ahead: 'No hand-over waits for the main thread.',
    behind: 'Threads that slept for 10 ms wake with cold caches, with kds as without.',
  },
};

export function reasonOf(row: number, standing: Standing): string | undefined {
  return reasons[row]?.[standing];
}
