/**
 * A simulated etcd cluster: members that apply one log, each with a lag of its own, a leader that
 * keeps the leases, and watches.
 *
 * A write is committed while a leader reaches a majority. The member that received it answers once
 * it has applied it; reads are linearizable in the same way. A member that is frozen or isolated
 * applies nothing, so its watches are silent; afterwards it catches up. A new leader gives each
 * lease its whole time again, as etcd does (lease/lessor.go, Promote).
 */

import type { Json } from '../../src/backends/etcd/calls.ts';
import type { World } from '../world.ts';
import { eventJson, SimulatedStore, type Step, StoreRefusal, textOf } from './store.ts';

/** Time between two checks of the leases, ms: the same as in lease/lessor.go. */
export const leaseCheckMs = 500;
/** Time from the loss of a leader to the next election, ms: etcd's default, up to twice that. */
const electionMs = 1000;
/** Least TTL of a lease, s: one and a half elections, rounded up. */
const ttlSecondsMin = 2;

export interface ClusterSettings {
  readonly memberCount: number;
  /** Time until a member other than the leader has applied a revision, ms, at most. */
  readonly lagMsMax: number;
  /** Whether a watch that is behind loses what etcd#18089 drops. */
  readonly dropsCompactedDeletes: boolean;
}

export type Answer = (answer: Json | StoreRefusal) => void;

interface Watch {
  readonly from: string;
  readonly end: string;
  readonly send: (message: Json) => void;
  /** The first revision that has not been sent. */
  next: number;
  /** Whether it is behind: it is sent nothing until it has caught up. */
  isBehind: boolean;
}

export class SimulatedCluster {
  readonly store = new SimulatedStore();
  readonly members: readonly ClusterMember[];
  readonly settings: ClusterSettings;
  /** Called after each revision, before any member applies it. */
  onStep: (step: Step) => void = () => undefined;
  /** When the last leader was elected, in ms of the world. */
  electedAtMs = 0;
  readonly #world: World;
  /** By lease: when it ends, in ms of the world. */
  readonly #endsMs = new Map<string, number>();
  #leader: ClusterMember | undefined;
  #isElecting = false;
  /** Requests that wait for a leader. */
  #stalled: (() => void)[] = [];

  constructor(world: World, settings: ClusterSettings) {
    this.#world = world;
    this.settings = settings;
    this.members = Array.from(
      { length: settings.memberCount },
      (_, index) => new ClusterMember(world, this, `member-${index + 1}`),
    );
    this.#leader = this.members[0];
    this.store.onStep = (step) => {
      this.onStep(step);
      for (const member of this.members) member.committed(step.revision);
    };
    this.#checkLeases();
  }

  isLeader(member: ClusterMember): boolean {
    return member === this.#leader;
  }

  /** Whether a member can have something committed. */
  reaches(member: ClusterMember): boolean {
    return this.#leader !== undefined && !this.#leader.isFrozen && member.isReachable;
  }

  /** Runs a request once there is a leader and this member reaches it. */
  stall(member: ClusterMember, run: () => void): void {
    this.#stalled.push(() => member.run(run));
  }

  /** A member has become reachable, or is not any more. */
  membersChanged(): void {
    // A single member that was frozen goes on as it was, with its leases.
    if (this.members.length === 1 && this.members[0]?.isUp === true) {
      if (this.#leader !== undefined) {
        this.#runStalled();
        return;
      }
    }
    if (this.#leader !== undefined && this.#hasMajority && this.#leader.isReachable) {
      this.#runStalled();
      return;
    }
    this.deposeLeader();
  }

