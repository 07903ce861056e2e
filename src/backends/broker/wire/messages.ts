/**
 * The messages of clients and broker (docs/protocol.md), and the check of a client's messages: the
 * operations and events of every remote backend (src/remote/protocol.ts), and the broker's own.
 */

import { ProtocolError } from '../../../api/errors.ts';
import { areParts, type EncodedPart } from '../../../api/mode.ts';
import type { LockedPolicy } from '../../../api/options.ts';
import { areOuterGrants, type OuterGrant, outerGrantCountMax } from '../../../api/outer-grants.ts';
import { describe } from '../../../api/sets.ts';
import type { SnapshotEntry } from '../../../api/snapshot.ts';
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
  | { readonly do: 'close'; readonly id: number; readonly resource: RemoteRef };

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
}

/** The same in a message. */
export type SentEntry = Omit<BrokerSnapshotEntry, 'set'> & {
  readonly parts: readonly EncodedPart[];
};

export interface SentSnapshot {
  readonly held: readonly SentEntry[];
  readonly pending: readonly SentEntry[];
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
  | GrantedEvent
  | SettledEvent
  | { readonly is: 'waiting'; readonly id: number; readonly queuePosition: number }
  | { readonly is: 'ended' | 'closed'; readonly id: number }
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
    case 'downgrade':
      checkId(frame, 'id');
      checkRefs(frame, 'part');
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
      checkId(frame, 'id');
      if (!isRef(frame['resource'])) throw wrong(frame, 'resource', 'a name or a number');
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
  const { token, since } = frame;
  checkSet(frame);
  if (!isCount(token) || token > tokenMax) throw wrong(frame, 'token', 'a token');
  if (since !== undefined && !isAmount(since)) throw wrong(frame, 'since', 'a time');
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
    throw wrong(frame, 'parts', "a list of [name, units], with units 1 or 'all'");
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

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0;
}

function wrong(frame: Frame, key: string, what: string): ProtocolError {
  const value = describe(frame[key]);
  return new ProtocolError(`${key} of ${describe(frame['do'])} is ${what}, not ${value}`);
}
