/**
 * The messages of clients and broker (docs/protocol.md), and the check of a client's messages: the
 * operations and events of every remote backend (src/remote/protocol.ts), and the broker's own.
 */

import { ProtocolError } from '../../../api/errors.ts';
import { nameLengthMax, setSizeMax } from '../../../api/limits.ts';
import { ALL, areParts, type EncodedPart } from '../../../api/mode.ts';
import type { LockedPolicy } from '../../../api/options.ts';
import { areOuterGrants, type OuterGrant, outerGrantCountMax } from '../../../api/outer-grants.ts';
import { describe } from '../../../api/sets.ts';
import type { SnapshotCapacity, SnapshotEntry } from '../../../api/snapshot.ts';
import type { Capacity, UnitRange } from '../../../api/units.ts';
import type { GrantedEvent, Operation, SettledEvent } from '../../../remote/protocol.ts';
import type { RemoteRef } from '../../../remote/resources.ts';
import type { ErrorSent } from './errors.ts';
import type { Frame } from './frames.ts';
import { commandLengthMax, tokenMax } from './limits.ts';

export interface Hello {
  readonly do: 'hello';
  readonly version: number;
  readonly label?: string;
  readonly pid?: number;
  readonly command?: string;
  /** Grants of other clients, which are kept while a request of this client waits. */
  readonly under?: readonly OuterGrant[];
  /** The greatest token that it was given by a broker that has died. */
  readonly seen?: number;
}

/** Waits for a set; has it now or never; waits until nothing conflicts with it. */
export interface Ask {
  readonly do: 'acquire' | 'try' | 'settled';
  readonly id: number;
  readonly parts: readonly EncodedPart<RemoteRef>[];
  /** A session that the client has begun; 0, the default: the connection itself. */
  readonly session?: number;
  readonly label?: string;
  readonly timeoutMs?: number;
  readonly locked?: LockedPolicy;
  readonly steal?: boolean;
  /** Ids of grants. */
  readonly holding?: readonly number[];
  /** The queue position that it had at a broker that has died. */
  readonly queuePosition?: number;
}

/** The units that a grant has of a resource. */
export interface SentUnits {
  readonly resource: RemoteRef;
  /** Numbers, ascending. */
  readonly ranges: readonly UnitRange[];
  /** Their names; absent where units have none. */
  readonly names?: readonly string[];
  /** The capacity of the resource when they were granted. */
  readonly capacity: number;
  /** That the capacity was declared, and not asserted by a set. */
  readonly declared?: true;
}

/** Claims a grant of a broker that has died. */
export interface Reclaim {
  readonly do: 'reclaim';
  readonly id: number;
  readonly parts: readonly EncodedPart<RemoteRef>[];
  readonly session?: number;
  readonly label?: string;
  readonly token: number;
  /** When it was granted: ms since 1970. */
  readonly since?: number;
  readonly units?: readonly SentUnits[];
}

/** Declares the capacity of a resource: its number of units, or their names. */
export interface Declare {
  readonly do: 'declare';
  readonly id: number;
  readonly resource: RemoteRef;
  readonly capacity: number | readonly string[];
  /** Of a declaration that is repeated: as the broker that has died had it. */
  readonly order?: number;
}

/** Makes parts of a grant exclusive, or none. */
export interface Upgrade {
  readonly do: 'upgrade';
  readonly id: number;
  /** The id of the grant. */
  readonly grant: number;
  readonly part: readonly RemoteRef[];
}

export type ClientMessage =
  | Hello
  | Ask
  | Reclaim
  | Operation
  | {
      readonly do: 'session';
      readonly session: number;
      readonly parent?: number;
      readonly label?: string;
    }
  | { readonly do: 'end'; readonly id: number; readonly session?: number }
  | { readonly do: 'query'; readonly id: number }
  | { readonly do: 'close'; readonly id: number; readonly resource: RemoteRef }
  | { readonly do: 'capacity'; readonly id: number; readonly resource: RemoteRef }
  | Declare
  | Upgrade;

/**
 * The client of a set, as it described itself when it connected.
 *
 * @since 0.1.0
 */
export interface ClientInfo {
  /** Its number at the broker, in the order of connections. */
  readonly number: number;
  /** The label of its domain. */
  readonly label: string | undefined;
  /** The id of its process. */
  readonly pid: number | undefined;
  /** The command line of its process. */
  readonly command: string | undefined;
}

/**
 * An entry of a snapshot, with its client.
 *
 * @since 0.1.0
 */
export interface BrokerSnapshotEntry extends SnapshotEntry {
  /** The client of the set; undefined if it has just disconnected. */
  readonly client: ClientInfo | undefined;
}

