/**
 * The promises that hold for users of locks, whatever the network, the processes and the server do.
 * A section lasts from the grant until its user lets go of it or is notified of its loss.
 *
 * Two sections that conflict overlap only if the server itself took one of the two grants away
 * (its session ended, a stealing request came, or a server without that grant took over): no span
 * of time excuses an overlap. A holder whose process runs, by a clock within the bounds, is
 * notified of the end of its session before the server can give the set to another client.
 */

import type { Grant } from '../src/api/grant.ts';
import { conflict, type GrantMonitor, type GrantSeen, type Links } from './grants.ts';
import type { Machine } from './machine.ts';
import { Violation, type World } from './world.ts';

export interface Section {
  readonly machine: Machine;
  readonly grant: Grant;
  readonly seen: GrantSeen;
  /** The rest of the set: it shrinks, and weakens. */
  links: Links;
  /** Its user has let go of it, or was notified of its loss. */
  isOver: boolean;
  /**
   * It has taken all of a resource that it shared before. Its token is from before that, so a
   * store that has seen a later reader refuses its writes.
   */
  isUpgraded: boolean;
}

export interface CheckerLimits {
  readonly leaseMs: number;
  /** From a take-over by a server without a grant until its holder is notified, in ms. */
  readonly undoneNotifiedMsMax: number;
  /** From the grant until its holder knows, in ms; undefined where it has no bound. */
  readonly notifiedMsMax: number | undefined;
}

export class Checker {
  sectionCount = 0;
  overlapsExcused = 0;
  unitLookCount = 0;
  /** Of those, the ones with several units out. */
  sharedLookCount = 0;
  readonly #world: World;
  readonly #monitor: GrantMonitor;
  readonly #limits: CheckerLimits;
  readonly #open = new Set<Section>();

  constructor(world: World, monitor: GrantMonitor, limits: CheckerLimits) {
    this.#world = world;
    this.#monitor = monitor;
    this.#limits = limits;
    monitor.onTaken = (grant) => this.#taken(grant);
  }

  /**
   * A user has a grant, and begins. `seen` is the server's word on that grant; undefined if the
   * server has never given it. Returns undefined if the grant is lost already.
   */
  begin(
    machine: Machine,
    grant: Grant,
    seen: GrantSeen | undefined,
    links: Links,
  ): Section | undefined {
    if (seen === undefined) {
      this.#world.fail(new Violation(`token ${grant.token} was never given`));
      return undefined;
    }
    if (grant.signal.aborted) return undefined;
    const section: Section = { machine, grant, seen, links, isOver: false, isUpgraded: false };
    this.#world.log(() => `${machine.name} begins ${grant.token}`);
    this.sectionCount++;
    for (const other of this.#open) this.#meet(section, other);
    this.#checkNotified(section);
    this.#open.add(section);
    grant.signal.addEventListener('abort', () => {
      this.#world.log(() => `${machine.name} is notified that ${grant.token} is lost`);
      this.#over(section);
    });
    return section;
  }

  /** It has taken all of some resources. */
  strengthen(section: Section, links: Links): void {
    section.links = links;
    section.isUpgraded = true;
    if (section.isOver) return;
    for (const other of this.#open) if (other !== section) this.#meet(section, other);
  }

  /**
   * Looks at the units that are out: none is out twice, and there are never more of them than
   * `countMax`. A holder whose grant was taken is left out.
   */
  lookAtUnits(name: string, countMax: number): void {
    const out = new Set<unknown>();
    for (const { machine, seen, grant } of this.#open) {
      if (machine.life === 'dead' || seen.wasTaken) continue;
      for (const unit of grant.units[name] ?? []) {
        this.#world.check(!out.has(unit), () => `unit ${unit} of ${name} is out twice`);
        out.add(unit);
      }
    }
    this.#world.check(out.size <= countMax, () => `${out.size} units of ${name} are out`);
    this.unitLookCount++;
    if (out.size > 1) this.sharedLookCount++;
  }

  /** It is about to weaken its hold. */
  weaken(section: Section, links: Links): void {
    section.links = links;
  }

  /** It is about to let go. */
  end(section: Section): void {
    if (!section.isOver)
      this.#world.log(() => `${section.machine.name} ends ${section.grant.token}`);
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
          `sections of ${section.machine.name} (token ${section.grant.token}) and ` +
            `${other.machine.name} (token ${other.grant.token}) overlap`,
        ),
      );
    }
  }

  /** No wake-up is lost for longer than a repeated request takes. */
  #checkNotified({ machine, grant, seen }: Section): void {
    const { notifiedMsMax } = this.#limits;
    const tookMs = this.#world.nowMs - seen.grantedAtMs;
    this.#world.check(
      notifiedMsMax === undefined ||
        tookMs <= notifiedMsMax ||
        machine.stoppedUntilMs > seen.grantedAtMs,
      () => `${machine.name} was notified of ${grant.token} after ${tookMs.toFixed(0)} ms`,
    );
  }

  #taken(grant: GrantSeen): void {
    for (const section of this.#open) if (section.seen === grant) this.#takenFrom(section, grant);
  }

  #takenFrom(section: Section, grant: GrantSeen): void {
    const { machine } = section;
    const nowMs = this.#world.nowMs;
    // The timers that were due while it stood still are about to run.
    const isRunning = machine.life === 'running' && machine.stoppedUntilMs < nowMs;
    const sinceRollbackMs = nowMs - this.#monitor.rolledBackAtMs;
    // Another server's clock may be ahead, and its session may have a heartbeat less.
    const isClockKept = sinceRollbackMs > this.#limits.leaseMs;
    if (grant.outcome === 'expired' && isRunning && isClockKept) {
      this.#world.fail(
        new Violation(
          `${machine.name} runs, and believes that it holds ${section.grant.token}, ` +
            'whose session has ended',
        ),
      );
    }
    if (grant.outcome !== 'undone') return;
    const dueMs = this.#limits.undoneNotifiedMsMax;
    this.#world.clock.after(dueMs, () => {
      const isExcused =
        machine.life !== 'running' ||
        machine.stoppedUntilMs > nowMs ||
        this.#monitor.isDownSince(nowMs);
      this.#world.check(section.isOver || isExcused, () => {
        const what = `${machine.name} was not notified within ${dueMs.toFixed(0)} ms that`;
        return `${what} ${grant.token} is unknown to the server`;
      });
    });
  }
}
