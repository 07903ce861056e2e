/** The small worlds that are explored, each to its end; what a world leaves out is absent. */

import { allCallers, type Caller, type World } from './explore.ts';

export interface NamedWorld extends World {
  readonly name: string;
  /** Walked with KDS_MODEL=large only. */
  readonly isLarge?: boolean;
  /** Outcomes without which the world has not shown what it is there for. */
  readonly shows: readonly string[];
}

const plain: Caller = { sync: false, locked: 'wait' };
const failing: Caller = { sync: false, locked: 'fail' };
const ignoring: Caller = { sync: false, locked: 'ignore' };
const synchronous: Caller = { sync: true, locked: 'wait' };
const eachOneWay = [plain, failing, ignoring, synchronous];

const everyDay: readonly NamedWorld[] = [
  {
    name: 'four sets on two resources: requests, tries, ends, deaths, parts',
    resourceCount: 2,
    setCountMax: 4,
    died: true,
    parts: 'any',
    doubled: true,
    tries: true,
    shows: ['arrive: waiting', 'try: done', 'downgrade: done', 'release part: done'],
  },
  {
    name: 'three sets on three resources: requests, tries, ends, deaths, a part at a time',
    resourceCount: 3,
    setCountMax: 3,
    died: true,
    parts: 'one resource',
    tries: true,
    shows: ['arrive: waiting', 'try: done', 'downgrade: done', 'release part: done'],
  },
  {
    name: 'four sets on three resources: requests and ends',
    resourceCount: 3,
    setCountMax: 4,
    shows: ['arrive: waiting'],
  },
  {
    name: 'four sets on two resources: up to three end at one moment',
    resourceCount: 2,
    setCountMax: 4,
    endsTogetherMax: 3,
    shows: ['arrive: waiting', 'remove all: done'],
  },
  {
    name: 'three sets on two resources: some end at one moment, deaths, steals, observers',
    resourceCount: 2,
    setCountMax: 3,
    endsTogetherMax: 3,
    died: true,
    steals: true,
    observers: true,
    shows: ['steal: granted', 'observe: waiting', 'remove all: done'],
  },
  {
    name: 'four sets on one resource: some end at one moment, synchronous callers are ignored',
    resourceCount: 1,
    setCountMax: 4,
    endsTogetherMax: 3,
    died: true,
    callers: [ignoring, synchronous],
    shows: ['arrive: granted', 'remove all: done'],
  },
  {
    name: 'three sets on two resources: steals, observers, deaths, parts',
    resourceCount: 2,
    setCountMax: 3,
    died: true,
    parts: 'any',
    steals: true,
    observers: true,
    shows: ['steal: granted', 'observe: granted', 'observe: waiting', 'downgrade: done'],
  },
  {
    name: 'three sets on three resources: steals, observers',
    resourceCount: 3,
    setCountMax: 3,
    steals: true,
    observers: true,
    shows: ['steal: granted', 'observe: waiting'],
  },
  {
    name: 'five sets on one resource: steals, observers, deaths',
    resourceCount: 1,
    setCountMax: 5,
    died: true,
    parts: 'any',
    steals: true,
    observers: true,
    shows: ['steal: granted', 'observe: granted', 'observe: waiting'],
  },
  {
    name: 'three sets on two resources: synchronous callers, who fail or ignore them, steals',
    resourceCount: 2,
    setCountMax: 3,
    steals: true,
    callers: eachOneWay,
    shows: ['arrive: locked', 'steal: granted'],
  },
  {
    name: 'three sets on two resources: synchronous callers, who fail or ignore them, a part',
    resourceCount: 2,
    setCountMax: 3,
    parts: 'one resource',
    callers: eachOneWay,
    shows: ['arrive: locked', 'downgrade: done', 'release part: done'],
  },
  {
    name: 'four sets on two resources: grants kept while waiting, steals',
    resourceCount: 2,
    setCountMax: 4,
    steals: true,
    holding: true,
    shows: ['arrive: deadlock', 'arrive: waiting'],
  },
  {
    name: 'three sets on three resources: grants kept while waiting',
    resourceCount: 3,
    setCountMax: 3,
    holding: true,
    shows: ['arrive: deadlock', 'arrive: waiting'],
  },
  {
    name: 'three sets on two resources: grants kept, synchronous callers ignored',
    resourceCount: 2,
    setCountMax: 3,
    holding: true,
    callers: eachOneWay,
    shows: ['arrive: deadlock', 'arrive: locked'],
  },
  {
    name: 'four sets on a resource of four units: tries, deaths, parts, steals, some end together',
    resourceCount: 1,
    setCountMax: 4,
    capacities: { a: 4 },
    died: true,
    parts: 'any',
    tries: true,
    steals: true,
    endsTogetherMax: 3,
    shows: ['arrive: waiting', 'try: granted', 'steal: granted', 'downgrade: done'],
  },
  {
    name: 'three sets on a resource of four units and one without: deaths, parts, steals',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 4 },
    died: true,
    parts: 'any',
    steals: true,
    shows: ['arrive: waiting', 'steal: granted', 'downgrade: done', 'release part: done'],
  },
  {
    name: 'three sets on resources of two and three units: requests, tries and ends',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2, b: 3 },
    tries: true,
    endsTogetherMax: 2,
    shows: ['arrive: waiting', 'try: done', 'remove all: done'],
  },
  {
    name: 'four sets on a resource of three units: synchronous callers, who ignore them, steals',
    resourceCount: 1,
    setCountMax: 4,
    capacities: { a: 3 },
    died: true,
    steals: true,
    callers: [plain, ignoring, synchronous],
    shows: ['arrive: granted', 'arrive: waiting', 'steal: granted'],
  },
];