/**
 * The sets of all clients of a broker at one moment, with the client of each.
 *
 * @since 0.1.0
 */
export interface BrokerSnapshot {
  /** The held sets, by token. */
  readonly held: readonly BrokerSnapshotEntry[];
  /** The waiting sets, in arrival order. */
  readonly pending: readonly BrokerSnapshotEntry[];
  /**
   * The resources that have a capacity, by name; absent without any.
   *
   * @since 0.2.0
   */
  readonly capacities?: readonly SnapshotCapacity[];
}

/** The same in a message. */
export type SentEntry = Omit<BrokerSnapshotEntry, 'set'> & {
  readonly parts: readonly EncodedPart[];
};

export interface SentSnapshot {
  readonly held: readonly SentEntry[];
  readonly pending: readonly SentEntry[];
  readonly capacities?: readonly SnapshotCapacity[];
}

export type BrokerMessage =
  | {
      readonly is: 'hello';
      readonly version: number;
      readonly client: number;
      readonly term: string;
      readonly pid: number;
      readonly graceMs: number;
    }
  | (Omit<GrantedEvent, 'units'> & { readonly units?: readonly SentUnits[] })
  | SettledEvent
  | { readonly is: 'waiting'; readonly id: number; readonly queuePosition: number }
  | { readonly is: 'ended' | 'closed'; readonly id: number }
  | { readonly is: 'declared'; readonly id: number; readonly order: number }
  | { readonly is: 'capacity'; readonly id: number; readonly capacity?: Capacity }
  | { readonly is: 'upgraded'; readonly id: number; readonly units?: readonly SentUnits[] }
  | ({ readonly is: 'refused' | 'lost'; readonly id: number } & ErrorSent)
  | ({ readonly is: 'snapshot'; readonly id: number } & SentSnapshot)
  | ({ readonly is: 'error'; readonly version: number } & ErrorSent);

/** @throws ProtocolError for anything but a client's message. */
export function readClientMessage(frame: Frame): ClientMessage {
  switch (frame['do']) {
    case 'acquire':
    case 'try':
    case 'settled':
      checkAsk(frame);
      break;
    case 'release':
      checkId(frame, 'id');
      checkRefs(frame, 'part');
      break;
    case 'downgrade':
      checkId(frame, 'id');
      checkRefs(frame, 'part');
      checkUnitsLeft(frame);
      break;
    case 'cancel':
      checkIds(frame, 'ids');
      break;
    case 'abandon':
    case 'query':
      checkId(frame, 'id');
      break;
    case 'end':
      checkId(frame, 'id');
      checkCount(frame, 'session');
      break;
    case 'session':
      checkId(frame, 'session');
      checkCount(frame, 'parent');
      checkText(frame, 'label');
      break;
    case 'close':
    case 'capacity':
      checkId(frame, 'id');
      checkResource(frame);
      break;
    case 'declare':
      checkDeclare(frame);
      break;
    case 'upgrade':
      checkId(frame, 'id');
      checkId(frame, 'grant');
      if (frame['part'] === undefined) throw wrong(frame, 'part', 'a list of names');
      checkRefs(frame, 'part');
      break;
    case 'reclaim':
      checkReclaim(frame);
      break;
    case 'hello':
      checkHello(frame);
      break;
    default:
      throw new ProtocolError(`a client does not send ${describe(frame['do'])}`);
  }
  return frame as unknown as ClientMessage;
}

function checkAsk(frame: Frame): void {
  const { timeoutMs, locked, steal, holding, queuePosition } = frame;
  checkSet(frame);
  if (timeoutMs !== undefined && !isAmount(timeoutMs)) {
    throw wrong(frame, 'timeoutMs', 'a number, 0 or more');
  }
  if (locked !== undefined && locked !== 'wait' && locked !== 'fail' && locked !== 'ignore') {
    throw wrong(frame, 'locked', "'wait', 'fail' or 'ignore'");
  }
  if (steal !== undefined && typeof steal !== 'boolean') throw wrong(frame, 'steal', 'a boolean');
  if (holding !== undefined) checkIds(frame, 'holding');
  if (queuePosition !== undefined) checkCount(frame, 'queuePosition');
}

function checkReclaim(frame: Frame): void {
  const { token, since, units } = frame;
  checkSet(frame);
  if (units !== undefined && !(Array.isArray(units) && units.every(areHeldUnits))) {
    throw wrong(frame, 'units', 'a list of the units that the grant has of each resource');
  }
  if (!isCount(token) || token > tokenMax) throw wrong(frame, 'token', 'a token');
  if (since !== undefined && !isAmount(since)) throw wrong(frame, 'since', 'a time');
}

