/**
 * The values of keys: JSON, with as little in it as can be. What is read was written by any client,
 * perhaps of another version, or by anybody else: so it is checked.
 */

import { ProtocolError } from '../../api/errors.ts';
import { labelLengthMax, nameLengthMax, setSizeMax } from '../../api/limits.ts';
import { ALL, decodeParts, encodeParts } from '../../api/mode.ts';
import type { UnitRange } from '../../api/units.ts';
import type { RemoteRef, RemoteSet } from '../../remote/resources.ts';
import { quote } from '../../runtime/escape.ts';
import type { Json } from './calls.ts';

/** A set that waits or is held: what it wants now, and how it came. */
export interface SetEntry {
  readonly parts: RemoteSet;
  /** Its ordinal among the sets of one revision. */
  readonly at: number;
  /** When it was requested: ms since 1970, by the clock of its client. */
  readonly since: number;
  readonly label?: string | undefined;
  /** The label of the session that it went through, within its client. */
  readonly session?: string | undefined;
  /**
   * Sets that are kept while this one waits: its client's by number, and by SESSION/NUMBER those of
   * clients that wait for its client to end.
   */
  readonly holding?: readonly (number | string)[] | undefined;
  /** It comes before all that came before it. */
  readonly steal?: true | undefined;
  /**
   * Numbers of the units that it has. A set that takes units is granted only once it has recorded
   * them; from then on it is, whatever the capacity.
   */
  readonly held?: readonly HeldNumbers[] | undefined;
  /** Of its shared and exclusive resources, those with an asserted capacity when it came. */
  readonly metered?: readonly RemoteRef[] | undefined;
}

/** Ranges are ascending. */
export type HeldNumbers = readonly [resource: RemoteRef, ranges: readonly UnitRange[]];

/** The capacity of a resource. */
export interface CapacityEntry {
  readonly resource: RemoteRef;
  readonly count: number;
  readonly names?: readonly string[] | undefined;
  /** It came with a set, and is in force while a set is there that relies on it. */
  readonly isAsserted?: true | undefined;
  /**
   * Smaller capacities that were in force before, each with its revision: a set that waited then
   * for more units has been refused.
   */
  readonly falls?: readonly (readonly [revision: number, count: number])[] | undefined;
}

/** A client, as others see it. */
export interface SessionEntry {
  /** The id of its process. */
  readonly pid: number;
  /** The name of its machine. */
  readonly host: string;
  /** The label of its domain. */
  readonly label?: string | undefined;
}

/**
 * The operations of a transaction, besides the put of this: a reader of the log can see whether a
 * part of the transaction has been left out.
 */
export interface LinkEntry {
  readonly putCount: number;
  /** Keys. Those that were not there give no event. */
  readonly deleted: readonly string[];
}

/** Ordinals within one revision: more than a transaction may have operations. */
export const ordinalsMax = 1024;

export function writeSet({ parts, ...entry }: SetEntry): string {
  return JSON.stringify({ parts: encodeParts(parts), ...entry });
}

export function writeEntry(entry: SessionEntry | LinkEntry | CapacityEntry): string {
  return JSON.stringify(entry);
}

/** @throws ProtocolError */
export function readSet(key: string, value: string): SetEntry {
  const json = parse(key, value);
  const { at, since, label, session, holding, steal, held, metered } = json;
  const parts = decodeParts(json['parts'], isRef);
  const isRight =
    parts !== undefined &&
    parts.length <= setSizeMax &&
    isNumber(at) &&
    at < ordinalsMax &&
    typeof since === 'number' &&
    isLabel(label) &&
    isLabel(session) &&
    (holding === undefined || (Array.isArray(holding) && holding.every(isHolding))) &&
    (steal === undefined || steal === true) &&
    (held === undefined || (Array.isArray(held) && held.every(areHeld))) &&
    (metered === undefined || (Array.isArray(metered) && metered.every(isRef)));
  if (!isRight) throw strange(key);
  return { ...(json as unknown as SetEntry), parts };
}

/** @throws ProtocolError */
export function readCapacityEntry(key: string, value: string): CapacityEntry {
  const json = parse(key, value);
  const { resource, count, names, isAsserted, falls } = json;
  const isRight =
    isRef(resource) &&
    isUnitCount(count) &&
    (names === undefined || (isNameList(names) && names.length === count)) &&
    (isAsserted === undefined || isAsserted === true) &&
    (falls === undefined || (Array.isArray(falls) && falls.every(isFall)));
  if (!isRight) throw strange(key);
  return json as unknown as CapacityEntry;
}

/** @throws ProtocolError */
export function readSession(key: string, value: string): SessionEntry {
  const json = parse(key, value);
  const { pid, host, label } = json;
  if (!isNumber(pid) || typeof host !== 'string' || !isLabel(label)) throw strange(key);
  return json as unknown as SessionEntry;
}

/** @throws ProtocolError */
export function readLink(key: string, value: string): LinkEntry {
  const json = parse(key, value);
  const { putCount, deleted } = json;
  const isRight =
    isNumber(putCount) &&
    Array.isArray(deleted) &&
    deleted.every((each) => typeof each === 'string');
  if (!isRight) throw strange(key);
  return json as unknown as LinkEntry;
}

/** For what no client of this version has written. */
export function strange(key: string): ProtocolError {
  return new ProtocolError(
    `etcd has something at ${quote(key, 1000)} that this version of kds does not write: ` +
      'give the domain a name of its own, and one version of kds to all of its clients',
  );
}

function parse(key: string, value: string): Json {
  try {
    const json: unknown = JSON.parse(value);
    if (typeof json === 'object' && json !== null) return json as Json;
  } catch {
    // Reported below.
  }
  throw strange(key);
}

function isRef(ref: unknown): ref is RemoteRef {
  return typeof ref === 'string' ? ref.length <= nameLengthMax : isNumber(ref);
}

function areHeld(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2 || !isRef(value[0])) return false;
  const ranges: unknown = value[1];
  return Array.isArray(ranges) && ranges.every((range) => isPair(range) && range[1] > 0);
}

function isFall(value: unknown): boolean {
  return isPair(value) && isUnitCount(value[1]);
}

function isPair(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(isNumber);
}

function isNameList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isUnitCount(value: unknown): value is number {
  return isNumber(value) && value > 0 && value <= ALL;
}

function isHolding(value: unknown): boolean {
  return isNumber(value) || (typeof value === 'string' && /^[0-9a-f]{1,32}\/\d{1,16}$/.test(value));
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLabel(label: unknown): boolean {
  return label === undefined || (typeof label === 'string' && label.length <= labelLengthMax);
}