  /** There is no leader until the next election. */
  deposeLeader(): void {
    this.#leader = undefined;
    if (this.#isElecting) return;
    this.#isElecting = true;
    const delayMs = this.#world.random.real(electionMs, 2 * electionMs);
    this.#world.clock.after(delayMs, () => {
      this.#isElecting = false;
      this.#elect();
    });
  }

  grantLease(body: Json): Json {
    const ttlSeconds = Math.max(Number(body['TTL']), ttlSecondsMin);
    const answer = this.store.grantLease(ttlSeconds);
    this.#renew(String(answer['ID']));
    return answer;
  }

  keepAlive(body: Json): Json {
    const id = String(body['ID']);
    const lease = this.store.leases.get(id);
    const isOver = lease === undefined || (this.#endsMs.get(id) ?? 0) <= this.#world.nowMs;
    if (!isOver) this.#renew(id);
    return { result: { ID: id, ...(!isOver && { TTL: String(lease.ttlSeconds) }) } };
  }

  #renew(id: string): void {
    const { ttlSeconds = 0 } = this.store.leases.get(id) ?? {};
    this.#endsMs.set(id, this.#world.nowMs + ttlSeconds * 1000);
  }

  #checkLeases(): void {
    this.#world.clock.after(leaseCheckMs, () => {
      if (this.#leader !== undefined && !this.#leader.isFrozen) {
        for (const id of [...this.store.leases.keys()]) {
          if ((this.#endsMs.get(id) ?? 0) > this.#world.nowMs) continue;
          this.#world.log(() => `etcd ends lease ${id}`);
          this.store.revokeLease(id, undefined);
        }
      }
      this.#checkLeases();
    });
  }

  get #hasMajority(): boolean {
    return 2 * this.members.filter(({ isReachable }) => isReachable).length > this.members.length;
  }

  #elect(): void {
    if (this.#leader !== undefined) return;
    if (!this.#hasMajority) {
      this.deposeLeader();
      return;
    }
    this.#leader = this.#world.random.pick(this.members.filter(({ isReachable }) => isReachable));
    this.electedAtMs = this.#world.nowMs;
    this.#world.log(() => `${this.#leader?.name} is elected`);
    for (const id of this.store.leases.keys()) this.#renew(id);
    this.#runStalled();
  }

  #runStalled(): void {
    for (const run of this.#stalled.splice(0)) run();
  }
}

export class ClusterMember {
  readonly name: string;
  isUp = true;
  isFrozen = false;
  isIsolated = false;
  readonly #world: World;
  readonly #cluster: SimulatedCluster;
  readonly #watches = new Set<Watch>();
  /** The last revision that it has applied. */
  #applied = 1;
  #appliesAtMs = 0;
  /** Answers that wait until a revision has been applied. */
  readonly #answers: { readonly revision: number; readonly answer: () => void }[] = [];
  /** Requests that came while it was frozen. */
  #frozen: (() => void)[] = [];

  constructor(world: World, cluster: SimulatedCluster, name: string) {
    this.#world = world;
    this.#cluster = cluster;
    this.name = name;
  }

  /** By the other members. */
  get isReachable(): boolean {
    return this.isUp && !this.isFrozen && !this.isIsolated;
  }

  /** Runs something now, after it was frozen, or never if it is down. */
  run(work: () => void): void {
    if (!this.isUp) return;
    if (this.isFrozen) this.#frozen.push(work);
    else work();
  }

