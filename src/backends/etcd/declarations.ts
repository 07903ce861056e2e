/** Capacities that this client declares and reads. */

import { unitsInUse } from '../../api/refusals.ts';
import { type Capacity, isContinued, type ReadCapacity } from '../../api/units.ts';
import { nameOf, type RemoteRef } from '../../remote/resources.ts';
import { linked } from './batch.ts';
import { changedAt, putOf, txnIn } from './calls.ts';
import { declarationOf } from './capacities.ts';
import type { EtcdConnection } from './connection.ts';
import { writeEntry } from './entries.ts';
import { encodeResource, type Keys } from './keys.ts';
import type { Log } from './log.ts';
import type { Reads } from './reads.ts';
import type { SessionKeeper } from './session-keeper.ts';

const callMsMax = 10_000;

export interface DeclarationsOptions {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly log: Log;
  readonly keeper: SessionKeeper;
  readonly reads: Reads;
}

export class Declarations {
  readonly #options: DeclarationsOptions;
  /** Of resources that only the present session of this client reaches. */
  readonly #private = new Map<number, ReadCapacity>();

  constructor(options: DeclarationsOptions) {
    this.#options = options;
  }

  /** @throws CapacityError, UnavailableError, DomainClosedError */
  async set(resource: RemoteRef, capacity: ReadCapacity): Promise<void> {
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

  async read(resource: RemoteRef): Promise<Capacity | undefined> {
    const { keeper, log, reads } = this.#options;
    keeper.checkUsable();
    await reads.readAll();
    return log.replica.state.capacityOf(resource, keeper.id);
  }

  /**
   * Declares those of resources without a name, as another session has been opened; undefined if
   * there are none. Never rejects: a set that needs one that could not be declared is refused.
   */
  declareAgain(): Promise<unknown> | undefined {
    if (this.#private.size === 0) return undefined;
    return Promise.allSettled([...this.#private].map((each) => this.set(...each)));
  }

  /** A resource without a name is closed. */
  drop(resource: RemoteRef): void {
    if (typeof resource === 'number') this.#private.delete(resource);
  }
}
