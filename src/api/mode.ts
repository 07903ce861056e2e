/**
 * Mode as data: a part is a resource and the units of it that a set takes, from 1 to ALL. Shared is
 * 1, exclusive is ALL. Only this module knows how parts are read from the lists of a set, how they
 * are printed, and how formats encode them; everything else passes units on.
 */

import { quote } from '../runtime/escape.ts';
import type { NamedSet } from './sets.ts';

/** All units of a resource, as in core. */
export const ALL = 2 ** 26 - 1;

/** Units of a resource, 1 to ALL. A set names each resource in one part. */
export interface Part<Ref = string> {
  readonly resource: Ref;
  readonly units: number;
  /**
   * Present if it takes units of a resource with a capacity: the capacity that it asserts, or 0.
   * Without it a part of 1 unit is shared.
   */
  readonly of?: number;
}

/** A part in JSON: exclusive, shared, or units with {@link Part.of}. */
export type EncodedPart<Ref = string> =
  | readonly [resource: Ref, units: number | 'all']
  | readonly [resource: Ref, units: number, of: number];

/**
 * How a set names a resource: alone, together with other shared sets, or as a number of units.
 *
 * @since 0.1.0
 */
export type Mode = 'exclusive' | 'shared' | 'units';

/**
 * The parts of the lists of a set. A resource named twice counts once: exclusive wins, otherwise
 * the greater number of units.
 */
export function partsOf<Ref>(
  exclusive: Iterable<Ref>,
  shared: Iterable<Ref> = [],
  units: Iterable<Part<Ref>> = [],
): readonly Part<Ref>[] {
  const parts = new Map<Ref, Part<Ref>>();
  for (const resource of exclusive) parts.set(resource, { resource, units: ALL });
  for (const part of units) {
    const named = parts.get(part.resource);
    if (named === undefined || named.units < part.units) parts.set(part.resource, part);
  }
  for (const resource of shared) {
    if (!parts.has(resource)) parts.set(resource, { resource, units: 1 });
  }
  return [...parts.values()];
}

/** The parts as a set in events and messages. */
export function namedSetOf(parts: readonly Part[]): NamedSet {
  const exclusive: string[] = [];
  const shared: string[] = [];
  const units: [name: string, count: number][] = [];
  for (const part of parts) {
    const mode = modeOf(part);
    if (mode === 'units') units.push([part.resource, part.units]);
    else (mode === 'exclusive' ? exclusive : shared).push(part.resource);
  }
  if (units.length === 0) return { exclusive, shared };
  return { exclusive, shared, units: Object.fromEntries(units) };
}

/** Resources of which all units are taken: their holder may leave them half written. */
export function wholesIn<Ref>(parts: readonly Part<Ref>[]): readonly Ref[] {
  return parts.filter(({ units }) => takesAll(units)).map(({ resource }) => resource);
}

/**
 * The parts that are left if the chosen resources keep that many units, or become shared (1, and
 * `isMetered` false); those that this changed come last.
 */
export function downgraded<Ref>(
  parts: readonly Part<Ref>[],
  unitsLeft: (resource: Ref) => number | undefined,
  isMetered = false,
): readonly Part<Ref>[] {
  const kept: Part<Ref>[] = [];
  const less: Part<Ref>[] = [];
  for (const part of parts) {
    const { resource } = part;
    const units = unitsLeft(resource) ?? part.units;
    if (units >= part.units) kept.push(part);
    else if (isMetered || part.of !== undefined) less.push({ resource, units, of: part.of ?? 0 });
    else less.push({ resource, units });
  }
  return [...kept, ...less];
}

export function takesAll(units: number): boolean {
  return units === ALL;
}

/** Whether two sets that take these units of a resource exclude each other. */
export function conflict(units: number, others: number): boolean {
  return units + others > ALL;
}

export function modeOf({ units, of }: Pick<Part, 'units' | 'of'>): Mode {
  if (takesAll(units)) return 'exclusive';
  return of === undefined ? 'shared' : 'units';
}

/** How a set names a resource; undefined if it does not. */
export function modeIn(set: NamedSet, name: string): Mode | undefined {
  const units = unitsIn(set, name);
  if (takesAll(units)) return 'exclusive';
  if (units === 0) return undefined;
  return set.shared.includes(name) ? 'shared' : 'units';
}