const large: readonly NamedWorld[] = [
  {
    name: 'three sets on three resources: requests, tries, ends, deaths, any part',
    resourceCount: 3,
    setCountMax: 3,
    died: true,
    parts: 'any',
    doubled: true,
    tries: true,
    shows: ['release part: done'],
  },
  {
    name: 'four sets on three resources: requests, ends, a part at a time',
    resourceCount: 3,
    setCountMax: 4,
    parts: 'one resource',
    shows: ['release part: done'],
  },
  {
    name: 'three sets on three resources: steals, observers, deaths, parts',
    resourceCount: 3,
    setCountMax: 3,
    died: true,
    parts: 'any',
    steals: true,
    observers: true,
    shows: ['steal: granted', 'observe: waiting'],
  },
  {
    name: 'three sets on two resources: all kinds of callers, steals, deaths, parts',
    resourceCount: 2,
    setCountMax: 3,
    died: true,
    parts: 'any',
    steals: true,
    callers: allCallers,
    shows: ['arrive: locked', 'steal: granted'],
  },
  {
    name: 'three sets on three resources: synchronous callers, who fail or ignore them',
    resourceCount: 3,
    setCountMax: 3,
    callers: eachOneWay,
    shows: ['arrive: locked'],
  },
  {
    name: 'four sets on two resources: synchronous callers and who ignores them',
    resourceCount: 2,
    setCountMax: 4,
    callers: [ignoring, synchronous],
    shows: ['arrive: waiting'],
  },
  {
    name: 'four sets on three resources: grants kept while waiting',
    resourceCount: 3,
    setCountMax: 4,
    holding: true,
    shows: ['arrive: deadlock'],
  },
  {
    name: 'four sets on two resources: grants kept, synchronous callers ignored',
    resourceCount: 2,
    setCountMax: 4,
    holding: true,
    callers: [ignoring, synchronous],
    shows: ['arrive: deadlock'],
  },
];

export const worldsToWalk: readonly NamedWorld[] =
  process.env['KDS_MODEL'] === 'large'
    ? [...everyDay, ...large.map((world) => ({ ...world, isLarge: true }))]
    : everyDay;

/** The scripts have no units yet, and no synchronous callers: such worlds are core's alone. */
export function isPlayedByRedis({ capacities, callers, isLarge }: NamedWorld): boolean {
  return capacities === undefined && callers === undefined && isLarge !== true;
}

/** Two, so that sessions notify each other, unless sets of one world end in one call. */
export function sessionCountOf({ endsTogetherMax = 1 }: World): number {
  return endsTogetherMax > 1 ? 1 : 2;
}
