/**
 * The state machine that the members of a simulated etcd replicate: keys with revisions, versions
 * and leases, transactions with compares, the history of all revisions until it is compacted, and
 * the alarm NOSPACE. It implements as much of etcd's API (v3, JSON) as kds uses; every other
 * request fails the run.
 *
 * Sources: etcd's api/v3rpc and server/storage/mvcc (3.5). A transaction changes the store at one
 * revision, and at none if it changes no key. A lease that ends deletes its keys at one revision.
 */

import type { Json } from '../../src/backends/etcd/calls.ts';

/** A refusal, as the gateway answers it: the code is one of gRPC's. */
export class StoreRefusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface StoredKey {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: string | undefined;
}

/** A change of one key. `now` is undefined where the key is deleted. */
export interface StoreEvent {
  readonly key: string;
  readonly before: StoredKey | undefined;
  readonly now: StoredKey | undefined;
}

/** A revision: its events, and the cause, for monitors. */
export interface Step {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
  /** The client of a transaction; undefined where a lease has ended. */
  readonly client: string | undefined;
}

interface StoredLease {
  readonly ttlSeconds: number;
  readonly keys: Set<string>;
}

const leaseNotFound = 'etcdserver: requested lease not found';

export class SimulatedStore {
  revision = 1;
  /** Revisions up to this one are compacted. */
  compactRevision = 0;
  /** Whether etcd takes no puts and no leases. */
  isOutOfSpace = false;
  readonly keys = new Map<string, StoredKey>();
  readonly leases = new Map<string, StoredLease>();
  /** Called after each revision, before anything else happens. */
  onStep: (step: Step) => void = () => undefined;
  readonly #history = new Map<number, readonly StoreEvent[]>();
  #leaseLast = 7_000_000;

  /** The events of a revision; none of one that does not exist. */
  eventsAt(revision: number): readonly StoreEvent[] {
    return this.#history.get(revision) ?? [];
  }

  compact(revision: number): void {
    this.compactRevision = Math.max(this.compactRevision, revision);
  }

