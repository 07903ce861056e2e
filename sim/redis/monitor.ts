/**
 * Reads the keys of the simulated server after each of its steps, and compares them with the rule:
 * a set is granted exactly when no live set that arrived earlier conflicts with it.
 *
 * It knows nothing of how the scripts work: it reads the live sets from their records, and compares
 * all pairs. It also keeps the outcome of each grant, as the server has it: which losses excuse
 * what (checker.ts).
 */

import {
  conflict,
  type GrantMonitor,
  type GrantOutcome,
  type GrantSeen,
  type Links,
  type Mode,
} from '../grants.ts';
import { Violation, type World } from '../world.ts';
import type { Keyspace } from './keyspace.ts';
import type { StepMonitor } from './server.ts';

/** Time, ms, in which what has expired must be cleared away: two of the longest leases. */
const clearingMsMax = 6000;

interface SetSeen {
  readonly id: number;
  readonly session: string;
  readonly request: string;
  readonly links: Links;
  readonly isObserver: boolean;
  readonly isSteal: boolean;
  readonly token: number | undefined;
}

export class ServerMonitor implements StepMonitor, GrantMonitor {
  /** By token. */
  readonly grants = new Map<number, GrantSeen>();
  /** Called right when it happens. */
  onTaken: (grant: GrantSeen) => void = () => undefined;
  rolledBackAtMs = Number.NEGATIVE_INFINITY;
  #wentDownAtMs = Number.NEGATIVE_INFINITY;
  readonly #world: World;
  readonly #keyspace: Keyspace;
  readonly #root: string;
  /** When a key of a set has expired last. */
  #expiredAtMs = Number.NEGATIVE_INFINITY;
  readonly #prefix: string;
  #sets: ReadonlyMap<number, SetSeen> = new Map();
  /** Session and number of all requests that have been let in. */
  readonly #requests = new Set<string>();
  #idLast = 0;
  #tokenLast = 0;

  constructor(world: World, keyspace: Keyspace, root: string) {
    this.#world = world;
    this.#keyspace = keyspace;
    this.#root = root;
    this.#prefix = `${root}q:`;
    keyspace.onExpired = (key) => {
      if (/^[qtw]:/.test(key.slice(root.length))) this.#expiredAtMs = world.nowMs;
    };
  }

  /** Those that the server has of a client's sessions. */
  liveGrantsOf(client: string): readonly GrantSeen[] {
    const all = [...this.grants.values()];
    return all.filter(
      ({ outcome, session }) => outcome === 'live' && session.startsWith(`${client}-`),
    );
  }

