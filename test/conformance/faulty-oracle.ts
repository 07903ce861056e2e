/** The oracle, and ways to break the rule in it on purpose. */

import { Oracle, type OracleSet } from 'kds/conformance';

/** The first ones are of the rule, the others of what a host makes of it. */
export const faults = [
  'a try barges past those who wait',
  'readers overtake a waiting writer',
  'who came last is granted first',
  'a cancelled set wakes nobody',
  'only the set right ahead is compared',
  'a steal waits',
  'a revoked grant sets no recovered flag',
  'a second release ends the next holder',
  'a token is the arrival',
  'a cancelled callback is called',
  'a callback is called twice',
  'a time-out leaves its set in the queue',
  'an abort has a reason of its own',
  'a downgrade lets go of all',
  'settled waits for nobody',
  'a closed session keeps what it holds',
  'sets that end together are ended one by one',
  'a lost grant is not reported',
  'a holding is ignored',
  'an id changes with the grant',
  'a name is trimmed',
  'a list that is undefined is an empty one',
  'a getter is read again',
  'a signal that aborts as it is listened to is overlooked',
  'a callback runs in the context of its releaser',
  'a callback that throws keeps its grant',
  'a run whose grant is revoked succeeds',
] as const;

export type Fault = (typeof faults)[number];

export class FaultyOracle<Tag> extends Oracle<Tag> {
  readonly fault: Fault | undefined;

  constructor(fault: Fault | undefined) {
    super();
    this.fault = fault;
  }

  override remove(set: OracleSet<Tag>, died = false): readonly OracleSet<Tag>[] {
    if (this.fault !== 'a cancelled set wakes nobody' || set.granted) {
      return super.remove(set, died);
    }
    this.live = this.live.filter((other) => other !== set);
    return [];
  }

  override inTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    const right = super.inTheWay(set);
    switch (this.fault) {
      case 'readers overtake a waiting writer': {
        const isReader = [...set.modes.values()].every((mode) => mode === 'shared');
        return right.filter((other) => !isReader || other.granted);
      }
      case 'who came last is granted first':
        return this.live.filter((other) => {
          const isLater = this.live.indexOf(other) > this.live.indexOf(set);
          return other !== set && collide(other, set) && (other.granted || isLater);
        });
      case 'only the set right ahead is compared':
        return right.filter((other) => isNeighbour(this.live, other, set));
      default:
        return right;
    }
  }
}

/** Whether they want some resource, and not both of them shared. */
function collide(one: OracleSet, other: OracleSet): boolean {
  return [...one.modes].some(([name, mode]) => {
    const others = other.modes.get(name);
    return others !== undefined && (mode === 'exclusive' || others === 'exclusive');
  });
}

/** Whether nobody stands between them in some queue. */
function isNeighbour(live: readonly OracleSet[], ahead: OracleSet, set: OracleSet): boolean {
  const between = live.slice(live.indexOf(ahead) + 1, live.indexOf(set));
  return [...set.modes.keys()].some(
    (name) => ahead.modes.has(name) && !between.some(({ modes }) => modes.has(name)),
  );
}
