/**
 * Reads what each broker receives and sends, and has the rule pair by pair: no grant beside one
 * that conflicts, nor past an older request that waits; tokens and queue positions only rise, from
 * broker to broker; what was held exclusively and not released is recovered by its next holder.
 *
 * A grant outlives its broker while its client may claim it. A later broker that gives it to
 * another client has taken it away: from a client that ran meanwhile, that is a violation
 * (checker.ts). All that a broker sends within one event is judged at once, as its sockets are
 * written one by one.
 */

import {
  conflict,
  type GrantMonitor,
  type GrantOutcome,
  type GrantSeen,
  type Mode,
} from '../grants.ts';
import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';
import type { Endpoint, System, Tap } from './system.ts';

/** Numbers of units, ascending, by resource. */
type Units = ReadonlyMap<string, readonly number[]>;

interface GrantRecord extends GrantSeen {
  links: Map<string, Mode>;
  units: Map<string, readonly number[]>;
  /** The broker that has it; undefined while it may be claimed from the next one. */
  broker: Term | undefined;
}

interface Request {
  readonly links: Map<string, Mode>;
  /** The units that it takes where it names a number: of a capacity. */
  readonly counts: ReadonlyMap<string, number>;
  /** Of a grant that is claimed: those that it had. */
  readonly unitsClaimed: Units;
  readonly isSteal: boolean;
  /** The token of a grant that is claimed. */
  readonly claims: number | undefined;
  /** That an earlier broker, or this one, has given it; undefined for none yet. */
  queuePosition: number | undefined;
  /** The event in which it was notified that it waits; undefined before. */
  waitsSince: number | undefined;
  grant: GrantRecord | undefined;
}

interface Peer {
  readonly term: Term;
  client: string;
  readonly requests: Map<number, Request>;
  /** Capacities that it declares, until the broker answers. */
  readonly declared: Map<number, { readonly name: string; readonly capacity: number }>;
  readonly upgrades: Map<number, { readonly of: Request; readonly part: readonly string[] }>;
  unread: { received: string; sent: string };
}

/** A broker, from its first client to its end. */
interface Term {
  readonly name: string;
  readonly startedAtMs: number;
  readonly flagged: Set<string>;
  /** In force, by resource; not of those that have none any more. */
  readonly capacities: Map<string, number>;
  /** The greatest since units of a resource were last in use: see `#checkUnits`. */
  readonly peaks: Map<string, number>;
  /** Of the last declaration of each. */
  readonly orders: Map<string, number>;
  /** Until then, ms, grants can be claimed. */
  graceEndsAtMs: number;
  isOver: boolean;
}

type Frame = Readonly<Record<string, unknown>>;

interface Noted {
  readonly peer: Peer;
  readonly frame: Frame | 'closed' | 'cut off';
  readonly isSent: boolean;
}

export class BrokerMonitor implements GrantMonitor, Tap {
  onTaken: (grant: GrantSeen) => void = () => undefined;
  readonly rolledBackAtMs = Number.NEGATIVE_INFINITY;
  readonly grants = new Map<number, GrantRecord>();
  claimedCount = 0;
  recoveredCount = 0;
  upgradedCount = 0;
  /** The greatest that any broker has given. */
  tokenLast = 0;
  readonly #world: World;
  readonly #system: System;
  readonly #machineOf: (client: string) => Machine | undefined;
  readonly #terms = new Map<Machine, Term>();
  readonly #peers = new Map<Endpoint, Peer>();
  /** When a client's connection was last cut, in ms of the world. */
  readonly #cutAtMs = new Map<string, number>();
  #noted: Noted[] = [];
  #event = 0;
  #downSinceMs = Number.NEGATIVE_INFINITY;

  constructor(world: World, system: System, machineOf: (client: string) => Machine | undefined) {
    this.#world = world;
    this.#system = system;
    this.#machineOf = machineOf;
  }

  seenOf(token: number): GrantSeen | undefined {
    this.settle();
    return this.grants.get(token);
  }

  isDownSince(momentMs: number): boolean {
    return this.#downSinceMs >= momentMs;
  }

  /** What a client holds by the word of a broker that lives. */
  liveGrantsOf(client: string): readonly GrantSeen[] {
    this.settle();
    return [...this.grants.values()].filter(
      ({ session, outcome, broker }) =>
        session === client && outcome === 'live' && broker !== undefined,
    );
  }

