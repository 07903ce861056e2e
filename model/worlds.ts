/** The small worlds that are explored, each to its end; what a world leaves out is absent. */

import { allCallers, type Caller, type World } from './explore.ts';

export interface NamedWorld extends World {
  readonly name: string;
  /** Walked with KDS_MODEL=large only, and then without vectors, which would not fit in memory. */
  readonly isLarge?: boolean;
  /** Walked with KDS_MODEL=large only. */
  readonly isWide?: boolean;
  /** Outcomes without which the world has not shown what it is there for. */
  readonly shows: readonly string[];
}

const plain: Caller = { sync: false, locked: 'wait' };
const failing: Caller = { sync: false, locked: 'fail' };
const ignoring: Caller = { sync: false, locked: 'ignore' };
const synchronous: Caller = { sync: true, locked: 'wait' };
const eachOneWay = [plain, failing, ignoring, synchronous];

const narrow: readonly NamedWorld[] = [
  {
    name: 'four sets on two resources: requests, ends, a part at a time',
    resourceCount: 2,
    setCountMax: 4,
    parts: 'one resource',
    shows: ['arrive: waiting', 'downgrade: done', 'release part: done'],
  },
  {
    name: 'three sets on three resources: requests and ends, a part at a time',
    resourceCount: 3,
    setCountMax: 3,
    parts: 'one resource',
    shows: ['arrive: waiting', 'downgrade: done', 'release part: done'],
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
    name: 'three sets on one resource: synchronous callers, who fail or ignore them, steals',
    resourceCount: 1,
    setCountMax: 3,
    steals: true,
    callers: eachOneWay,
    shows: ['arrive: locked', 'steal: granted'],
  },
  {
    name: 'two sets on resources of two and three units: tries, resizes, observers, end together',
    resourceCount: 2,
    setCountMax: 2,
    capacities: { a: 2, b: 3 },
    resizes: { a: [1, 2] },
    tries: true,
    observers: true,
    endsTogetherMax: 2,
    shows: ['arrive: waiting', 'try: done', 'resize: done', 'observe: waiting'],
  },
  {
    name: 'three sets on two resources of two units: requests and ends',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2, b: 2 },
    shows: ['arrive: waiting'],
  },
  {
    name: 'three sets on a resource of three units: synchronous callers, who ignore them, steals',
    resourceCount: 1,
    setCountMax: 3,
    capacities: { a: 3 },
    died: true,
    steals: true,
    callers: [plain, ignoring, synchronous],
    shows: ['arrive: granted', 'arrive: waiting', 'steal: granted'],
  },
  {
    name: 'three sets on a resource of up to three units: resizes, parts, upgrades, deaths',
    resourceCount: 1,
    setCountMax: 3,
    capacities: { a: 3 },
    resizes: { a: [1, 2, 3] },
    died: true,
    parts: 'any',
    upgrades: true,
    shows: ['resize: done', 'upgrade: done', 'upgrade: denied', 'downgrade: done'],
  },
  {
    name: 'two sets on a resource that is resized and one without a capacity: parts, upgrades',
    resourceCount: 2,
    setCountMax: 2,
    capacities: { a: 2 },
    resizes: { a: [1, 3] },
    parts: 'any',
    upgrades: true,
    shows: ['resize: done', 'upgrade: done', 'upgrade: denied'],
  },
  {
    name: 'two sets on two resources with asserted capacities: parts',
    resourceCount: 2,
    setCountMax: 2,
    asserted: { a: 2, b: 3 },
    parts: 'any',
    shows: ['arrive: capacity', 'arrive: waiting', 'release part: done'],
  },
  {
    name: 'three sets on resources of two and three units: grants kept while waiting',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2, b: 3 },
    holding: true,
    shows: ['arrive: deadlock', 'arrive: waiting'],
  },
  {
    name: 'three sets on a resource that is resized: synchronous callers are ignored, upgrades',
    resourceCount: 1,
    setCountMax: 3,
    capacities: { a: 2 },
    resizes: { a: [1] },
    upgrades: true,
    parts: 'any',
    callers: [ignoring, synchronous],
    shows: ['upgrade: denied', 'upgrade: done', 'resize: done'],
  },
];