function checkDeclare(frame: Frame): void {
  const { capacity } = frame;
  checkId(frame, 'id');
  checkCount(frame, 'order');
  checkResource(frame);
  // What the domain checks too, it refuses: here only what it could not be given.
  const isKnown = Array.isArray(capacity) ? capacity.every(isText) : isUnitCount(capacity);
  if (!isKnown) throw wrong(frame, 'capacity', `a number from 1 to ${ALL}, or a list of names`);
}

/** In place of a part, that is. */
function checkUnitsLeft(frame: Frame): void {
  const { units, part } = frame;
  if (units === undefined) return;
  const isLeft = (each: unknown): boolean => {
    return Array.isArray(each) && each.length === 2 && isRef(each[0]) && isUnitCount(each[1]);
  };
  if (part !== undefined || !Array.isArray(units) || !units.every(isLeft)) {
    throw wrong(frame, 'units', 'a list of [name, units], without a part');
  }
}

/** Whether it is one of {@link SentUnits}. */
function areHeldUnits(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { resource, ranges, names, capacity, declared } = value as Record<string, unknown>;
  if (!isRef(resource) || !isUnitCount(capacity)) return false;
  if (declared !== undefined && declared !== true) return false;
  const count = countIn(ranges);
  if (count === 0) return false;
  if (names === undefined) return true;
  if (!Array.isArray(names) || names.length !== count || !names.every(isText)) return false;
  const [from, length] = (ranges as readonly UnitRange[]).at(-1) as UnitRange;
  return from + length <= setSizeMax && names.every(({ length: size }) => size <= nameLengthMax);
}

/** The number of units in a list of ranges that ascend and are apart; 0 for anything else. */
function countIn(ranges: unknown): number {
  if (!Array.isArray(ranges)) return 0;
  let count = 0;
  let end = 0;
  for (const range of ranges as readonly unknown[]) {
    if (!Array.isArray(range) || range.length !== 2) return 0;
    const [from, length] = range as readonly unknown[];
    if (!isCount(from) || from < end || !isUnitCount(length)) return 0;
    end = from + length;
    count += length;
  }
  return end <= ALL ? count : 0;
}

function checkHello(frame: Frame): void {
  const { version, command, under } = frame;
  if (!isCount(version)) throw wrong(frame, 'version', 'a number');
  checkText(frame, 'label');
  checkText(frame, 'command');
  if (typeof command === 'string' && command.length > commandLengthMax) {
    throw wrong(frame, 'command', `a text of at most ${commandLengthMax} code units`);
  }
  checkCount(frame, 'pid');
  checkCount(frame, 'seen');
  if (under !== undefined && !areOuterGrants(under)) {
    throw wrong(frame, 'under', `a list of at most ${outerGrantCountMax} tokens, each with a pid`);
  }
}

function checkSet(frame: Frame): void {
  checkId(frame, 'id');
  checkCount(frame, 'session');
  checkText(frame, 'label');
  // Required: a client that names its resources in another way would lock none of them.
  if (!areParts(frame['parts'], isRef)) {
    throw wrong(frame, 'parts', "a list of [name, 1], [name, 'all'] or [name, units, of]");
  }
}

function checkId(frame: Frame, key: string): void {
  const value = frame[key];
  if (!isCount(value) || value === 0) throw wrong(frame, key, 'a whole number, 1 or more');
}

function checkIds(frame: Frame, key: string): void {
  const value = frame[key];
  if (!Array.isArray(value) || !value.every(isCount)) throw wrong(frame, key, 'a list of ids');
}

function checkCount(frame: Frame, key: string): void {
  const value = frame[key];
  if (value !== undefined && !isCount(value)) throw wrong(frame, key, 'a whole number, 0 or more');
}

function checkText(frame: Frame, key: string): void {
  const value = frame[key];
  if (value !== undefined && typeof value !== 'string') throw wrong(frame, key, 'a text');
}

function checkResource(frame: Frame): void {
  if (!isRef(frame['resource'])) throw wrong(frame, 'resource', 'a name or a number');
}

function checkRefs(frame: Frame, key: string): void {
  const value = frame[key];
  if (value === undefined) return;
  if (!Array.isArray(value) || !value.every(isRef)) throw wrong(frame, key, 'a list of names');
}

function isRef(value: unknown): value is RemoteRef {
  return typeof value === 'string' || isCount(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isUnitCount(value: unknown): value is number {
  return isCount(value) && value > 0 && value <= ALL;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0;
}

function wrong(frame: Frame, key: string, what: string): ProtocolError {
  const value = describe(frame[key]);
  return new ProtocolError(`${key} of ${describe(frame['do'])} is ${what}, not ${value}`);
}
