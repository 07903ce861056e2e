/**
 * What clients are told who ask for a snapshot. It is of one moment, after they have asked, and
 * made a slice at a time, so that others are served meanwhile. Only one is in the making: who asks
 * while it is, shares the next one.
 */

import { LimitError } from '../../../api/errors.ts';
import { encodeSet } from '../../../api/mode.ts';
import { inSlices, mapInSteps, sortInSteps } from '../../../runtime/slices.ts';
import type { OwnedEntry, OwnedSnapshot, ServedDomain } from '../../process/domain.ts';
import { replyBytesMax } from '../wire/limits.ts';
import type { SentEntry } from '../wire/messages.ts';
import type { LiveRequest } from './live-request.ts';
import type { Registry } from './registry.ts';

/** So many entries are encoded at once. */
const partCount = 100;

/** Told how a frame goes on that has begun with an id, or why there is none. */
export type SnapshotTold = (parts: readonly Buffer[] | Error) => void;

export class Snapshots {
  readonly #domain: ServedDomain;
  readonly #registry: Registry;
  #asked: SnapshotTold[] = [];
  #isMaking = false;

  constructor(domain: ServedDomain, registry: Registry) {
    this.#domain = domain;
    this.#registry = registry;
  }

  ask(tell: SnapshotTold): void {
    this.#asked.push(tell);
    if (!this.#isMaking) void this.#make();
  }

  async #make(): Promise<void> {
    this.#isMaking = true;
    while (this.#asked.length > 0) {
      const asked = this.#asked;
      this.#asked = [];
      const told = await this.#next().catch((error: Error) => error);
      await inSlices(tellAll(asked, told));
    }
    this.#isMaking = false;
  }

  /** @throws LimitError if there is too much to tell. DomainClosedError */
  async #next(): Promise<readonly Buffer[]> {
    const { sessions, held: requests } = this.#registry;
    // The domain notes its state at once; whose it is belongs to that moment too.
    const snapshot = this.#domain.query();
    const toTold = entryMaker(new Map(sessions), new Map(requests));
    return inSlices(encoded(await snapshot, toTold));
  }
}

function* tellAll(asked: readonly SnapshotTold[], told: readonly Buffer[] | Error) {
  for (const tell of asked) {
    tell(told);
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
  { held, pending }: OwnedSnapshot,
  toTold: (entry: OwnedEntry) => SentEntry,
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
  // What was claimed from the life before has the token of then.
  const heldTold = yield* mapInSteps(held, toTold);
  add('"held":[');
  yield* addList(yield* sortInSteps(heldTold, ({ token }) => token as number));
  add('],"pending":[');
  yield* addList(yield* mapInSteps(pending, toTold));
  add(']}\n');
  return parts;
}