  /** @throws StoreRefusal */
  grantLease(ttlSeconds: number): Json {
    if (this.isOutOfSpace) throw noSpace();
    const id = String(++this.#leaseLast);
    this.leases.set(id, { ttlSeconds, keys: new Set() });
    return { ...this.#header(), ID: id, TTL: String(ttlSeconds) };
  }

  /** Ends a lease, by a client's wish or as its time is over. @throws StoreRefusal */
  revokeLease(id: string, client: string | undefined): Json {
    const lease = this.leases.get(id);
    if (lease === undefined) throw new StoreRefusal(5, leaseNotFound);
    this.leases.delete(id);
    const events = [...lease.keys].sort().flatMap((key) => this.#delete(key));
    this.#commit(events, client);
    return this.#header();
  }

  /** @throws StoreRefusal */
  range(request: Json): Json {
    const { count, kvs } = this.#range(request);
    return { ...this.#header(), count: String(count), ...(kvs.length > 0 && { kvs }) };
  }

  /** @throws StoreRefusal */
  transact(request: Json, client: string): Json {
    const all = ['success', 'failure'].flatMap((name) => listOf(request, name));
    if (this.isOutOfSpace && all.some((each) => 'request_put' in each)) throw noSpace();
    const succeeded = listOf(request, 'compare').every((compare) => this.#isTrue(compare));
    const operations = listOf(request, succeeded ? 'success' : 'failure');
    for (const { request_put: put } of operations) {
      const { lease } = (put ?? {}) as Json;
      if (lease !== undefined && !this.leases.has(String(lease)))
        throw new StoreRefusal(5, leaseNotFound);
    }
    const events: StoreEvent[] = [];
    const responses = operations.map((operation) => this.#operate(operation, events));
    this.#commit(events, client);
    return { ...this.#header(), ...(succeeded && { succeeded }), responses };
  }

  #operate(operation: Json, events: StoreEvent[]): Json {
    const [name, body] = Object.entries(operation)[0] as [string, Json];
    if (name === 'request_range') {
      const { count, kvs } = this.#range(body);
      return { response_range: { count: String(count), ...(kvs.length > 0 && { kvs }) } };
    }
    const key = textOf(body['key']);
    if (name === 'request_put') events.push(this.#put(key, body));
    else if (name === 'request_delete_range' && body['range_end'] === undefined)
      events.push(...this.#delete(key));
    else throw new Error(`the simulated etcd has no ${name}`);
    return {};
  }

  /** Changes the key, at the revision that is next. */
  #put(key: string, body: Json): StoreEvent {
    const before = this.keys.get(key);
    const lease = body['lease'] === undefined ? undefined : String(body['lease']);
    const revision = this.revision + 1;
    const now: StoredKey = {
      key,
      value: textOf(body['value']),
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      lease,
    };
    if (before?.lease !== undefined) this.leases.get(before.lease)?.keys.delete(key);
    if (lease !== undefined) this.leases.get(lease)?.keys.add(key);
    this.keys.set(key, now);
    return { key, before, now };
  }

  #delete(key: string): readonly StoreEvent[] {
    const before = this.keys.get(key);
    if (before === undefined) return [];
    if (before.lease !== undefined) this.leases.get(before.lease)?.keys.delete(key);
    this.keys.delete(key);
    return [{ key, before, now: undefined }];
  }

  #commit(events: readonly StoreEvent[], client: string | undefined): void {
    if (events.length === 0) return;
    this.revision++;
    this.#history.set(this.revision, events);
    this.onStep({ revision: this.revision, events, client });
  }

  #isTrue(compare: Json): boolean {
    const { target, result } = compare;
    const stored = this.keys.get(textOf(compare['key']));
    if (result !== 'EQUAL') throw new Error(`the simulated etcd has no compare ${result}`);
    if (target === 'CREATE')
      return Number(compare['create_revision']) === (stored?.createRevision ?? 0);
    if (target === 'MOD') return Number(compare['mod_revision']) === (stored?.modRevision ?? 0);
    if (target === 'VALUE')
      return stored !== undefined && stored.value === textOf(compare['value']);
    throw new Error(`the simulated etcd has no compare of ${target}`);
  }

  #range(request: Json): { readonly count: number; readonly kvs: readonly Json[] } {
    const { range_end: end, keys_only: isKeysOnly, count_only: isCountOnly, limit } = request;
    const atRevision = Number(request['revision'] ?? 0);
    if (atRevision > 0 && atRevision < this.compactRevision)
      throw new StoreRefusal(11, 'etcdserver: mvcc: required revision has been compacted');
    if (atRevision > 0) throw new Error('the simulated etcd has no range at a past revision');
    const from = textOf(request['key']);
    const isWithin =
      end === undefined
        ? (key: string) => key === from
        : (key: string) => key >= from && key < textOf(end);
    const found = [...this.keys.values()].filter(({ key }) => isWithin(key));
    found.sort((one, other) => (one.key < other.key ? -1 : 1));
    const shown = isCountOnly === true ? [] : found.slice(0, Number(limit ?? found.length));
    return { count: found.length, kvs: shown.map((each) => keyJson(each, isKeysOnly !== true)) };
  }

  #header(): Json {
    return { header: { revision: String(this.revision) } };
  }
}

/** An event, as a watch reports it. */
export function eventJson({ key, now }: StoreEvent, revision: number): Json {
  if (now !== undefined) return { kv: keyJson(now, true) };
  return { type: 'DELETE', kv: { key: base64(key), mod_revision: String(revision) } };
}

function keyJson(stored: StoredKey, hasValue: boolean): Json {
  return {
    key: base64(stored.key),
    create_revision: String(stored.createRevision),
    mod_revision: String(stored.modRevision),
    version: String(stored.version),
    ...(hasValue && { value: base64(stored.value) }),
  };
}

function listOf(json: Json, name: string): readonly Json[] {
  return (json[name] ?? []) as readonly Json[];
}

function noSpace(): StoreRefusal {
  return new StoreRefusal(8, 'etcdserver: mvcc: database space exceeded');
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The text of a key or value of a request. */
export function textOf(value: unknown): string {
  return Buffer.from(String(value ?? ''), 'base64').toString('utf8');
}