  received(socket: Endpoint, bytes: Buffer): void {
    this.#note(socket, bytes, false);
  }

  sent(socket: Endpoint, bytes: Buffer): void {
    this.#note(socket, bytes, true);
  }

  closed(socket: Endpoint, byPeer: boolean): void {
    const peer = this.#peers.get(socket);
    if (peer !== undefined)
      this.#add({ peer, frame: byPeer ? 'closed' : 'cut off', isSent: false });
    this.#peers.delete(socket);
  }

  /** A connection of a client is about to be cut. */
  noteCut(client: string): void {
    this.#cutAtMs.set(client, this.#world.nowMs);
  }

  /** A broker is about to end: what it has given may be claimed. */
  end(machine: Machine): void {
    this.settle();
    const term = this.#terms.get(machine);
    if (term === undefined) return;
    term.isOver = true;
    this.#downSinceMs = this.#world.nowMs;
    for (const grant of this.grants.values()) if (grant.broker === term) grant.broker = undefined;
  }

  describe(): string {
    const live = [...this.grants.values()].filter(({ outcome }) => outcome === 'live');
    const held = live.map(({ token, session, links }) => {
      return `${session} ${token} ${[...links].map(([name, mode]) => mode + name)}`;
    });
    const waiting = [...this.#peers.values()].flatMap(({ client, requests }) =>
      [...requests.values()].flatMap(({ grant, links }) =>
        grant === undefined
          ? [`${client} waits for ${[...links].map(([name, mode]) => mode + name)}`]
          : [],
      ),
    );
    return [...held, ...waiting].join('; ') || 'nothing';
  }

  /** Judges what has been noted of the last event. */
  settle(): void {
    const noted = this.#noted;
    this.#noted = [];
    const sent = noted.filter(({ isSent, peer }) => isSent && !peer.term.isOver);
    const frames = sent.map(({ peer, frame }) => ({ peer, frame: frame as Frame }));
    const answered = frames.filter(({ frame }) => frame['is'] === 'declared');
    // Those of earlier events: they were deferred.
    for (const { peer, frame } of answered) this.#declare(peer, frame);
    for (const { peer, frame, isSent } of noted) {
      if (isSent) continue;
      this.#receive(peer, frame);
      if (typeof frame !== 'object' || frame['do'] !== 'declare') continue;
      const id = frame['id'];
      const answer = answered.find((each) => each.peer === peer && each.frame['id'] === id);
      if (answer !== undefined) this.#declare(peer, answer.frame);
    }
    for (const { peer, frame } of frames) {
      if (frame['is'] !== 'hello') continue;
      peer.term.graceEndsAtMs = this.#world.nowMs + Number(frame['graceMs']);
    }
    const of = (is: string) => frames.filter(({ frame }) => frame['is'] === is);
    for (const is of ['refused', 'denied', 'settled']) {
      for (const { peer, frame } of of(is)) peer.requests.delete(Number(frame['id']));
    }
    let lost = of('lost');
    const lose = (isDue: (request: Request) => boolean): void => {
      const due = lost.filter(({ peer, frame }) => {
        const request = peer.requests.get(Number(frame['id']));
        return request !== undefined && isDue(request);
      });
      lost = lost.filter((each) => !due.includes(each));
      for (const { peer, frame } of due) this.#lose(peer, frame);
    };
    lose(({ claims, grant }) => claims !== undefined && grant === undefined);
    const granted = of('granted').sort(
      (one, other) => Number(one.frame['token']) - Number(other.frame['token']),
    );
    for (const { peer, frame } of granted) {
      // What it takes away may have been granted before it in the same event, too.
      const taking = peer.requests.get(Number(frame['id']));
      if (taking?.isSteal || taking?.claims !== undefined) {
        lose(({ grant }) => grant !== undefined && isInConflict(grant, taking));
      }
      this.#grant(peer, frame);
    }
    lose(() => true);
    for (const { peer, frame } of of('upgraded')) this.#upgrade(peer, frame);
    for (const { peer, frame } of of('waiting')) this.#wait(peer, frame);
  }

