/**
 * Mode as data: a part is a resource and the units of it that a set takes, from 1 to ALL. Shared is
 * 1, exclusive is ALL. Only this module knows how parts are read from the two lists of a set, how
 * they are printed, and how formats encode them; everything else passes units on.
 */

import { quote } from '../runtime/escape.ts';
import type { NamedSet } from './sets.ts';

/** All units of a resource, as in core. */
export const ALL = 2 ** 26 - 1;

/** Units of a resource, 1 to ALL. A set names each resource in one part. */
export interface Part<Ref = string> {
  readonly resource: Ref;
  readonly units: number;
}

/** A part in JSON. */
export type EncodedPart<Ref = string> = readonly [resource: Ref, units: number | 'all'];

/**
 * How a set names a resource: alone, or together with other shared sets.
 *
 * @since 0.1.0
 */
export type Mode = 'exclusive' | 'shared';

/** The parts of two lists: a resource named twice counts once, and exclusive wins. */
export function partsOf<Ref>(
  exclusive: Iterable<Ref>,
  shared: Iterable<Ref> = [],
): readonly Part<Ref>[] {
  const units = new Map<Ref, number>();
  for (const resource of exclusive) units.set(resource, ALL);
  for (const resource of shared) if (!units.has(resource)) units.set(resource, 1);
  return Array.from(units, ([resource, count]) => ({ resource, units: count }));
}

/** The two lists of some parts. */
export function listsOf<Ref>(parts: readonly Part<Ref>[]): {
  readonly exclusive: readonly Ref[];
  readonly shared: readonly Ref[];
} {
  const exclusive: Ref[] = [];
  const shared: Ref[] = [];
  for (const { resource, units } of parts) (takesAll(units) ? exclusive : shared).push(resource);
  return { exclusive, shared };
}

/** Resources of which all units are taken: their holder may leave them half written. */
export function wholesIn<Ref>(parts: readonly Part<Ref>[]): readonly Ref[] {
  return listsOf(parts).exclusive;
}

/** The parts that a downgrade of the chosen resources leaves; those that it changed come last. */
export function downgraded<Ref>(
  parts: readonly Part<Ref>[],
  isChosen: (resource: Ref) => boolean,
): readonly Part<Ref>[] {
  const isLess = ({ resource, units }: Part<Ref>): boolean => units > 1 && isChosen(resource);
  const less = parts.filter(isLess).map(({ resource }) => ({ resource, units: 1 }));
  return [...parts.filter((part) => !isLess(part)), ...less];
}

export function takesAll(units: number): boolean {
  return units === ALL;
}

/** Whether two sets that take these units of a resource exclude each other. */
export function conflict(units: number, others: number): boolean {
  return units + others > ALL;
}

export function modeOf(units: number): Mode {
  return takesAll(units) ? 'exclusive' : 'shared';
}

/** The units that a set takes of a resource; 0 if it does not name it. */
export function unitsIn({ exclusive, shared }: NamedSet, name: string): number {
  if (exclusive.includes(name)) return ALL;
  return shared.includes(name) ? 1 : 0;
}

/** Of a set: `mixed` if it takes both. */
export type SetMode = Mode | 'mixed' | 'empty';

export function setModeOf({ exclusive, shared }: NamedSet): SetMode {
  if (exclusive.length > 0) return shared.length > 0 ? 'mixed' : 'exclusive';
  return shared.length > 0 ? 'shared' : 'empty';
}

/** The names of a set, exclusive ones first. */
export function namesIn({ exclusive, shared }: NamedSet): readonly string[] {
  return shared.length === 0 ? exclusive : [...exclusive, ...shared];
}

/** Prints a set: `exclusive "a", "b" and shared "c"`. */
export function describeSet({ exclusive, shared }: NamedSet): string {
  const lists: string[] = [];
  if (exclusive.length > 0) lists.push(`exclusive ${quoteAll(exclusive)}`);
  if (shared.length > 0) lists.push(`shared ${quoteAll(shared)}`);
  return lists.join(' and ');
}

function quoteAll(names: readonly string[]): string {
  return names.map((name) => quote(name)).join(', ');
}

// Encodings. The formats that contain them state their version.

export function encodeParts<Ref>(parts: readonly Part<Ref>[]): readonly EncodedPart<Ref>[] {
  return parts.map(({ resource, units }) => [resource, takesAll(units) ? 'all' : units]);
}

/** Whether it is a list of parts as this version encodes them: it takes 1 unit or all. */
export function areParts<Ref>(
  value: unknown,
  isResource: (resource: unknown) => resource is Ref,
): value is readonly EncodedPart<Ref>[] {
  if (!Array.isArray(value)) return false;
  for (const part of value as readonly unknown[]) {
    if (!Array.isArray(part) || part.length !== 2) return false;
    if (!isResource(part[0]) || (part[1] !== 'all' && part[1] !== 1)) return false;
  }
  return true;
}

/** Undefined for anything but a list of parts. */
export function decodeParts<Ref>(
  value: unknown,
  isResource: (resource: unknown) => resource is Ref,
): readonly Part<Ref>[] | undefined {
  if (!areParts(value, isResource)) return undefined;
  return value.map(([resource, units]) => ({ resource, units: units === 'all' ? ALL : units }));
}

/** The two lists of parts that have been checked. */
export function decodedLists<Ref>(parts: readonly EncodedPart<Ref>[]): {
  readonly exclusive: Ref[];
  readonly shared: Ref[];
} {
  const exclusive: Ref[] = [];
  const shared: Ref[] = [];
  for (const part of parts) (part[1] === 'all' ? exclusive : shared).push(part[0]);
  return { exclusive, shared };
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

export function encodeSet({ exclusive, shared }: NamedSet): readonly EncodedPart[] {
  return encodeParts(partsOf(exclusive, shared));
}

/** Undefined for anything but what {@link encodeSet} returns. */
export function decodeSet(value: unknown): NamedSet | undefined {
  const parts = decodeParts(value, (name) => typeof name === 'string');
  return parts && listsOf(parts);
}
