/**
 * Test vectors: each operation in each state of a small world, with what the rule makes of it, as
 * text that an engine in any language can replay. README.md describes the form.
 *
 * They are a tree: a step is done in the state that the step above it, one less deep, has left. So
 * an engine that can go back (rollBack, SAVEPOINT) does each step once.
 */

/**
 * What a set wants of a resource: `x` exclusive, `s` shared, or a number of units, which may assert
 * the capacity.
 */
export interface Part {
  readonly name: string;
  readonly take: 'x' | 's' | number;
  readonly of?: number | undefined;
}

type Kind =
  | 'ask'
  | 'try'
  | 'steal'
  | 'observe'
  | 'end'
  | 'die'
  | 'weaken'
  | 'release'
  | 'upgrade'
  | 'resize';

/** An operation. Sets have the numbers that their requests gave them. */
export interface Step {
  readonly kind: Kind;
  /** One set, but for `end` and `die`, where these end at one moment. */
  readonly sets: readonly number[];
  /** Of a request. */
  readonly parts: readonly Part[];
  /** Of `weaken`, `release` and `upgrade`; undefined: all that the set holds. */
  readonly names: readonly string[] | undefined;
  /** Of `weaken`, the units that are left of each of these; of `resize`, the new capacity. */
  readonly units?: Readonly<Record<string, number>>;
  readonly isSync: boolean;
  readonly locked: 'wait' | 'fail' | 'ignore';
  /** Sets that the caller keeps while it waits. */
  readonly keeps: readonly number[];
}

export interface Vector {
  /** Number of steps that lead to the state that this one is done in. */
  readonly depth: number;
  readonly step: Step;
  readonly outcome: string;
}

export type Word =
  | 'granted'
  | 'waiting'
  | 'denied'
  | 'locked'
  | 'capacity'
  | 'deadlock'
  | 'settled'
  | 'done';

/** A set that is granted by a step, and what the grant tells its holder. */
export interface GrantSeen {
  readonly set: number;
  readonly recovered: readonly string[];
  readonly ignored?: readonly string[];
  /** Of the units of resources with a capacity. */
  readonly numbers?: readonly (readonly [name: string, numbers: readonly number[]])[];
}

/** All that can be seen of a step. */
export interface Seen {
  readonly word: Word;
  /** In the order of their tokens. */
  readonly granted: readonly GrantSeen[];
  /** Observers for which nothing is left. */
  readonly settled: readonly number[];
  /** Sets whose grants were stolen. */
  readonly lost: readonly number[];
  /** Waiting sets that want more units than there are now. */
  readonly refused?: readonly number[];
  /** Resources that carry the recovered flag from now on. */
  readonly flagged: readonly string[];
}

const empty = '-';
const all = '*';

export function outcomeOf(seen: Seen): string {
  const { word, granted, settled, lost, refused = [], flagged } = seen;
  let text: string = word;
  for (const { set, recovered, ignored = [], numbers = [] } of granted) {
    text += ` +${set}`;
    if (recovered.length > 0) text += `!${recovered.toSorted().join()}`;
    if (ignored.length > 0) text += `~${ignored.toSorted().join()}`;
    const having = numbers.filter(([, each]) => each.length > 0);
    for (const [name, each] of having.toSorted()) text += `#${name}${each.join('.')}`;
  }
  for (const set of inOrder(settled)) text += ` *${set}`;
  for (const set of inOrder(lost)) text += ` -${set}`;
  for (const set of inOrder(refused)) text += ` %${set}`;
  return flagged.length > 0 ? `${text} !${flagged.toSorted().join()}` : text;
}

export function textOf(step: Step): string {
  const { kind, sets, parts, names, units = {}, isSync, locked, keeps } = step;
  if (kind === 'resize') return `resize ${textOfUnits(units)}`;
  let text = `${kind} ${sets.join()}`;
  if (kind === 'weaken' && names?.some((name) => Object.hasOwn(units, name))) {
    const left = Object.fromEntries(names.map((name) => [name, units[name] ?? 1]));
    return `${text} ${textOfUnits(left)}`;
  }
  if (kind === 'weaken' || kind === 'release' || kind === 'upgrade') {
    return `${text} ${names?.join() ?? all}`;
  }
  if (kind === 'end' || kind === 'die') return text;
  text += ` ${parts.map(textOfPart).join() || empty}`;
  if (isSync) text += ' sync';
  if (locked !== 'wait') text += ` ${locked}`;
  return keeps.length > 0 ? `${text} keeps=${keeps.join()}` : text;
}

function textOfPart({ name, take, of }: Part): string {
  return `${take}${of === undefined ? '' : `/${of}`}${name}`;
}

function textOfUnits(units: Readonly<Record<string, number>>): string {
  return Object.entries(units)
    .map(([name, count]) => `${name}=${count}`)
    .join();
}

/** Reads the steps of a world; its head is left out. */
export function* vectorsOf(text: string): Generator<Vector> {
  for (const line of text.slice(text.indexOf('\n\n') + 2).split('\n')) {
    if (line !== '') yield readVector(line);
  }
}

/** The resources of a world, and their capacities where any are declared. */
export function resourcesOf(text: string): ReadonlyMap<string, number | undefined> {
  const head = text.slice(0, text.indexOf('\n\n'));
  return new Map(
    [...head.matchAll(/^resource (\S+) ?(\d*)$/gm)].map(([, name = '', capacity = '']) => [
      name,
      capacity === '' ? undefined : Number(capacity),
    ]),
  );
}

function readVector(line: string): Vector {
  const at = line.indexOf(' -> ');
  const [depth, kind, ...words] = line.slice(0, at).split(' ');
  const [sets = '', what, ...terms] = kind === 'resize' ? ['', ...words] : words;
  const hasParts = kind === 'ask' || kind === 'try' || kind === 'steal' || kind === 'observe';
  const named = hasParts || what === all ? undefined : listOf(what).map((word) => word.split('='));
  const counted = named?.filter(([, count]) => count !== undefined) ?? [];
  const locked = terms.find((term) => term === 'fail' || term === 'ignore') ?? 'wait';
  const step: Step = {
    kind: kind as Kind,
    sets: listOf(sets).map(Number),
    parts: hasParts ? listOf(what).map(readPart) : [],
    names: named?.map(([name = '']) => name),
    units: Object.fromEntries(counted.map(([name, count]) => [name, Number(count)])),
    isSync: terms.includes('sync'),
    locked: locked as Step['locked'],
    keeps: listOf(terms.find((term) => term.startsWith('keeps='))?.slice(6)).map(Number),
  };
  return { depth: Number(depth), step, outcome: line.slice(at + 4) };
}

function listOf(text: string | undefined): readonly string[] {
  return text === undefined || text === '' || text === empty ? [] : text.split(',');
}

function readPart(text: string): Part {
  const [, take = '', of, name = ''] = /^([xs]|\d+)(?:\/(\d+))?(.+)$/.exec(text) ?? [];
  if (take === 'x' || take === 's') return { name, take };
  return { name, take: Number(take), of: of === undefined ? undefined : Number(of) };
}

function inOrder(sets: readonly number[]): readonly number[] {
  return sets.length < 2 ? sets : sets.toSorted((one, other) => one - other);
}
