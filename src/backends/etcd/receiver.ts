/**
 * What the log reports of the sets of this client, as events: each step of the replica brings
 * grants, losses and cycles.
 */

import { DeadlockError, GrantLostError, type LimitError } from '../../api/errors.ts';
import type { GrantLostEvent } from '../../api/events.ts';
import { takesAll } from '../../api/mode.ts';
import { capacityReduced } from '../../api/refusals.ts';
import { lostError } from '../../remote/lost-error.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import { nameOf } from '../../remote/resources.ts';
import type { Endings } from './endings.ts';
import { ordinalsMax } from './entries.ts';
import type { LiveSet } from './live-set.ts';
import type { Observers } from './observers.ts';
import type { OwnSet } from './own-set.ts';
import type { OwnSets } from './own-sets.ts';
import { isNow, type PendingEtcdRequest } from './pending-request.ts';
import type { RecoveredFlags } from './recovered-flags.ts';
import type { Replica, ReplicaDelta } from './replica.ts';
import type { SessionKeeper } from './session-keeper.ts';
import type { SessionReaper } from './session-reaper.ts';
import { tooManyParts, unitPartsMax, unitsOfGrant } from './units.ts';

export interface ReceiverOptions {
  readonly requests: RequestTable<PendingEtcdRequest>;
  readonly replica: Replica;
  readonly keeper: SessionKeeper;
  readonly sets: OwnSets;
  readonly flags: RecoveredFlags;
  readonly observers: Observers;
  readonly reaper: SessionReaper;
  readonly endings: Endings;
}

export class Receiver {
  readonly #options: ReceiverOptions;
  /**
   * Sets of requests that are granted, and have not recorded their numbers of units, with what they
   * recover: a flag that is set or cleared from the grant on is not about what they got.
   */
  readonly #unrecorded = new Map<LiveSet, readonly string[]>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  step(delta: ReplicaDelta): void {
    const { keeper, observers, replica, requests, sets, endings } = this.#options;
    if (keeper.isClosed) return;
    // A process that was stopped receives old steps first.
    keeper.check();
    keeper.checkLog();
    requests.delivery.asOne(() => {
      for (const live of delta.removed) this.#removed(live);
      for (const live of delta.revoked) this.#revoked(live);
      for (const live of delta.displaced) this.#displaced(live);
      for (const live of delta.refused) this.#refused(live);
      for (const live of delta.added) this.#added(live, delta);
      for (const live of delta.granted) this.#granted(live, delta);
      for (const [live, recovered] of this.#unrecorded) this.#record(live, recovered);
      if (replica.resetRevision === replica.revision) this.#findMissed();
      for (const { live, message, steps } of delta.cycles) {
        const pending = sets.pendingOf(live);
        if (pending === undefined || isNow(pending.request)) continue;
        endings.end(pending, new DeadlockError(message, steps));
      }
      observers.update(delta);
    });
    if (delta.haveSessionsEnded) keeper.reap();
  }