  /** Answers a call of a client. */
  call(client: string, path: string, body: Json, answer: Answer): void {
    this.run(() => {
      if (!this.#cluster.reaches(this)) {
        if (this.#world.random.chance(0.3)) answer(new StoreRefusal(14, 'etcdserver: no leader'));
        else this.#cluster.stall(this, () => this.call(client, path, body, answer));
        return;
      }
      const result = this.#execute(client, path, body);
      const { revision } = this.#cluster.store;
      if (this.#applied >= revision) answer(result);
      else this.#answers.push({ revision, answer: () => answer(result) });
    });
  }

  /** Opens a watch from now on. Returns a function that ends it. */
  watch(body: Json, send: (message: Json) => void): () => void {
    const { key, range_end: end, start_revision: start } = body['create_request'] as Json;
    if (start !== undefined) throw new Error('the simulated etcd has no watch of the past');
    const isOn = { value: true };
    let watch: Watch | undefined;
    this.run(() => {
      if (!isOn.value) return;
      const range = { from: textOf(key), end: textOf(end) };
      watch = { ...range, send, next: this.#applied + 1, isBehind: false };
      this.#watches.add(watch);
      send({ result: { header: { revision: String(this.#applied) }, created: true } });
    });
    return () => {
      isOn.value = false;
      if (watch !== undefined) this.#watches.delete(watch);
    };
  }

  /** The cluster has a revision more. */
  committed(revision: number): void {
    if (!this.isReachable) return;
    const { lagMsMax } = this.#cluster.settings;
    const lagMs = this.#cluster.isLeader(this) ? 0 : this.#world.random.real(0, lagMsMax);
    this.#appliesAtMs = Math.max(this.#appliesAtMs, this.#world.nowMs + lagMs);
    this.#world.clock.after(this.#appliesAtMs - this.#world.nowMs, () => {
      if (this.isReachable) this.#apply(revision);
    });
  }

  /** SIGSTOP, or a disk that stands still. */
  freeze(): void {
    if (!this.isUp || this.isFrozen) return;
    this.isFrozen = true;
    this.#world.log(() => `${this.name} is frozen`);
    this.#cluster.membersChanged();
  }

  resume(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    this.#world.log(() => `${this.name} goes on`);
    this.#cluster.membersChanged();
    this.#catchUp();
    for (const work of this.#frozen.splice(0)) this.run(work);
  }

  /** It is parted from the other members, and not from its clients. */
  isolate(): void {
    if (!this.isUp || this.isIsolated) return;
    this.isIsolated = true;
    this.#world.log(() => `${this.name} is isolated`);
    this.#cluster.membersChanged();
  }

  join(): void {
    if (!this.isIsolated) return;
    this.isIsolated = false;
    this.#world.log(() => `${this.name} has joined the others`);
    this.#cluster.membersChanged();
    this.#catchUp();
  }

  /** Its process ends, or it is removed; connections must be cut by the caller. */
  goDown(): void {
    this.isUp = false;
    this.isFrozen = false;
    this.isIsolated = false;
    this.#watches.clear();
    this.#answers.splice(0);
    this.#frozen = [];
    this.#world.log(() => `${this.name} is down`);
    this.#cluster.membersChanged();
  }

  /** It starts again with its data, or another member takes its address. */
  comeUp(): void {
    this.isUp = true;
    this.#world.log(() => `${this.name} is up`);
    this.#cluster.membersChanged();
    this.#catchUp();
  }

  /**
   * One of its watches is behind for a while, as its client reads slowly: etcd then takes the
   * events from the history, or cancels the watch if that is compacted.
   */
  delayWatch(forMs: number): void {
    const watches = [...this.#watches];
    if (watches.length === 0) return;
    const watch = this.#world.random.pick(watches);
    watch.isBehind = true;
    this.#world.clock.after(forMs, () => {
      watch.isBehind = false;
      this.run(() => this.#send(watch, true));
    });
  }

  /** Where a watch of its is behind: compaction just there is what etcd#18089 is about. */
  get revisionBehind(): number | undefined {
    return [...this.#watches].find(({ isBehind }) => isBehind)?.next;
  }

  #catchUp(): void {
    if (this.isReachable) this.#apply(this.#cluster.store.revision);
  }

  #apply(revision: number): void {
    this.#applied = Math.max(this.#applied, revision);
    for (const watch of [...this.#watches]) if (!watch.isBehind) this.#send(watch, false);
    const due = this.#answers.filter((each) => each.revision <= this.#applied);
    for (const each of due) {
      this.#answers.splice(this.#answers.indexOf(each), 1);
      each.answer();
    }
  }

  #send(watch: Watch, wasBehind: boolean): void {
    if (!this.#watches.has(watch)) return;
    const { store, settings } = this.#cluster;
    if (wasBehind && watch.next < store.compactRevision) {
      this.#watches.delete(watch);
      const compact_revision = String(store.compactRevision);
      watch.send({ result: { canceled: true, compact_revision } });
      return;
    }
    const events: Json[] = [];
    for (; watch.next <= this.#applied; watch.next++) {
      const drops =
        wasBehind && settings.dropsCompactedDeletes && watch.next === store.compactRevision;
      for (const event of store.eventsAt(watch.next)) {
        if (event.key < watch.from || event.key >= watch.end) continue;
        if (drops && event.now === undefined) {
          this.#world.log(() => `${this.name} drops the end of ${event.key}`);
          continue;
        }
        events.push(eventJson(event, watch.next));
      }
    }
    if (events.length > 0) watch.send({ result: { events } });
  }

  #execute(client: string, path: string, body: Json): Json | StoreRefusal {
    const { store } = this.#cluster;
    try {
      switch (path) {
        case '/v3/kv/txn':
          return store.transact(body, client);
        case '/v3/kv/range':
          return store.range(body);
        case '/v3/lease/grant':
          return this.#cluster.grantLease(body);
        case '/v3/lease/keepalive':
          return this.#cluster.keepAlive(body);
        case '/v3/lease/revoke':
          return store.revokeLease(String(body['ID']), client);
        default:
          throw new Error(`the simulated etcd has no ${path}`);
      }
    } catch (error) {
      if (error instanceof StoreRefusal) return error;
      throw error;
    }
  }
}
