/** What this client asks of units: capacities that it declares and reads, checks and upgrades. */

import { unitsInUse } from '../../api/refusals.ts';
import { type Capacity, isContinued, type ReadCapacity } from '../../api/units.ts';
import type { GrantedUnits } from '../../remote/protocol.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import { nameOf, type RemoteRef } from '../../remote/resources.ts';
import { linked } from './batch.ts';
import { changedAt, putOf, txnIn } from './calls.ts';
import { declarationOf } from './capacities.ts';
import type { EtcdConnection } from './connection.ts';
import { writeEntry } from './entries.ts';
import { encodeResource, type Keys } from './keys.ts';
import type { Log } from './log.ts';
import type { OwnSet } from './own-set.ts';
import type { Reads } from './reads.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { isAsserting, unitsOfGrant, unitsRefusal } from './units.ts';

const callMsMax = 10_000;
/** Attempts to upgrade a grant, each with the present state of the log. */
const upgradesMax = 20;

export interface UnitCallsOptions {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly log: Log;
  readonly keeper: SessionKeeper;
  readonly reads: Reads;
}

export class UnitCalls {
  readonly #options: UnitCallsOptions;
  /** Of resources that only the present session of this client reaches. */
  readonly #private = new Map<number, ReadCapacity>();

  constructor(options: UnitCallsOptions) {
    this.#options = options;
  }

  /** @throws CapacityError, UnavailableError, DomainClosedError */
  async setCapacity(resource: RemoteRef, capacity: ReadCapacity): Promise<void> {
    this.#options.keeper.checkUsable();
    // A session that comes later declares it again.
    if (typeof resource === 'number') this.#private.set(resource, capacity);
    while (!(await this.#trySet(resource, capacity)));
  }

  /** False if the copy was not the present state. */
  async #trySet(resource: RemoteRef, capacity: ReadCapacity): Promise<boolean> {
    const { connection, keys, keeper, log, reads } = this.#options;
    await reads.read();
    const session = keeper.id;
    if (typeof resource === 'number' && session === '') return true;
    const { replica } = log;
    const { state } = replica;
    const id = encodeResource(resource, session);
    const known = state.capacities.get(id);
    const inForce = state.capacities.getInForce(id)?.entry;
    const isKept = inForce === undefined || isContinued(inForce.names, capacity.names);
    if (!isKept && state.isUsed(resource, session)) throw unitsInUse(nameOf(resource));
    const entry = declarationOf(resource, capacity, known, replica.oldestRevision);
    if (known !== undefined && writeEntry(known.entry) === writeEntry(entry)) return true;
    const compare = [changedAt(keys.capacity(id), known?.modRevision ?? 0)];
    // Nobody has taken a unit whose name would change.
    if (!isKept) compare.push(changedAt(keys.chain, replica.chainRevision));
    const success = linked(keys, [putOf(keys.capacity(id), writeEntry(entry))]);
    const { succeeded, revision } = txnIn(
      await connection.call('/v3/kv/txn', { compare, success }, callMsMax),
    );
    if (succeeded) await log.reachRevision(revision);
    return succeeded;
  }

  async capacityOf(resource: RemoteRef): Promise<Capacity | undefined> {
    const { keeper, log, reads } = this.#options;
    keeper.checkUsable();
    await reads.readAll();
    return log.replica.state.capacityOf(resource, keeper.id);
  }

  /** Why the set of a request can never be granted, by the copy of the state. */
  refusalOf({ terms: { set } }: RemoteRequest): Error | undefined {
    const { keeper, log } = this.#options;
    return unitsRefusal(log.replica.state, set, keeper.id);
  }

  /** Whether the units of a set are there. To refuse it, or declare some, takes a read first. */
  areThere(request: RemoteRequest): boolean {
    const { keeper, log } = this.#options;
    const declares = isAsserting(log.replica.state, request.terms.set, keeper.id);
    return !declares && this.refusalOf(request) === undefined;
  }

  /** Undefined also if the log changes too often. */
  async tryUpgrade(
    own: OwnSet | undefined,
    part: readonly RemoteRef[],
  ): Promise<readonly GrantedUnits[] | undefined> {
    const { keeper, log, reads } = this.#options;
    const { sets, state } = log.replica;
    for (let attempt = 0; own !== undefined && attempt < upgradesMax; attempt++) {
      await reads.read();
      const outcome = await keeper.present?.outbox.upgrade(own, part);
      if (outcome === undefined || outcome === 'blocked') return undefined;
      if (outcome === 'again') continue;
      await reads.read();
      const live = sets.get(own.key);
      const upgraded = live?.entry.parts.filter(({ resource }) => part.includes(resource));
      return live && unitsOfGrant(state, live, upgraded);
    }
    return undefined;
  }

  /**
   * Declares those of resources without a name, as another session has been opened; undefined if
   * there are none. Never rejects: a set that needs one that could not be declared is refused.
   */
  declareAgain(): Promise<unknown> | undefined {
    if (this.#private.size === 0) return undefined;
    return Promise.allSettled([...this.#private].map((each) => this.setCapacity(...each)));
  }

  /** A resource without a name is closed. */
  drop(resource: RemoteRef): void {
    if (typeof resource === 'number') this.#private.delete(resource);
  }
}