  /** What the server has, for people. */
  describe(): string {
    return [...this.#sets.values()].map(describeSet).join(', ');
  }

  ran(script: string | undefined, _keys: readonly string[], args: readonly string[]): void {
    const before = this.#sets;
    this.#sets = this.#read();
    this.#notice(before, script, args[0] ?? '');
    this.#checkRule();
  }

  wentDown(): void {
    this.#wentDownAtMs = this.#world.nowMs;
  }

  /** Whether the server has ended, or stopped, after that moment. */
  isDownSince(momentMs: number): boolean {
    return this.#wentDownAtMs > momentMs;
  }

  rolledBack(): void {
    const before = this.#sets;
    this.rolledBackAtMs = this.#world.nowMs;
    this.#sets = this.#read();
    this.#requests.clear();
    const live = new Set([...this.#sets.values()].map(({ token }) => token));
    for (const { request } of this.#sets.values()) this.#requests.add(request);
    for (const grant of this.grants.values()) {
      if (live.has(grant.token)) grant.outcome = 'live';
      else if (grant.outcome === 'live') this.#took(grant, 'undone');
    }
    this.#world.log(() => `  ${before.size} sets before, ${this.#sets.size} now`);
    this.#checkRule();
  }

  #read(): ReadonlyMap<number, SetSeen> {
    const sets = new Map<number, SetSeen>();
    for (const key of this.#keyspace.keysFrom(this.#prefix)) {
      const fields = this.#keyspace.read(key, 'hash')?.fields ?? new Map<string, string>();
      const id = Number(key.slice(this.#prefix.length));
      const [session, number] = [fields.get('session') ?? '', fields.get('number')];
      const token = fields.get('token');
      sets.set(id, {
        id,
        session,
        request: `${session} ${number}`,
        links: readLinks(fields.get('links') ?? ''),
        isObserver: fields.has('observe'),
        isSteal: fields.has('steal'),
        token: token === undefined ? undefined : Number(token),
      });
    }
    return sets;
  }

  /** What has come, been granted, and gone by one step, which `caller` requested. */
  #notice(before: ReadonlyMap<number, SetSeen>, script: string | undefined, caller: string): void {
    for (const set of this.#sets.values()) if (!before.has(set.id)) this.#arrived(set);
    for (const set of before.values()) {
      if (this.#sets.has(set.id) || set.token === undefined) continue;
      const grant = this.grants.get(set.token);
      if (grant === undefined) continue;
      // Only its own session releases a set; any other one, and a request that steals, takes it.
      if (script === 'enqueue') this.#took(grant, 'revoked');
      else if (set.session === caller) {
        grant.outcome = 'ended';
        grant.wasEnded = true;
      } else this.#took(grant, 'expired');
    }
    const granted = [...this.#sets.values()].filter(
      ({ id, token, isObserver }) =>
        token !== undefined && !isObserver && before.get(id)?.token === undefined,
    );
    granted.sort((one, other) => (one.token as number) - (other.token as number));
    let arrivalLast = Number.NEGATIVE_INFINITY;
    for (const set of granted) {
      this.#granted(set);
      const arrival = arrivalOf(set);
      this.#check(set.isSteal || arrival > arrivalLast, () => `${set.id} is granted out of order`);
      arrivalLast = Math.max(arrivalLast, arrival);
    }
  }

  #arrived(set: SetSeen): void {
    this.#check(set.id > this.#idLast, () => `${set.id} comes after ${this.#idLast}`);
    this.#check(!this.#requests.has(set.request), () => `request ${set.request} is let in twice`);
    this.#idLast = Math.max(this.#idLast, set.id);
    this.#requests.add(set.request);
  }

  #granted({ token = 0, session }: SetSeen): void {
    this.#check(token > this.#tokenLast, () => `token ${token} is given after ${this.#tokenLast}`);
    this.#tokenLast = Math.max(this.#tokenLast, token);
    const grantedAtMs = this.#world.nowMs;
    const order = this.grants.size;
    const grant: GrantSeen = {
      ...{ token, session, order, grantedAtMs },
      ...{ outcome: 'live', wasTaken: false, wasEnded: false },
    };
    this.grants.set(token, grant);
  }

  #took(grant: GrantSeen, outcome: GrantOutcome): void {
    grant.outcome = outcome;
    grant.wasTaken = true;
    this.#world.log(() => `  grant ${grant.token} of ${grant.session} is ${outcome}`);
    this.onTaken(grant);
  }

  #checkRule(): void {
    const isClearing = this.#isClearingExpired;
    const sets = [...this.#sets.values()].filter(
      (set) => !set.isObserver && !(isClearing && this.#isRemains(set)),
    );
    sets.sort((one, other) => arrivalOf(one) - arrivalOf(other));
    for (const [place, set] of sets.entries()) {
      const ahead = sets.slice(0, place).find((other) => conflict(other.links, set.links));
      if (ahead === undefined && isClearing && set.token === undefined) continue;
      this.#check((set.token !== undefined) === (ahead === undefined), () =>
        ahead === undefined
          ? `${describeSet(set)} waits, and no set is in its way`
          : `${describeSet(set)} is granted, though ${describeSet(ahead)} came before`,
      );
    }
  }

  /**
   * Whether keys of sets have expired, and live sessions may not yet have put that right: where all
   * clients were gone for longer than keys live, the keys of a set expire one by one, and the next
   * heartbeats of the sessions that wait behind it remove the rest, once in a lease.
   */
  get #isClearingExpired(): boolean {
    return this.#world.nowMs - this.#expiredAtMs < clearingMsMax;
  }

  /** Whether any key of a set has ever expired. */
  get hasExpired(): boolean {
    return this.#expiredAtMs >= 0;
  }

  /** Whether only the record is left of a set. */
  #isRemains({ id, links }: SetSeen): boolean {
    const isQueued = (key: string): boolean =>
      [...(this.#keyspace.read(`${this.#root}${key}`, 'zset')?.scores.keys() ?? [])].some(
        (link) => Number(link.slice(1)) === id,
      );
    return [...links.keys()].every((name) => !isQueued(`t:${name}`) && !isQueued(`w:${name}`));
  }

  #check(isTrue: boolean, what: () => string): void {
    if (!isTrue) this.#world.fail(new Violation(`at the server: ${what()}`));
  }
}

/** One that steals counts as having come before all that were there. */
function arrivalOf({ id, isSteal }: SetSeen): number {
  return isSteal ? -id : id;
}

function describeSet({ id, session, links, token }: SetSeen): string {
  const set = [...links].map(([name, mode]) => mode + name).join(' ');
  return `set ${id} of ${session} {${set}}${token === undefined ? '' : ` (token ${token})`}`;
}

function readLinks(text: string): Links {
  const lines = text.split('\n').slice(0, -1);
  return new Map(lines.map((line) => [line.slice(1), line[0] as Mode]));
}
