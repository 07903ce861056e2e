/**
 * Test vectors: each operation in each state of a small world, with what the rule makes of it, as
 * text that an engine in any language can replay. README.md describes the form.
 *
 * They are a tree: a step is done in the state that the step above it, one less deep, has left. So
 * an engine that can go back (rollBack, SAVEPOINT) does each step once.
 */

/** What a set wants of a resource: `x` exclusive, `s` shared, or a number of units. */
export interface Part {
  readonly name: string;
  readonly take: 'x' | 's' | number;
}

type Kind = 'ask' | 'try' | 'steal' | 'observe' | 'end' | 'die' | 'weaken' | 'release';

/** An operation. Sets have the numbers that their requests gave them. */
export interface Step {
  readonly kind: Kind;
  /** One set, but for `end` and `die`, where these end at one moment. */
  readonly sets: readonly number[];
  /** Of a request. */
  readonly parts: readonly Part[];
  /** Of `weaken` and `release`; undefined: all that the set holds. */
  readonly names: readonly string[] | undefined;
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

export type Word = 'granted' | 'waiting' | 'denied' | 'locked' | 'deadlock' | 'settled' | 'done';

/** A set that is granted by a step, and what the grant tells its holder. */
export interface GrantSeen {
  readonly set: number;
  readonly recovered: readonly string[];
  readonly ignored?: readonly string[];
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
  /** Resources that carry the recovered flag from now on. */
  readonly flagged: readonly string[];
}

const empty = '-';
const all = '*';

export function outcomeOf({ word, granted, settled, lost, flagged }: Seen): string {
  let text: string = word;
  for (const { set, recovered, ignored = [] } of granted) {
    text += ` +${set}`;
    if (recovered.length > 0) text += `!${recovered.toSorted().join()}`;
    if (ignored.length > 0) text += `~${ignored.toSorted().join()}`;
  }
  for (const set of inOrder(settled)) text += ` *${set}`;
  for (const set of inOrder(lost)) text += ` -${set}`;
  return flagged.length > 0 ? `${text} !${flagged.toSorted().join()}` : text;
}

export function textOf({ kind, sets, parts, names, isSync, locked, keeps }: Step): string {
  let text = `${kind} ${sets.join()}`;
  if (kind === 'weaken' || kind === 'release') return `${text} ${names?.join() ?? all}`;
  if (kind === 'end' || kind === 'die') return text;
  text += ` ${parts.map(({ name, take }) => take + name).join() || empty}`;
  if (isSync) text += ' sync';
  if (locked !== 'wait') text += ` ${locked}`;
  return keeps.length > 0 ? `${text} keeps=${keeps.join()}` : text;
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
  const [depth, kind, sets = '', what, ...terms] = line.slice(0, at).split(' ');
  const isPart = kind === 'weaken' || kind === 'release';
  const locked = terms.find((term) => term === 'fail' || term === 'ignore') ?? 'wait';
  const step: Step = {
    kind: kind as Kind,
    sets: sets.split(',').map(Number),
    parts: isPart ? [] : listOf(what).map(readPart),
    names: isPart && what !== all ? listOf(what) : undefined,
    isSync: terms.includes('sync'),
    locked: locked as Step['locked'],
    keeps: listOf(terms.find((term) => term.startsWith('keeps='))?.slice(6)).map(Number),
  };
  return { depth: Number(depth), step, outcome: line.slice(at + 4) };
}

function listOf(text: string | undefined): readonly string[] {
  return text === undefined || text === empty ? [] : text.split(',');
}

function readPart(text: string): Part {
  const take = text[0] as string;
  return { name: text.slice(1), take: take === 'x' || take === 's' ? take : Number(take) };
}

function inOrder(sets: readonly number[]): readonly number[] {
  return sets.length < 2 ? sets : sets.toSorted((one, other) => one - other);
}
