/** Reads the events of domains from a trace, in the order of their times. */

import { ProtocolError } from '../api/errors.ts';
import { type EventName, eventNames, type RequestOutcome } from '../api/events.ts';
import { decodeSet } from '../api/mode.ts';
import { versionMismatch } from '../api/refusals.ts';
import type { NamedSet } from '../api/sets.ts';
import type { Unit } from '../api/units.ts';
import { eventCategory, traceVersion, versionName } from './trace-format.ts';

/** An event as it was written; optional fields depend on its kind. */
export interface TracedEvent {
  readonly name: EventName;
  readonly timeUs: number;
  readonly pid: number;
  readonly domain: { readonly backend: string; readonly name: string };
  /** The thread that recorded it. */
  readonly threadId: number;
  readonly id: number;
  readonly set: NamedSet;
  readonly label?: string;
  readonly token?: number;
  readonly outcome?: RequestOutcome;
  readonly cause?: string;
  readonly isSync?: boolean;
  readonly ignoresLocked?: boolean;
  readonly steals?: boolean;
  readonly isAbandoned?: boolean;
  readonly recovered?: readonly string[];
  readonly ignored?: readonly string[];
  readonly units?: Readonly<Record<string, readonly Unit[]>>;
  readonly resource?: string;
  readonly capacity?: number;
  readonly isAsserted?: boolean;
  readonly names?: readonly Unit[];
}

type Json = Readonly<Record<string, unknown>>;

const names: ReadonlySet<unknown> = new Set(eventNames);

/**
 * Reads both forms of the format: an array, one event a line, perhaps not closed; or an object with
 * `traceEvents`. Events of other categories are ignored.
 *
 * @throws ProtocolError for an invalid trace, or one of another version.
 */
export function readTrace(text: string): readonly TracedEvent[] {
  const events = text.trimStart().startsWith('{') ? ofObject(text) : ofLines(text);
  const own = events.filter(({ cat }) => cat === eventCategory);
  checkVersions(events, own);
  return own.map(tracedOf).sort((a, b) => a.timeUs - b.timeUs);
}

/** Each process that wrote events has stated its version, which is this one. */
function checkVersions(events: readonly Json[], own: readonly Json[]): void {
  const versions = new Map<unknown, number>();
  for (const { name, pid, args } of events) {
    if (name !== versionName || !isObject(args)) continue;
    const version = Number(args['version']);
    if (version !== traceVersion) throw otherVersion(version);
    versions.set(pid, version);
  }
  if (own.some(({ pid }) => !versions.has(pid))) throw otherVersion(undefined);
}

function otherVersion(found: number | undefined): ProtocolError {
  const advice = 'check it with the kds that wrote it, or record it again with this one';
  return versionMismatch('the trace', found, traceVersion, advice);
}

function ofLines(text: string): readonly Json[] {
  return text.split('\n').flatMap((line, index) => {
    const bare = line.replace(/^\s*\[?/, '').replace(/[\],\s]*$/, '');
    if (bare === '') return [];
    // As it is first: the brackets at the end of an object may be its own.
    const value = parsed(line.trim().replace(/,$/, '')) ?? parsed(bare);
    if (isObject(value)) return [value];
    throw new ProtocolError(`line ${index + 1} of the trace is not an event`);
  });
}

function ofObject(text: string): readonly Json[] {
  const whole = parsed(text);
  if (!isObject(whole)) return ofLines(text);
  const { traceEvents = [whole] } = whole;
  if (Array.isArray(traceEvents) && traceEvents.every(isObject)) return traceEvents;
  throw new ProtocolError('traceEvents of the trace is not a list of events');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function tracedOf({ name, ts, pid, tid, args }: Json): TracedEvent {
  const { domain, id, parts, ...rest } = isObject(args) ? args : {};
  const set = decodeSet(parts);
  const isWhole =
    names.has(name) &&
    [ts, pid, tid, id].every(Number.isFinite) &&
    isObject(domain) &&
    typeof domain['backend'] === 'string' &&
    typeof domain['name'] === 'string' &&
    set !== undefined &&
    areUnits(rest['units'], rest['names']) &&
    (name !== 'kds.resource.capacity' || isCapacity(rest));
  if (!isWhole) throw new ProtocolError(`an event of the trace is incomplete: ${String(name)}`);
  return { ...rest, domain, id, set, name, timeUs: ts, pid, threadId: tid } as TracedEvent;
}

function areUnits(units: unknown = {}, names: unknown = []): boolean {
  return isObject(units) && [names, ...Object.values(units)].every(isUnitList);
}

function isUnitList(list: unknown): boolean {
  return (
    Array.isArray(list) &&
    list.every((unit) => typeof unit === 'string' || (Number.isInteger(unit) && unit >= 0))
  );
}

function isCapacity({ resource, capacity }: Json): boolean {
  return typeof resource === 'string' && Number.isInteger(capacity) && (capacity as number) > 0;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
