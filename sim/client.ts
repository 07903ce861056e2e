/**
 * A simulated process that uses a domain as processes do: several tasks request random sets in
 * every way that the interface has, hold them for a while, use what they protect, and let go.
 *
 * It runs the backend's own client, over a simulated network and clock. The errors that it may
 * throw are listed; any other fails the world.
 */

import type { Grant } from '../src/api/grant.ts';
import type { SetSpec } from '../src/api/sets.ts';
import type { RemoteSession } from '../src/remote/session.ts';
import type { Checker, Section } from './checker.ts';
import type { GrantSeen, Links, Mode } from './grants.ts';
import { Machine } from './machine.ts';
import type { SeededRandom } from './random.ts';
import { Violation, type World } from './world.ts';

export interface ClientSurroundings {
  readonly world: World;
  readonly checker: Checker;
  /** Uses what the sets of a section protect. */
  readonly access: (section: Section) => Promise<void>;
  readonly leaseMs: number;
  readonly names: readonly string[];
  readonly roundCount: number;
  /** Time for which a set is held, at most, in ms. */
  readonly holdMsMax: number;
  readonly steals: boolean;
  /** Whether requests are made, and queries, while a grant is held. */
  readonly nests: boolean;
  /** Units of resources among the names, if the backend has them. */
  readonly units?: UnitsHabits | undefined;
}

/** What clients do with units: in place of a shared mode of these resources, sets take some. */
interface UnitsHabits {
  /** A resource whose capacity the clients declare. */
  readonly declared: string;
  readonly capacities: readonly number[];
  /** A resource whose capacity sets assert. */
  readonly asserted: string;
  readonly assertions: readonly number[];
  /** Whether grants are downgraded to fewer units too. */
  readonly isReducing?: boolean;
}

/** A backend's client in a process, with its network. */
export interface Host {
  /** Opens a domain; rejects with an error of kds if the server is out of reach. */
  open(attempt: number): Promise<RemoteSession>;
  /** The server's word on a grant; undefined if it has never given it. */
  seenOf(grant: Grant): GrantSeen | undefined;
  /** Called as the process is killed: its connections end. */
  abandon(): void;
}

/** Ends of a request that are no fault. */
const expected = new Set([
  'KDS_WAIT_TIMEOUT',
  'KDS_GRANT_LOST',
  'KDS_UNAVAILABLE',
  'KDS_DEADLOCK',
  'KDS_DOMAIN_CLOSED',
  'KDS_CAPACITY',
]);

const stopReason = new Error('not wanted any more');

export class SimulatedClient<H extends Host = Host> {
  readonly machine: Machine;
  readonly host: H;
  /** All of its tasks are through, and it has closed its domain. */
  isDone = false;
  /** When it first had a domain, in ms of the world. */
  openedAtMs = Number.POSITIVE_INFINITY;
  /** The set that it waits for, for people. */
  waitingFor = 'its domain';
  readonly #around: ClientSurroundings;
  readonly #random: SeededRandom;
  readonly #id: string;

  constructor(
    around: ClientSurroundings,
    id: string,
    rate: number,
    createHost: (machine: Machine) => H,
  ) {
    this.#around = around;
    this.#random = around.world.random.fork();
    this.#id = id;
    this.machine = new Machine(around.world, id, rate);
    this.host = createHost(this.machine);
  }

  get isOver(): boolean {
    return this.isDone || this.machine.life === 'dead';
  }