/** Each is walked with one set fewer every day, and as it stands with KDS_MODEL=large. */
const wide: readonly NamedWorld[] = [
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
    name: 'three sets on three resources: steals, observers',
    resourceCount: 3,
    setCountMax: 3,
    steals: true,
    observers: true,
    shows: ['steal: granted', 'observe: waiting'],
  },
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
    name: 'three sets on two resources: synchronous callers, who fail or ignore them, steals',
    resourceCount: 2,
    setCountMax: 3,
    steals: true,
    callers: eachOneWay,
    shows: ['arrive: locked', 'steal: granted'],
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
    name: 'three sets on two resources of two units, one of which is resized: some end together',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2, b: 2 },
    resizes: { a: [1, 2] },
    endsTogetherMax: 2,
    shows: ['resize: done', 'arrive: waiting', 'arrive: capacity'],
  },
  {
    name: 'three sets on two resources of two units: observers, resizes',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2, b: 2 },
    resizes: { a: [1] },
    observers: true,
    shows: ['observe: waiting', 'observe: granted'],
  },
  {
    name: 'four sets on a resource with an asserted capacity of three, that is declared at times',
    resourceCount: 1,
    setCountMax: 4,
    asserted: { a: 3 },
    resizes: { a: [2] },
    died: true,
    tries: true,
    shows: ['arrive: capacity', 'arrive: waiting', 'try: granted'],
  },
  {
    name: 'four sets on a resource of two units and one without: grants kept while waiting',
    resourceCount: 2,
    setCountMax: 4,
    capacities: { a: 2 },
    holding: true,
    shows: ['arrive: deadlock', 'arrive: waiting'],
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
    name: 'three sets on a resource of two units and one without: deaths, parts, steals',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2 },
    died: true,
    parts: 'one resource',
    steals: true,
    shows: ['arrive: waiting', 'steal: granted', 'downgrade: done', 'release part: done'],
  },
  {
    name: 'three sets on a resource that is given a capacity while in use, observers, steals',
    resourceCount: 1,
    setCountMax: 3,
    resizes: { a: [1, 2, 3] },
    steals: true,
    observers: true,
    died: true,
    shows: ['resize: done', 'observe: waiting', 'arrive: capacity'],
  },
  {
    name: 'four sets on a resource of three units: tries, deaths, parts, steals, some end together',
    resourceCount: 1,
    setCountMax: 4,
    capacities: { a: 3 },
    died: true,
    parts: 'any',
    tries: true,
    steals: true,
    endsTogetherMax: 3,
    shows: ['arrive: waiting', 'try: granted', 'steal: granted', 'downgrade: done'],
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
];

const large: readonly NamedWorld[] = [
  {
    name: 'three sets on resources of two and three units and one without: grants kept',
    resourceCount: 3,
    setCountMax: 3,
    capacities: { a: 2, b: 3 },
    holding: true,
    shows: ['arrive: deadlock', 'arrive: waiting'],
  },
  {
    name: 'three sets on a resource that is resized and one without a capacity: parts, upgrades',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 2 },
    resizes: { a: [1, 3] },
    parts: 'any',
    upgrades: true,
    shows: ['resize: done', 'upgrade: done', 'upgrade: denied'],
  },
  {
    name: 'four sets on two resources of two units: grants kept while waiting',
    resourceCount: 2,
    setCountMax: 4,
    capacities: { a: 2, b: 2 },
    holding: true,
    shows: ['arrive: deadlock', 'arrive: waiting'],
  },
  {
    name: 'three sets on two resources with asserted capacities: parts',
    resourceCount: 2,
    setCountMax: 3,
    asserted: { a: 2, b: 3 },
    parts: 'any',
    shows: ['arrive: capacity', 'arrive: waiting', 'release part: done'],
  },
  {
    name: 'three sets on two resources of up to three units: parts, upgrades, resizes, deaths',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 3, b: 2 },
    resizes: { a: [2] },
    died: true,
    parts: 'one resource',
    upgrades: true,
    shows: ['resize: done', 'upgrade: done', 'arrive: capacity'],
  },
  {
    name: 'three sets on two resources of up to three units: tries, steals, some end together',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 3, b: 2 },
    tries: true,
    steals: true,
    endsTogetherMax: 2,
    shows: ['steal: granted', 'try: granted', 'arrive: waiting'],
  },
  {
    name: 'three sets on two resources of up to three units: observers, resizes',
    resourceCount: 2,
    setCountMax: 3,
    capacities: { a: 3, b: 2 },
    resizes: { a: [2] },
    observers: true,
    shows: ['resize: done', 'observe: waiting'],
  },
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

const everyDay = [...narrow, ...wide.map(withOneSetFewer)];

export const worldsToWalk: readonly NamedWorld[] =
  process.env['KDS_MODEL'] === 'large'
    ? [
        ...everyDay,
        ...wide.map((world) => ({ ...world, isWide: true })),
        ...large.map((world) => ({ ...world, isLarge: true })),
      ]
    : everyDay;

function withOneSetFewer(world: NamedWorld): NamedWorld {
  const words = ['two', 'three', 'four', 'five'];
  const setCountMax = world.setCountMax - 1;
  const name = world.name.replace(/^\w+/, words[setCountMax - 2] as string);
  return { ...world, name, setCountMax };
}

/** The scripts have no units yet, and no synchronous callers: such worlds are core's alone. */
export function isPlayedByRedis(world: NamedWorld): boolean {
  const { capacities, asserted, resizes, callers, isLarge } = world;
  const hasUnits = (capacities ?? asserted ?? resizes) !== undefined;
  return !hasUnits && callers === undefined && isLarge !== true;
}

/** Two, so that sessions notify each other, unless sets of one world end in one call. */
export function sessionCountOf({ endsTogetherMax = 1 }: World): number {
  return endsTogetherMax > 1 ? 1 : 2;
}