  #removed(live: LiveSet): void {
    const { keeper, replica, sets } = this.#options;
    const own = sets.of(live);
    if (own === undefined) return;
    if (sets.pendingOf(live) === undefined) {
      keeper.present?.outbox.forget(own);
      // The step that revokes a set may delete it too. Otherwise its session has expired.
      this.#lose(live, own, replica.isExpired(live) ? 'died' : 'stolen');
    } else this.missed(own, live.tokenAtArrival);
  }

  /** Keys that were read anew do not show sets that came and went since they were last read. */
  #findMissed(): void {
    const { keeper, requests } = this.#options;
    for (const { key } of requests.pending) {
      if (key !== undefined && keeper.present?.outbox.isMissed(key)) this.missed(key);
    }
  }

  /** Another client has deleted a set before this one's copy saw it granted. */
  missed(own: OwnSet, token = own.modRevision * ordinalsMax): void {
    const { keeper, requests } = this.#options;
    const pending = requests.pendingOf(own.number);
    const outbox = keeper.present?.outbox;
    outbox?.forget(own);
    if (pending?.key !== own) return;
    if (own.entry.steal === true) {
      // It was granted as it came, and another stealing request has come since.
      pending.key = undefined;
      requests.refuse(pending.request, lostError(token));
    } else {
      // The request still waits.
      own.enqueueAgain();
      void outbox?.update(own);
    }
  }

  #revoked(live: LiveSet): void {
    const { keeper, sets } = this.#options;
    const own = sets.of(live);
    // The set of a request that waits stays in line.
    if (own === undefined || sets.pendingOf(live) !== undefined) return;
    sets.flagAll(own);
    this.#lose(live, own, 'stolen');
    own.isEnding = true;
    void keeper.present?.outbox.update(own);
  }

  /** A grant goes on, and a request waits again. */
  #displaced(live: LiveSet): void {
    const { endings, sets } = this.#options;
    const own = sets.of(live);
    const pending = sets.pendingOf(live);
    if (pending === undefined) {
      if (own !== undefined) sets.keep(own);
    } else if (isNow(pending.request)) endings.deny(pending, live);
  }

  /** There are fewer units than it waits for. */
  #refused(live: LiveSet): void {
    const { endings, replica, sets } = this.#options;
    const pending = sets.pendingOf(live);
    if (pending === undefined) return;
    for (const { resource, units } of live.entry.parts) {
      const capacity = replica.state.countOf(resource, live.session) ?? units;
      if (capacity >= units || takesAll(units)) continue;
      endings.end(pending, capacityReduced({ name: nameOf(resource), capacity }));
    }
    // It is enough again, and was not in between.
    endings.end(pending, capacityReduced());
  }

  #lose(
    { number: id, session, entry }: LiveSet,
    own: OwnSet,
    cause: GrantLostEvent['cause'],
  ): void {
    const { requests, replica, sets } = this.#options;
    for (const ref of replica.state.wholesOf(entry.parts, session)) {
      if (typeof ref === 'number') sets.flag(own, ref, true);
    }
    requests.receive({ is: 'lost', id, cause });
  }

  #added(live: LiveSet, { revoked }: ReplicaDelta): void {
    const { keeper, reaper, requests, sets, endings } = this.#options;
    if (live.session !== keeper.id) return;
    if (sets.of(live) === undefined) {
      // It has been removed since, and that is under way; or a transaction has come late.
      keeper.present?.outbox.deleteOrphan(live);
      return;
    }
    if (live.entry.steal === true && revoked.length > 0) {
      void reaper.reap(revoked.filter(({ session }) => session !== live.session));
    }
    const pending = sets.pendingOf(live);
    if (live.isGranted || pending === undefined) return;
    if (isNow(pending.request)) endings.deny(pending, live);
    else requests.receive({ is: 'waiting', id: pending.request.id });
  }

  #granted(live: LiveSet, delta: ReplicaDelta): void {
    const { endings, replica, sets } = this.#options;
    const pending = sets.pendingOf(live);
    if (pending === undefined) return;
    const { length } = live.entry.held === undefined ? replica.state.numberedOf(live) : [];
    const recovered = this.#recoveredBy(live, delta);
    if (length === 0) this.#report(live, recovered);
    else if (length <= unitPartsMax) this.#unrecorded.set(live, recovered);
    else endings.end(pending, tooManyParts());
  }

  /** Its numbers are recorded, or are to be while it is granted. */
  #record(live: LiveSet, recovered: readonly string[]): void {
    const { sets } = this.#options;
    const own = sets.of(live);
    if (own === undefined || sets.pendingOf(live) === undefined || !live.isGranted) {
      this.#unrecorded.delete(live);
    } else if (live.entry.held !== undefined) {
      this.#unrecorded.delete(live);
      this.#report(live, recovered);
    } else if (!own.isRecording) sets.record(own);
  }

  #recoveredBy(live: LiveSet, { revoked, gaveWay }: ReplicaDelta): readonly string[] {
    return this.#options.flags.recovered(live, [...revoked, ...gaveWay]).map(nameOf);
  }

  #report(live: LiveSet, recovered: readonly string[]): void {
    const { replica, requests, sets } = this.#options;
    sets.of(live)?.noteRecord(live.entry);
    const units = unitsOfGrant(replica.state, live);
    requests.receive({
      is: 'granted',
      id: live.number,
      token: live.token,
      ...(recovered.length > 0 && { recovered }),
      ...(units.length > 0 && { units }),
    });
  }

  /** Etcd does not take the set of a request: it is too large. */
  refused({ number }: OwnSet, error: LimitError): void {
    const { requests } = this.#options;
    const pending = requests.pendingOf(number);
    if (pending === undefined) return;
    pending.key = undefined;
    requests.refuse(pending.request, error);
  }

  /** The session is lost, and with it all grants, and the queue positions of requests. */
  lostAll({ message }: Error): void {
    const { flags, requests } = this.#options;
    for (const pending of requests.pending) pending.key = undefined;
    flags.forgetPrivate();
    this.#unrecorded.clear();
    const why = `was lost with this client's session: ${message}`;
    requests.delivery.asOne(() => {
      for (const { grant } of requests.held) {
        const error = new GrantLostError(
          `grant ${grant.token} ${why}: stop using what it protected`,
        );
        requests.lose(grant, error, 'died');
      }
    });
  }
}