  #note(socket: Endpoint, bytes: Buffer, isSent: boolean): void {
    const peer = this.#peerOf(socket);
    const side = isSent ? 'sent' : 'received';
    const lines = (peer.unread[side] + bytes.toString('utf8')).split('\n');
    peer.unread[side] = lines.pop() ?? '';
    for (const line of lines) {
      const frame = JSON.parse(line) as Frame;
      this.#world.log(() => `${peer.term.name} ${isSent ? '>' : '<'} ${peer.client} ${line}`);
      this.#add({ peer, frame, isSent });
    }
  }

  #add(noted: Noted): void {
    const { eventCount } = this.#system;
    if (eventCount !== this.#event) this.settle();
    this.#event = eventCount;
    this.#noted.push(noted);
  }

  #peerOf(socket: Endpoint): Peer {
    const known = this.#peers.get(socket);
    if (known !== undefined) return known;
    const term = this.#termOf(socket.machine);
    const unread = { received: '', sent: '' };
    const peer: Peer = {
      term,
      client: '?',
      requests: new Map(),
      upgrades: new Map(),
      declared: new Map(),
      unread,
    };
    this.#peers.set(socket, peer);
    return peer;
  }

  #termOf(machine: Machine): Term {
    const known = this.#terms.get(machine);
    if (known !== undefined) return known;
    const { name } = machine;
    const term: Term = {
      ...{
        name,
        startedAtMs: this.#world.nowMs,
        flagged: new Set(),
        capacities: new Map(),
        peaks: new Map(),
        orders: new Map(),
      },
      ...{ graceEndsAtMs: 0, isOver: false },
    };
    this.#terms.set(machine, term);
    return term;
  }

  // ---- What a broker receives

  #receive(peer: Peer, frame: Frame | 'closed' | 'cut off'): void {
    if (peer.term.isOver) return;
    if (frame === 'closed') this.#leave(peer);
    else if (frame === 'cut off') this.#release(peer);
    else this.#do(peer, frame);
  }

  #do(peer: Peer, frame: Frame): void {
    const id = Number(frame['id']);
    const request = peer.requests.get(id);
    switch (frame['do']) {
      case 'hello':
        peer.client = String(frame['label']);
        break;
      case 'acquire':
      case 'try':
      case 'reclaim':
        peer.requests.set(id, {
          links: linksOf(frame),
          counts: countsOf(frame),
          unitsClaimed: unitsOf(frame),
          isSteal: frame['steal'] === true,
          claims: frame['do'] === 'reclaim' ? Number(frame['token']) : undefined,
          queuePosition: frame['queuePosition'] as number | undefined,
          waitsSince: undefined,
          grant: undefined,
        });
        break;
      case 'declare':
        peer.declared.set(id, {
          name: String(frame['resource']),
          capacity: Number(frame['capacity']),
        });
        break;
      case 'upgrade': {
        const of = peer.requests.get(Number(frame['grant']));
        if (of !== undefined) peer.upgrades.set(id, { of, part: frame['part'] as string[] });
        break;
      }
      case 'cancel':
        for (const each of frame['ids'] as readonly number[]) this.#give(peer, each, 'release');
        break;
      case 'release':
      case 'downgrade':
      case 'abandon':
        if (request !== undefined) this.#change(peer, id, request, frame);
        break;
      case 'end':
        for (const each of [...peer.requests.keys()]) this.#give(peer, each, 'release');
    }
  }

  #change(peer: Peer, id: number, { grant }: Request, frame: Frame): void {
    const part = frame['part'] as readonly string[] | undefined;
    const what = frame['do'] as 'release' | 'downgrade' | 'abandon';
    if (what !== 'downgrade' && part === undefined) {
      this.#give(peer, id, what);
      return;
    }
    if (grant === undefined) return;
    const counts = frame['units'] as readonly (readonly [string, number])[] | undefined;
    const left = new Map(counts ?? (part ?? [...grant.links.keys()]).map((name) => [name, 1]));
    for (const [name, count] of left) {
      const isFewer = grant.links.get(name) === 'x' || count < countIn(grant, name);
      if (isWhole(peer.term, grant, name) && (isFewer || what === 'release')) {
        peer.term.flagged.delete(name);
      }
      if (what === 'downgrade') {
        grant.links.set(name, 's');
        const units = grant.units.get(name);
        if (units !== undefined) grant.units.set(name, units.slice(0, count));
      } else {
        grant.links.delete(name);
        grant.units.delete(name);
      }
    }
    if (grant.links.size === 0) this.#give(peer, id, 'release');
  }

  /** A request ends; what it held exclusively is flagged, or whole again. */
  #give(peer: Peer, id: number, how: 'release' | 'abandon'): void {
    const grant = peer.requests.get(id)?.grant;
    peer.requests.delete(id);
    if (grant === undefined) return;
    this.#flag(peer.term, grant, how === 'abandon');
    if (grant.outcome !== 'live') return;
    grant.outcome = 'ended';
    grant.wasEnded = true;
  }

  #flag(term: Term, grant: GrantRecord, isFlagged: boolean): void {
    for (const name of grant.links.keys()) {
      if (!isWhole(term, grant, name)) continue;
      if (isFlagged) term.flagged.add(name);
      else term.flagged.delete(name);
    }
  }

  /** One that a client repeats is without effect if a later one is known. */
  #declare({ term, declared }: Peer, answer: Frame): void {
    const { name, capacity } = declared.get(Number(answer['id'])) ?? {};
    declared.delete(Number(answer['id']));
    if (name === undefined || capacity === undefined) return;
    const order = Number(answer['order']);
    if (order < (term.orders.get(name) ?? 0)) return;
    term.orders.set(name, order);
    this.#setCapacity(term, name, capacity);
  }

  #setCapacity(term: Term, name: string, capacity: number): void {
    const before = this.#countTaken(term, name) === 0 ? 0 : (term.peaks.get(name) ?? 0);
    term.capacities.set(name, capacity);
    term.peaks.set(name, Math.max(before, capacity));
  }

  #countTaken(term: Term, name: string): number {
    const held = [...this.grants.values()].filter(({ broker, outcome }) => {
      return broker === term && outcome === 'live';
    });
    return held.reduce((sum, { units }) => sum + (units.get(name)?.length ?? 0), 0);
  }

  /** The socket of a client is closed: what it held is abandoned, whether or not it knows yet. */
  #leave(peer: Peer): void {
    const machine = this.#machineOf(peer.client);
    for (const { grant } of peer.requests.values()) {
      if (grant === undefined) continue;
      this.#flag(peer.term, grant, true);
      if (grant.outcome !== 'live') continue;
      if (machine?.life === 'dead') grant.outcome = 'ended';
      else if (this.#world.nowMs < peer.term.graceEndsAtMs) grant.broker = undefined;
      else this.#take(grant, 'undone');
    }
    peer.requests.clear();
  }

  /** The broker has closed the socket, as it ends: what it held may be claimed. */
  #release(peer: Peer): void {
    for (const { grant } of peer.requests.values()) if (grant) grant.broker = undefined;
    peer.requests.clear();
  }

  // ---- What it sends

  #lose(peer: Peer, frame: Frame): void {
    const id = Number(frame['id']);
    const request = peer.requests.get(id);
    if (request === undefined) return;
    peer.requests.delete(id);
    const { grant, claims } = request;
    if (grant !== undefined) {
      this.#flag(peer.term, grant, true);
      this.#take(grant, 'revoked');
      return;
    }
    const claimed = this.grants.get(claims ?? 0);
    if (claimed?.outcome === 'live') this.#take(claimed, this.#isExcused(claimed, peer.term));
  }

  #grant(peer: Peer, frame: Frame): void {
    const request = peer.requests.get(Number(frame['id']));
    const token = Number(frame['token']);
    // It was cancelled meanwhile.
    if (request === undefined) return;
    const { term, client } = peer;
    const what = `${client} is granted ${token} by ${term.name}`;
    this.#checkRecovered(term, request, frame, what);
    const units = new Map(unitsOf(frame));
    this.#checkUnits(term, request, frame, what);
    let grant = this.grants.get(request.claims ?? 0);
    if (request.claims !== undefined) {
      this.#check(grant !== undefined && token === request.claims, `${what}, which it claims not`);
      if (grant === undefined) return;
      this.claimedCount++;
      this.#meet(term, grant, request, `${client} claims ${token} from ${term.name}`, units);
    } else {
      this.#check(token > this.tokenLast, `${what}, after ${this.tokenLast}`);
      this.#checkTurn(term, request, frame, what);
      grant = {
        ...{ token, session: client, order: this.grants.size, grantedAtMs: this.#world.nowMs },
        ...{
          outcome: 'live',
          wasTaken: false,
          wasEnded: false,
          links: request.links,
          units,
          broker: term,
        },
      };
      this.#meet(term, grant, request, what, units);
      this.grants.set(token, grant);
    }
    this.tokenLast = Math.max(this.tokenLast, token);
    grant.broker = term;
    grant.links = request.links;
    grant.units = units;
    request.grant = grant;
    request.waitsSince = undefined;
  }

  /** No grant that conflicts is left; one that might have been claimed is taken away. */
  #meet(
    term: Term,
    grant: GrantRecord,
    { links, claims }: Pick<Request, 'links' | 'claims'>,
    what: string,
    units: Units,
  ): void {
    for (const other of this.grants.values()) {
      if (other === grant || other.outcome !== 'live') continue;
      if (!conflict(links, other.links) && !overlap(units, other.units)) continue;
      if (other.broker !== undefined) {
        this.#check(other.broker.isOver, `${what}, beside ${other.token} of ${other.session}`);
      }
      const isDead = this.#machineOf(other.session)?.life === 'dead';
      // One that was cut off may claim before its heir, which then takes it away again.
      const isRightful = claims !== undefined && other.token > grant.token;
      if (isDead) other.outcome = 'ended';
      else if (!isRightful) this.#take(other, this.#isExcused(other, term));
    }
  }

  /** All units of some resources are taken. */
  #upgrade(peer: Peer, frame: Frame): void {
    const { of, part } = peer.upgrades.get(Number(frame['id'])) ?? {};
    peer.upgrades.delete(Number(frame['id']));
    const grant = of?.grant;
    if (grant === undefined || part === undefined || grant.outcome !== 'live') return;
    this.upgradedCount++;
    const links = new Map(part.map((name) => [name, 'x' as const]));
    const units = unitsOf(frame);
    const what = `${peer.client} upgrades ${grant.token} at ${peer.term.name}`;
    this.#meet(peer.term, grant, { links, claims: undefined }, what, units);
    for (const name of part) grant.links.set(name, 'x');
    for (const [name, own] of units) grant.units.set(name, own);
  }

  /**
   * As many units as were asked for, and those that were claimed; with those of other grants no
   * more than there are, or were: a set that is ahead of a grant in line has its units even if the
   * capacity has fallen since that grant.
   */
  #checkUnits(term: Term, request: Request, frame: Frame, what: string): void {
    const { links, counts, claims, unitsClaimed } = request;
    const units = unitsOf(frame);
    for (const name of counts.keys()) {
      this.#check(claims !== undefined || units.has(name), `${what} without units of ${name}`);
    }
    for (const [name, own] of units) {
      const capacity = capacityIn(frame, name);
      this.#setCapacity(term, name, capacity);
      const peak = term.peaks.get(name) ?? 0;
      const wanted = links.get(name) === 'x' ? capacity : (counts.get(name) ?? 1);
      const count = claims === undefined ? wanted : (unitsClaimed.get(name)?.length ?? 0);
      this.#check(own.length === count, `${what} with units ${own} of ${name}, wants ${count}`);
      if (claims !== undefined) {
        const isKept = String(own) === String(unitsClaimed.get(name));
        this.#check(isKept, `${what} with ${own}, claims ${unitsClaimed.get(name)} of ${name}`);
        continue;
      }
      const taken = own.length + this.#countTaken(term, name);
      this.#check(taken <= peak, `${what}: ${taken} of ${peak} units of ${name} are out`);
      this.#check(
        own.every((unit) => unit < peak),
        `${what} with units ${own} of ${peak}`,
      );
    }
  }

  #checkTurn(term: Term, request: Request, frame: Frame, what: string): void {
    const { links, isSteal, queuePosition } = request;
    if (isSteal) return;
    for (const peer of this.#peers.values()) {
      if (peer.term !== term) continue;
      for (const other of peer.requests.values()) {
        const { waitsSince, queuePosition: otherPosition = Number.POSITIVE_INFINITY } = other;
        // One that has not been answered may have come later, unless both have a queue position.
        const isKnown = waitsSince !== undefined || (queuePosition ?? 0) > otherPosition;
        if (other === request || other.grant !== undefined || !isKnown) continue;
        const isInWay = conflict(links, other.links) || exceeds(request, other, frame);
        if (other.claims !== undefined || !isInWay) continue;
        const isLater = queuePosition !== undefined && queuePosition < otherPosition;
        this.#check(isLater, `${what}, before ${peer.client} at position ${otherPosition}`);
      }
    }
  }

  #checkRecovered({ flagged }: Term, { links }: Request, frame: Frame, what: string): void {
    const found = ((frame['recovered'] ?? []) as readonly string[]).toSorted().join();
    const expected = [...links.keys()]
      .filter((name) => flagged.has(name))
      .sort()
      .join();
    this.#check(found === expected, `${what}, recovered [${found}], which is [${expected}]`);
    if (expected !== '') this.recoveredCount++;
  }

  #wait(peer: Peer, frame: Frame): void {
    const request = peer.requests.get(Number(frame['id']));
    const queuePosition = Number(frame['queuePosition']);
    if (request === undefined) return;
    if (request.queuePosition !== undefined) {
      const moved = `at position ${queuePosition}, and was at ${request.queuePosition}`;
      const text = `${peer.client} waits ${moved}`;
      this.#check(queuePosition >= request.queuePosition, text);
    }
    request.queuePosition = queuePosition;
    request.waitsSince = this.#event;
  }

  /** A client that stood still, or was cut off, since the broker began may have come too late. */
  #isExcused({ session }: GrantRecord, term: Term): GrantOutcome {
    const machine = this.#machineOf(session);
    const stoodStill =
      machine === undefined ||
      machine.life !== 'running' ||
      machine.stoppedUntilMs >= term.startedAtMs;
    const wasCut = (this.#cutAtMs.get(session) ?? Number.NEGATIVE_INFINITY) >= term.startedAtMs;
    return stoodStill || wasCut ? 'revoked' : 'expired';
  }

  #take(grant: GrantRecord, outcome: GrantOutcome): void {
    if (grant.outcome !== 'live') return;
    grant.outcome = outcome;
    grant.wasTaken = true;
    this.#world.log(() => `${grant.session} has lost ${grant.token}: ${outcome}`);
    this.onTaken(grant);
  }

  #check(isTrue: boolean, what: string): void {
    this.#world.check(isTrue, () => what);
  }
}

