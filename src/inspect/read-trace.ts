/** Reads the events of domains from a trace, in the order of their times. */

import { ProtocolError } from '../api/errors.ts';
import { type EventName, eventNames, type RequestOutcome } from '../api/events.ts';
import type { NamedSet } from '../api/sets.ts';
import { eventCategory } from './trace-format.ts';

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
}

type Json = Readonly<Record<string, unknown>>;

const names: ReadonlySet<unknown> = new Set(eventNames);

/**
 * Reads both forms of the format: an array, one event a line, perhaps not closed; or an object with
 * `traceEvents`. Events of other categories are ignored.
 *
 * @throws ProtocolError for an invalid trace.
 */
export function readTrace(text: string): readonly TracedEvent[] {
  const events = text.trimStart().startsWith('{') ? ofObject(text) : ofLines(text);
  const traced = events.flatMap((event) => (event['cat'] === eventCategory ? tracedOf(event) : []));
  return traced.sort((a, b) => a.timeUs - b.timeUs);
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
  const { domain, id, set } = isObject(args) ? args : {};
  const isWhole =
    names.has(name) &&
    [ts, pid, tid, id].every(Number.isFinite) &&
    isObject(domain) &&
    typeof domain['backend'] === 'string' &&
    typeof domain['name'] === 'string' &&
    isObject(set) &&
    isList(set['exclusive']) &&
    isList(set['shared']);
  if (!isWhole) throw new ProtocolError(`an event of the trace is incomplete: ${String(name)}`);
  return { ...(args as Json), name, timeUs: ts, pid, threadId: tid } as TracedEvent;
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
