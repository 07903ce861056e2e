/**
 * Snapshots for clients. Each is of one moment after its query has arrived, and is made a slice at
 * a time, so that other clients are served meanwhile. One is made at a time: queries that arrive
 * meanwhile share the next one.
 */

import { LimitError } from '../../../api/errors.ts';
import { encodeSet } from '../../../api/mode.ts';
import { inSlices, mapInSteps, sortInSteps } from '../../../runtime/slices.ts';
import type { OwnedEntry, OwnedSnapshot, ServedDomain } from '../../process/domain.ts';
import { replyBytesMax } from '../wire/limits.ts';
import type { SentEntry } from '../wire/messages.ts';
import type { LiveRequest } from './live-request.ts';
import type { Registry } from './registry.ts';
import { withoutGaps } from './unit-calls.ts';

/** Number of entries that are encoded at once. */
const partCount = 100;

/** Takes the rest of a frame that has begun with an id, or the error. */
export type SnapshotReceiver = (parts: readonly Buffer[] | Error) => void;

export class Snapshots {
  readonly #domain: ServedDomain;
  readonly #registry: Registry;
  #receivers: SnapshotReceiver[] = [];
  #isMaking = false;

  constructor(domain: ServedDomain, registry: Registry) {
    this.#domain = domain;
    this.#registry = registry;
  }

  query(receive: SnapshotReceiver): void {
    this.#receivers.push(receive);
    if (!this.#isMaking) void this.#make();
  }

  async #make(): Promise<void> {
    this.#isMaking = true;
    while (this.#receivers.length > 0) {
      const receivers = this.#receivers;
      this.#receivers = [];
      const result = await this.#next().catch((error: Error) => error);
      await inSlices(deliverAll(receivers, result));
    }
    this.#isMaking = false;
  }

  /** @throws LimitError if there is too much to report. DomainClosedError */
  async #next(): Promise<readonly Buffer[]> {
    const { sessions, held: requests } = this.#registry;
    // The domain notes its state at once; whose it is belongs to that moment too.
    const snapshot = this.#domain.query();
    const toSent = entryMaker(new Map(sessions), new Map(requests));
    return inSlices(encoded(await snapshot, toSent));
  }
}

function* deliverAll(receivers: readonly SnapshotReceiver[], result: readonly Buffer[] | Error) {
  for (const receive of receivers) {
    receive(result);
    yield;
  }
}

function entryMaker(sessions: Registry['sessions'], requests: ReadonlyMap<number, LiveRequest>) {
  return ({ owner, set, ...entry }: OwnedEntry): SentEntry => {
    const { token } = entry;
    const served = owner === undefined ? undefined : sessions.get(owner);
    const request = token === undefined ? undefined : requests.get(token);
    return {
      ...entry,
      parts: encodeSet(set),
      session: served?.label,
      ...(request !== undefined && { token: request.token }),
      ...(request?.sinceMs !== undefined && { since: request.sinceMs }),
      client: served?.client,
    };
  };
}

/** In parts that are bytes already: to join them, or write them out, would stop all for long. */
function* encoded(
  { held, pending, capacities }: OwnedSnapshot,
  toSent: (entry: OwnedEntry) => SentEntry,
): Generator<void, readonly Buffer[]> {
  const parts: Buffer[] = [];
  let byteCount = 0;
  const add = (text: string): void => {
    const part = Buffer.from(text);
    byteCount += part.length;
    if (byteCount > replyBytesMax) {
      throw new LimitError(`a snapshot has over ${replyBytesMax} bytes, which is the limit`);
    }
    parts.push(part);
  };
  function* addList(entries: readonly SentEntry[]): Generator<void, void> {
    for (let start = 0; start < entries.length; start += partCount) {
      const list = JSON.stringify(entries.slice(start, start + partCount));
      add(`${start === 0 ? '' : ','}${list.slice(1, -1)}`);
      yield;
    }
  }
  // A reclaimed grant keeps the token of the term that gave it.
  const heldSent = yield* mapInSteps(held, toSent);
  add('"held":[');
  yield* addList(yield* sortInSteps(heldSent, ({ token }) => token as number));
  add('],"pending":[');
  yield* addList(yield* mapInSteps(pending, toSent));
  for (const [index, capacity] of (capacities ?? []).entries()) {
    add(`${index === 0 ? '],"capacities":[' : ','}${JSON.stringify(withoutGaps(capacity))}`);
    yield;
  }
  add(']}\n');
  return parts;
}
