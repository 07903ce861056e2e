/**
 * What must hold for those who use the locks, whatever the network, the processes and the server
 * do: told by their sections, from the moment they have a grant until they let go of it or are
 * told that it is lost.
 *
 * Two sections that conflict overlap only if the server itself took one of the two grants away
 * (its session ended, a thief came, or a server took over that had never heard of it): no span of
 * time excuses anything. And a holder whose process runs, by a clock within the bounds, is told of
 * the end of its session before the server can give the set away.
 */

import type { Grant } from '../../src/api/grant.ts';
import type { Machine } from '../machine.ts';
import { Violation, type World } from '../world.ts';
import { conflict, type GrantSeen, type Links, type ServerWitness } from './witness.ts';

export interface Section {
  readonly machine: Machine;
  readonly grant: Grant;
  readonly seen: GrantSeen;
  /** What is left of the set: it shrinks, and weakens. */
  links: Links;
  /** Its user has let go of it, or been told that it is lost. */
  isOver: boolean;
}

export interface CheckerLimits {
  readonly leaseMs: number;
  /** After a server that took over has not heard of a grant, its holder is told so soon, in ms. */
  readonly undoneToldMsMax: number;
  /** From the grant until its holder knows, in ms; undefined where nothing bounds it. */
  readonly toldMsMax: number | undefined;
}

export class Checker {
  sectionCount = 0;
  overlapsExcused = 0;
  readonly #world: World;
  readonly #witness: ServerWitness;
  readonly #limits: CheckerLimits;
  readonly #open = new Set<Section>();

  constructor(world: World, witness: ServerWitness, limits: CheckerLimits) {
    this.#world = world;
    this.#witness = witness;
    this.#limits = limits;
    witness.onTaken = (grant) => this.#taken(grant);
  }

  /** A user has a grant, and begins. `undefined` if it is lost already. */
  begin(machine: Machine, grant: Grant, links: Links): Section | undefined {
    const seen = this.#witness.grants.get(grant.token);
    if (seen === undefined) {
      this.#world.fail(new Violation(`token ${grant.token} was never given`));
      return undefined;
    }
    if (grant.signal.aborted) return undefined;
    const section: Section = { machine, grant, seen, links, isOver: false };
    this.#world.log(() => `${machine.name} begins ${grant.token}`);
    this.sectionCount++;
    for (const other of this.#open) this.#meet(section, other);
    this.#checkTold(section);
    this.#open.add(section);
    grant.signal.addEventListener('abort', () => {
      this.#world.log(() => `${machine.name} is told that ${grant.token} is lost`);
      this.#over(section);
    });
    return section;
  }

  /** It is about to weaken its hold. */
  weaken(section: Section, links: Links): void {
    section.links = links;
  }

  /** It is about to let go. */
  end(section: Section): void {
    if (!section.isOver)
      this.#world.log(() => `${section.machine.name} ends ${section.seen.token}`);
    this.#over(section);
  }

  #over(section: Section): void {
    section.isOver = true;
    this.#open.delete(section);
  }

  #meet(section: Section, other: Section): void {
    if (other.machine.life === 'dead' || !conflict(section.links, other.links)) return;
    if (section.seen.wasTaken || other.seen.wasTaken) this.overlapsExcused++;
    else {
      this.#world.fail(
        new Violation(
          `sections of ${section.machine.name} (token ${section.seen.token}) and ` +
            `${other.machine.name} (token ${other.seen.token}) overlap`,
        ),
      );
    }
  }

  /** No wake-up is lost for longer than it takes to ask again. */
  #checkTold({ machine, seen }: Section): void {
    const { toldMsMax } = this.#limits;
    const tookMs = this.#world.nowMs - seen.grantedAtMs;
    this.#world.check(
      toldMsMax === undefined || tookMs <= toldMsMax || machine.stoppedUntilMs > seen.grantedAtMs,
      () => `${machine.name} was told of ${seen.token} after ${tookMs.toFixed(0)} ms`,
    );
  }

  #taken(grant: GrantSeen): void {
    for (const section of this.#open) if (section.seen === grant) this.#takenFrom(section, grant);
  }

  #takenFrom(section: Section, grant: GrantSeen): void {
    const { machine } = section;
    const nowMs = this.#world.nowMs;
    // What was due while it stood still, it is about to be told.
    const isRunning = machine.life === 'running' && machine.stoppedUntilMs < nowMs;
    const sinceRollbackMs = nowMs - this.#witness.rolledBackAtMs;
    // Another server's clock may be ahead, and its session may have a beat less.
    const isClockKept = sinceRollbackMs > this.#limits.leaseMs;
    if (grant.fate === 'swept' && isRunning && isClockKept) {
      this.#world.fail(
        new Violation(
          `${machine.name} runs, and believes that it holds ${grant.token}, whose session is swept`,
        ),
      );
    }
    if (grant.fate !== 'undone') return;
    const dueMs = this.#limits.undoneToldMsMax;
    this.#world.clock.after(dueMs, () => {
      const isExcused =
        machine.life !== 'running' ||
        machine.stoppedUntilMs > nowMs ||
        this.#witness.isDownSince(nowMs);
      this.#world.check(section.isOver || isExcused, () => {
        const what = `${machine.name} was not told within ${dueMs.toFixed(0)} ms that`;
        return `${what} ${grant.token} is unknown to the server`;
      });
    });
  }
}
