/**
 * One open backend, the participants that request sets, and their view of it.
 *
 * `query()` is the fence between steps: it includes every operation that the same client began
 * before, and those that other clients had ended. So a step is over when its participant's query
 * is.
 */

import type { Domain, SyncDomain } from '../src/api/domain.ts';
import type { AcquireOptions, EnqueueOptions } from '../src/api/options.ts';
import type { PreparedSet, SetSpec } from '../src/api/sets.ts';
import type { Snapshot, SnapshotEntry } from '../src/api/snapshot.ts';
import { Ask } from './ask.ts';
import { check, equal, isError } from './assertions.ts';
import type { ConformanceBackend, OpenBackend } from './backend.ts';
import { Enqueued } from './enqueued.ts';

/** Labels of what is held, by token, and of what waits, in arrival order. */
interface ExpectedState {
  readonly held?: readonly string[];
  readonly pending?: readonly string[];
}

export class World {
  readonly backend: ConformanceBackend;
  readonly domain: Domain;
  /** Labels in the order in which their grants were reported. */
  readonly reported: string[] = [];
  /** The test has closed the domain itself: it cannot be queried. */
  isClosed = false;
  readonly #open: OpenBackend;
  readonly #asks: (Ask | Enqueued)[] = [];
  readonly #enqueued: Enqueued[] = [];
  readonly #connected: Domain[] = [];

  constructor(backend: ConformanceBackend, open: OpenBackend) {
    this.backend = backend;
    this.#open = open;
    this.domain = open.domain;
  }

  static async open(backend: ConformanceBackend): Promise<World> {
    return new World(backend, await backend.open());
  }

  get sync(): SyncDomain {
    return this.domain as SyncDomain;
  }

  /** Another participant: another client if the backend has them, or else another session. */
  async participant(): Promise<Domain> {
    return this.backend.connects ? this.connect() : this.domain.session();
  }

  async connect(): Promise<Domain> {
    check(this.#open.connect !== undefined, `${this.backend.name} declares, and lacks, connect()`);
    const domain = await this.#open.connect();
    this.#connected.push(domain);
    return domain;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.domain.close();
  }

  /** Requests a set, and returns when the request has arrived. */
  async ask(
    label: string,
    set: SetSpec | PreparedSet,
    options: AcquireOptions = {},
    by: Domain = this.domain,
  ): Promise<Ask> {
    const ask = new Ask(label, set, options, by, () => this.reported.push(label));
    this.#asks.push(ask);
    await by.query();
    return ask;
  }

  /** Requests a set, and returns when it is granted. */
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

  /** Requests a set with a callback, and returns when the request has arrived. */
  async enqueue(
    label: string,
    set: SetSpec | PreparedSet,
    options: EnqueueOptions = {},
    by: Domain = this.domain,
  ): Promise<Enqueued> {
    const enqueued = new Enqueued(label, set, options, by, () => this.reported.push(label));
    this.#asks.push(enqueued);
    this.#enqueued.push(enqueued);
    await by.query();
    return enqueued;
  }

  /** Checks that these resources are not in use. */
  async free(...names: readonly string[]): Promise<void> {
    const grant = await this.domain.tryAcquire({ exclusive: names });
    check(grant !== null, `${names} are still in use`);
    await grant.release();
  }

  /** Checks held and waiting sets, and that exactly the held ones have been reported. */
  async see({ held = [], pending = [] }: ExpectedState): Promise<Snapshot> {
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

  /** Ends all requests, checks that the state is empty, and closes. */
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

/** Waits until a client's operations are over, or it was closed. */
async function fence(client: Domain): Promise<void> {
  try {
    await client.query();
  } catch (error) {
    isError(error, 'KDS_DOMAIN_CLOSED', 'the query of a client');
  }
}

/** A held or waiting entry, by its label. */
export function entryOf({ held, pending }: Snapshot, label: string): SnapshotEntry {
  const entry = [...held, ...pending].find((each) => each.label === label);
  check(entry !== undefined, `query() lacks ${label}`);
  return entry;
}

function labelsOf(entries: readonly SnapshotEntry[]): readonly string[] {
  return entries.map(({ label }) => label ?? '(no label)');
}