/** The units that a set takes of a resource; 0 if it does not name it. */
export function unitsIn({ exclusive, shared, units }: NamedSet, name: string): number {
  if (exclusive.includes(name)) return ALL;
  const own = units !== undefined && Object.hasOwn(units, name) ? units[name] : undefined;
  return own ?? (shared.includes(name) ? 1 : 0);
}

/** Of a set: `mixed` if it has several modes. */
export type SetMode = Mode | 'mixed' | 'empty';

export function setModeOf({ exclusive, shared, units }: NamedSet): SetMode {
  const modes: Mode[] = [];
  if (exclusive.length > 0) modes.push('exclusive');
  if (units !== undefined) modes.push('units');
  if (shared.length > 0) modes.push('shared');
  return modes.length > 1 ? 'mixed' : (modes[0] ?? 'empty');
}

/** The names of a set, exclusive ones first. */
export function namesIn({ exclusive, shared, units }: NamedSet): readonly string[] {
  if (units === undefined) return shared.length === 0 ? exclusive : [...exclusive, ...shared];
  return [...exclusive, ...Object.keys(units), ...shared];
}

/** Prints a set: `exclusive "a", "b" and 2 units of "gpu" and shared "c"`. */
export function describeSet({ exclusive, shared, units = {} }: NamedSet): string {
  const lists: string[] = [];
  if (exclusive.length > 0) lists.push(`exclusive ${quoteAll(exclusive)}`);
  for (const [name, count] of Object.entries(units)) {
    lists.push(`${count} ${count === 1 ? 'unit' : 'units'} of ${quote(name)}`);
  }
  if (shared.length > 0) lists.push(`shared ${quoteAll(shared)}`);
  return lists.join(' and ');
}

function quoteAll(names: readonly string[]): string {
  return names.map((name) => quote(name)).join(', ');
}

// Encodings. The formats that contain them state their version.

export function encodeParts<Ref>(parts: readonly Part<Ref>[]): readonly EncodedPart<Ref>[] {
  return parts.map(({ resource, units, of }) => {
    if (of !== undefined) return [resource, units, of];
    return [resource, takesAll(units) ? 'all' : units];
  });
}

/** Whether it is a list of parts as this version encodes them. */
export function areParts<Ref>(
  value: unknown,
  isResource: (resource: unknown) => resource is Ref,
): value is readonly EncodedPart<Ref>[] {
  if (!Array.isArray(value)) return false;
  for (const part of value as readonly unknown[]) {
    if (!Array.isArray(part) || !isResource(part[0]) || !areUnits(part)) return false;
  }
  return true;
}

function areUnits(part: readonly unknown[]): boolean {
  const [, units, of] = part;
  if (part.length === 2) return units === 'all' || units === 1;
  return part.length === 3 && isCount(units) && units > 0 && isCount(of);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= ALL;
}

/** Undefined for anything but a list of parts. */
export function decodeParts<Ref>(
  value: unknown,
  isResource: (resource: unknown) => resource is Ref,
): readonly Part<Ref>[] | undefined {
  return areParts(value, isResource) ? value.map(decodePart) : undefined;
}

/** A part that has been checked. */
export function decodePart<Ref>([resource, units, of]: EncodedPart<Ref>): Part<Ref> {
  if (units === 'all') return { resource, units: ALL };
  return of === undefined ? { resource, units } : { resource, units, of };
}

/**
 * Units as the letter that a text begins with: links in Redis, where scripts match them in each
 * call. Eight digits in its place took a script 1 to 2 % longer (decision 24).
 */
export function encodeUnits(units: number): string {
  return takesAll(units) ? 'x' : 's';
}

/** The units that a text begins with. */
export function decodeUnits(text: string): number {
  return text.startsWith('x') ? ALL : 1;
}

export function encodeSet({ exclusive, shared, units = {} }: NamedSet): readonly EncodedPart[] {
  const counts = Object.entries(units).map(([resource, count]) => ({
    resource,
    units: count,
    of: 0,
  }));
  return encodeParts(partsOf(exclusive, shared, counts));
}

/** Undefined for anything but what {@link encodeSet} returns. */
export function decodeSet(value: unknown): NamedSet | undefined {
  const parts = decodeParts(value, (name) => typeof name === 'string');
  return parts && namedSetOf(parts);
}
