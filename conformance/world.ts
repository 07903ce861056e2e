/**
 * One open host, the parties that ask it for sets, and what they see.
 *
 * `query()` is the fence between steps: it tells of every operation that the same client began
 * before, and of those that other clients had ended. So a step is over when its party's query is.
 */

import type { Domain, SyncDomain } from '../src/api/domain.ts';
import type { AcquireOptions, EnqueueOptions } from '../src/api/options.ts';
import type { PreparedSet, SetSpec } from '../src/api/sets.ts';
import type { Snapshot, SnapshotEntry } from '../src/api/snapshot.ts';
import { Ask } from './ask.ts';
import { check, equal, isError } from './assertions.ts';
import { Enqueued } from './enqueued.ts';
import type { ConformanceHost, OpenHost } from './host.ts';

/** Labels of what is held, by token, and of what waits, in arrival order. */
interface Sight {
  readonly held?: readonly string[];
  readonly pending?: readonly string[];
}

export class World {
  readonly host: ConformanceHost;
  readonly domain: Domain;
  /** Labels in the order in which their grants were told. */
  readonly told: string[] = [];
  /** The test has closed the domain itself: nobody is left to ask. */
  isClosed = false;
  readonly #open: OpenHost;
  readonly #asks: (Ask | Enqueued)[] = [];
  readonly #enqueued: Enqueued[] = [];
  readonly #connected: Domain[] = [];

  constructor(host: ConformanceHost, open: OpenHost) {
    this.host = host;
    this.#open = open;
    this.domain = open.domain;
  }

  static async open(host: ConformanceHost): Promise<World> {
    return new World(host, await host.open());
  }

  get sync(): SyncDomain {
    return this.domain as SyncDomain;
  }

  /** Somebody else: another client where there are such, or else another session. */
  async party(): Promise<Domain> {
    return this.host.connects ? this.connect() : this.domain.session();
  }

  async connect(): Promise<Domain> {
    check(this.#open.connect !== undefined, `${this.host.name} declares, and lacks, connect()`);
    const domain = await this.#open.connect();
    this.#connected.push(domain);
    return domain;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.domain.close();
  }

  /** Asks, and returns when that has arrived. */
  async ask(
    label: string,
    set: SetSpec | PreparedSet,
    options: AcquireOptions = {},
    by: Domain = this.domain,
  ): Promise<Ask> {
    const ask = new Ask(label, set, options, by, () => this.told.push(label));
    this.#asks.push(ask);
    await by.query();
    return ask;
  }

  /** Asks, and returns when it is granted. */
  async take(
    label: string,
    set: SetSpec | PreparedSet,
    options: AcquireOptions = {},
    by: Domain = this.domain,
  ): Promise<Ask> {
    const ask = await this.ask(label, set, options, by);
    await ask.granted();
    return ask;
  }

  /** Asks with a callback, and returns when that has arrived. */
  async enqueue(
    label: string,
    set: SetSpec | PreparedSet,
    options: EnqueueOptions = {},
    by: Domain = this.domain,
  ): Promise<Enqueued> {
    const enqueued = new Enqueued(label, set, options, by, () => this.told.push(label));
    this.#asks.push(enqueued);
    this.#enqueued.push(enqueued);
    await by.query();
    return enqueued;
  }

  /** Checks that nobody holds these, nor waits for them. */
  async free(...names: readonly string[]): Promise<void> {
    const grant = await this.domain.tryAcquire({ exclusive: names });
    check(grant !== null, `something is left in a queue of ${names}`);
    await grant.release();
  }

  /** Checks who holds and who waits, and that exactly those who hold are told so. */
  async see({ held = [], pending = [] }: Sight): Promise<Snapshot> {
    const snapshot = await this.domain.query();
    equal(labelsOf(snapshot.held), held, 'held, by token');
    equal(labelsOf(snapshot.pending), pending, 'pending, in arrival order');
    for (const ask of this.#asks) {
      if (held.includes(ask.label)) await ask.granted();
      if (pending.includes(ask.label)) equal(ask.state, 'waiting', ask.label);
    }
    return snapshot;
  }

  async endAll(): Promise<void> {
    for (const ask of this.#asks.splice(0)) await ask.end();
  }

  /** Ends all requests, sees that nothing is left of them, and closes. */
  async end(): Promise<void> {
    await this.endAll();
    if (!this.isClosed) {
      for (const domain of this.#connected) await fence(domain);
      await this.see({});
    }
    for (const enqueued of this.#enqueued) enqueued.checkOnce();
    await this.dispose();
  }

  async dispose(): Promise<void> {
    for (const domain of this.#connected) await domain.close();
    await this.#open.close();
  }
}

/** What a client began is over, or it was closed and nothing is under way. */
async function fence(client: Domain): Promise<void> {
  try {
    await client.query();
  } catch (error) {
    isError(error, 'KDS_DOMAIN_CLOSED', 'the query of a client');
  }
}

/** One that is held or waits, by its label. */
export function entryOf({ held, pending }: Snapshot, label: string): SnapshotEntry {
  const entry = [...held, ...pending].find((each) => each.label === label);
  check(entry !== undefined, `query() does not tell of ${label}`);
  return entry;
}

function labelsOf(entries: readonly SnapshotEntry[]): readonly string[] {
  return entries.map(({ label }) => label ?? '(no label)');
}