  start(): void {
    this.#live().then(
      () => {
        this.isDone = true;
        this.#around.world.log(() => `${this.#id} is done`);
      },
      (error) => this.#around.world.fail(error),
    );
  }

  /**
   * Does nothing but to live until `isClear`, and to take each resource once, so that no recovered
   * flag of a dead holder stays.
   */
  clearUp(isClear: () => boolean): void {
    this.#clearUp(isClear).then(
      () => {
        this.isDone = true;
      },
      (error) => this.#around.world.fail(error),
    );
  }

  kill(): void {
    this.machine.kill();
    this.host.abandon();
  }

  /** Opens a domain, uses it, and closes it. */
  async #live(): Promise<void> {
    const { machine } = this;
    const { roundCount } = this.#around;
    const domain = await this.#openDomain();
    await this.#allow(this.#declare(domain));
    const tasks = Array.from({ length: this.#random.between(1, 3) }, async () => {
      for (let round = 0; round < roundCount; round++) {
        await machine.sleep(this.#random.real(0, 2 * this.#around.holdMsMax));
        await this.#allow(this.#round(domain));
      }
    });
    await Promise.all(tasks);
    this.waitingFor = 'the end of its domain';
    await domain.close();
  }

  async #declare(domain: RemoteSession): Promise<void> {
    const { units } = this.#around;
    if (units === undefined) return;
    await domain.setCapacity(units.declared, this.#random.pick(units.capacities));
  }

  async #clearUp(isClear: () => boolean): Promise<void> {
    const domain = await this.#openDomain();
    while (!isClear()) await this.machine.sleep(this.#around.leaseMs / 4);
    const grant = await domain.acquire({ exclusive: this.#around.names });
    await grant.release();
    await domain.close();
  }

  /** Again and again, while the server is out of reach. */
  async #openDomain(): Promise<RemoteSession> {
    for (let attempt = 1; ; attempt++) {
      try {
        const domain = await this.host.open(attempt);
        this.openedAtMs = this.#around.world.nowMs;
        return domain;
      } catch (error) {
        if (!isExpected(error)) throw error;
      }
      await this.machine.sleep(this.#around.leaseMs / 4);
    }
  }

  async #allow(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!isExpected(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.#around.world.log(() => `${this.#id}: ${reason}`);
    }
  }

  async #round(domain: RemoteSession): Promise<void> {
    const random = this.#random;
    const links = this.#randomLinks();
    if (this.#around.units && random.chance(0.2)) await this.#declare(domain);
    const spec = this.#specOf(links);
    this.waitingFor = describe(links);
    // Some give up while they are still on their way.
    const waitMs = random.real(0, random.chance(0.2) ? 10 : 4 * this.#around.holdMsMax);
    const way = random.below(this.#around.steals ? 11 : 10);
    this.#around.world.log(() => `${this.#id} wants ${this.waitingFor}, in way ${way}`);
    if (way < 4) await this.#use(await domain.acquire(spec), links, domain);
    else if (way < 5) await domain.run(spec, (grant) => this.#use(grant, links, domain, false));
    else if (way < 6) {
      const grant = await domain.acquire(spec, { timeoutMs: waitMs });
      await this.#use(grant, links, domain);
    } else if (way < 7) {
      const grant = await domain.tryAcquire(spec);
      if (grant !== null) await this.#use(grant, links, domain);
    } else if (way < 8) {
      const controller = new AbortController();
      this.machine.after(waitMs, () => controller.abort(stopReason));
      const grant = await domain.acquire(spec, { signal: controller.signal });
      await this.#use(grant, links, domain);
    } else if (way < 9) await this.#enqueue(domain, spec, links, waitMs);
    else if (way < 10) await domain.settled(spec, { timeoutMs: waitMs });
    else {
      const strong: Links = new Map([...links.keys()].map((name) => [name, 'x']));
      const grant = await domain.acquire(this.#specOf(strong), { steal: true });
      await this.#use(grant, strong, domain);
    }
  }

  /** In the form with a callback, which may be cancelled: then it is never called. */
  #enqueue(domain: RemoteSession, spec: SetSpec, links: Links, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let isCancelled = false;
      const onGrant = (grant: Grant): void => {
        if (isCancelled) reject(new Violation(`${this.#id} is called after it has cancelled`));
        this.#use(grant, links, domain).then(resolve, reject);
      };
      const delivery = this.#random.pick(['direct', 'queued'] as const);
      const waiter = domain.enqueue(spec, onGrant, { delivery, onRefused: reject });
      this.machine.after(waitMs, () => {
        isCancelled = waiter.cancel();
        this.#around.world.log(() => `${this.#id} cancels ${describe(links)}: ${isCancelled}`);
        if (isCancelled) resolve();
      });
    });
  }

  /** Holds a set, uses it, and lets go of it, in parts perhaps, or before or after its loss. */
  async #use(grant: Grant, links: Links, domain: RemoteSession, releases = true): Promise<void> {
    const random = this.#random;
    const { checker, access, holdMsMax, nests } = this.#around;
    const section = checker.begin(this.machine, grant, this.host.seenOf(grant), links);
    if (section === undefined) {
      void grant.release();
      return;
    }
    this.#look(section);
    await access(section);
    await this.machine.sleep(random.real(0, holdMsMax));
    this.#look(section);
    if (this.#around.units && !section.isOver && random.chance(0.2)) await this.#upgrade(section);
    if (nests && !section.isOver && random.chance(0.2)) await this.#nest(domain, section);
    if (!section.isOver && random.chance(0.2)) await this.#weaken(section);
    // Some notice only when they are done that the grant is lost: then the fence must.
    if ((!section.isOver || random.chance(0.5)) && !section.isUpgraded) await access(section);
    checker.end(section);
    if (!releases) return;
    const ended = random.chance(0.1) ? grant.abandon() : grant.release();
    if (random.chance(0.5)) await ended;
  }

  /** Requests another set, or a snapshot, and goes on holding this one. */
  async #nest(domain: RemoteSession, { grant, machine }: Section): Promise<void> {
    const links = this.#randomLinks();
    const work = async (): Promise<void> => {
      if (this.#random.chance(0.3)) {
        await domain.query();
        return;
      }
      const { checker, holdMsMax, units } = this.#around;
      // A capacity that becomes smaller may close a cycle, which nobody is refused for.
      const mayShrink = units !== undefined && units.capacities.length > 1;
      const limit = mayShrink ? { timeoutMs: 5 * holdMsMax } : {};
      const terms = this.#random.chance(0.7) ? { holding: grant, ...limit } : { timeoutMs: 50 };
      const inner = await domain.acquire(this.#specOf(links), terms);
      const section = checker.begin(machine, inner, this.host.seenOf(inner), links);
      await machine.sleep(this.#random.real(0, holdMsMax));
      if (section !== undefined) checker.end(section);
      await inner.release();
    };
    await this.#allow(work());
  }

  #look(section: Section): void {
    const { units, checker, world } = this.#around;
    const { grant, links } = section;
    if (units === undefined) return;
    for (const [name, choices] of [
      [units.declared, units.capacities],
      [units.asserted, units.assertions],
    ] as const) {
      checker.lookAtUnits(name, Math.max(...choices));
      const count = grant.units[name]?.length ?? 0;
      const isRight = section.isOver || count > 0 || links.get(name) !== 's';
      world.check(isRight, () => `${this.#id} has no units of ${name}`);
    }
  }

  async #upgrade(section: Section): Promise<void> {
    const { grant, links } = section;
    const name = this.#random.pick([...links.keys()]);
    if (!(await grant.tryUpgrade(name))) return;
    this.#around.world.log(() => `${this.#id} has upgraded ${name}`);
    this.#around.checker.strengthen(section, new Map([...links, [name, 'x']]));
    this.#look(section);
  }

  /** In place of the shared mode of resources with units it takes some. */
  #specOf(links: Links): SetSpec {
    const { units } = this.#around;
    const { exclusive, shared } = specOf(links);
    const counted: Record<string, number | { take: number; of: number }> = {};
    for (const name of shared) {
      if (name === units?.declared) counted[name] = this.#random.between(1, 2);
      if (name === units?.asserted) {
        const of = this.#random.pick(units.assertions);
        counted[name] = { take: this.#random.between(1, of), of };
      }
    }
    const rest = shared.filter((name) => counted[name] === undefined);
    return units === undefined
      ? { exclusive, shared }
      : { exclusive, shared: rest, units: counted };
  }

  async #weaken(section: Section): Promise<void> {
    const { checker, access } = this.#around;
    const { grant, links } = section;
    const name = this.#random.pick([...links.keys()]);
    if (this.#around.units?.isReducing && this.#random.chance(0.5)) {
      await this.#reduce(section, name);
      return;
    }
    const left = new Map(links);
    const isDowngrade = links.get(name) === 'x' && this.#random.chance(0.5);
    if (isDowngrade) left.set(name, 's');
    else left.delete(name);
    // Of a set of which nothing is left nothing is held either.
    if (left.size === 0) checker.end(section);
    else checker.weaken(section, left);
    const done = isDowngrade ? grant.downgrade(name) : grant.release(name);
    if (this.#random.chance(0.5)) await done;
    if (!section.isOver && !section.isUpgraded) await access(section);
  }

  /** Fewer units of a resource are left, where it has a capacity. */
  async #reduce(section: Section, name: string): Promise<void> {
    const { checker } = this.#around;
    const { grant, links } = section;
    const count = grant.units[name]?.length ?? 0;
    if (count === 0) return;
    checker.weaken(section, new Map([...links, [name, 's']]));
    const done = grant.downgrade({ units: { [name]: this.#random.between(1, count) } });
    if (this.#random.chance(0.5)) await done;
    this.#look(section);
  }

  #randomLinks(): Links {
    const random = this.#random;
    const { names } = this.#around;
    const links = new Map<string, Mode>();
    const count = random.between(1, Math.min(3, names.length));
    while (links.size < count) links.set(random.pick(names), random.chance(0.5) ? 'x' : 's');
    return links;
  }
}

function isExpected(error: unknown): boolean {
  if (error === stopReason) return true;
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return typeof error.code === 'string' && expected.has(error.code);
}

function describe(links: Links): string {
  return `{${[...links].map(([name, mode]) => mode + name).join(' ')}}`;
}

function specOf(links: Links): { exclusive: string[]; shared: string[] } {
  const named = (wanted: Mode): string[] =>
    [...links].flatMap(([name, mode]) => (mode === wanted ? [name] : []));
  return { exclusive: named('x'), shared: named('s') };
}