type SentPart = readonly [name: string, units: number | 'all', of?: number];

interface SentUnits {
  readonly resource: string;
  readonly ranges: readonly (readonly [from: number, count: number])[];
  readonly capacity: number;
}

function linksOf(frame: Frame): Map<string, Mode> {
  const links = new Map<string, Mode>();
  for (const [name, units] of frame['parts'] as readonly SentPart[]) {
    if (units === 'all') links.set(name, 'x');
    else if (!links.has(name)) links.set(name, 's');
  }
  return links;
}

function countsOf(frame: Frame): ReadonlyMap<string, number> {
  const parts = frame['parts'] as readonly SentPart[];
  const counted = parts.filter(([, , of]) => of !== undefined);
  return new Map(counted.map(([name, units]) => [name, Number(units)]));
}

function sentUnits(frame: Frame): readonly SentUnits[] {
  return (frame['units'] ?? []) as readonly SentUnits[];
}

function unitsOf(frame: Frame): Units {
  const numbersOf = ({ ranges }: SentUnits): readonly number[] =>
    ranges.flatMap(([from, count]) => Array.from({ length: count }, (_, at) => from + at));
  return new Map(sentUnits(frame).map((units) => [units.resource, numbersOf(units)]));
}

function capacityIn(frame: Frame, name: string): number {
  return sentUnits(frame).find(({ resource }) => resource === name)?.capacity ?? 0;
}

function countIn({ links, units }: GrantRecord, name: string): number {
  return links.get(name) === 'x' ? Number.POSITIVE_INFINITY : (units.get(name)?.length ?? 1);
}

/** Whether a grant has all units of a resource, so that no other one has any. */
function isWhole({ capacities }: Term, grant: GrantRecord, name: string): boolean {
  return countIn(grant, name) >= (capacities.get(name) ?? Number.POSITIVE_INFINITY);
}

/** Whether a unit is in both. */
function overlap(one: Units, other: Units): boolean {
  return [...one].some(([name, units]) => {
    const others = other.get(name);
    return others !== undefined && units.some((unit) => others.includes(unit));
  });
}

function isInConflict({ links, units }: GrantRecord, taking: Request): boolean {
  return conflict(links, taking.links) || overlap(units, taking.unitsClaimed);
}

/** Whether a set that is granted leaves fewer units than one ahead of it waits for. */
function exceeds({ counts }: Request, ahead: Request, granted: Frame): boolean {
  return [...ahead.links.keys()].some((name) => {
    const capacity = capacityIn(granted, name);
    if (capacity === 0) return false;
    return (counts.get(name) ?? 1) + (ahead.counts.get(name) ?? 1) > capacity;
  });
}
