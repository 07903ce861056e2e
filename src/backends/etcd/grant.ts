/** A grant that etcd itself can check: see {@link EtcdGrant.guard}. */

import type { Grant } from '../../api/grant.ts';
import { RemoteGrant } from '../../remote/grant.ts';
import { lostError } from '../../remote/lost-error.ts';
import type { Granted } from '../../remote/protocol.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { HeldGrant } from '../../remote/request-table.ts';
import type { Keys } from './keys.ts';
import type { EtcdSession } from './leased-session.ts';
import type { OwnSet } from './own-set.ts';
import type { Replica } from './replica.ts';

/**
 * A condition of a transaction in etcd: the revision that created a key, or last updated it.
 *
 * @since 0.1.0
 */
export interface EtcdCondition {
  /** The key that is compared. */
  readonly key: string;
  /** The revision that is compared: that of the key's creation, or of its last update. */
  readonly target: 'Create' | 'Mod';
  /** The revision, to be equal; 0 if the key must not exist. */
  readonly revision: number;
}

/**
 * A grant that etcd itself can check, by conditions of a transaction.
 *
 * @example
 * ```ts
 * import { type EtcdGrant, openEtcdDomain } from 'kds/etcd';
 *
 * const hosts = process.env['ETCD_URL'] ?? 'http://127.0.0.1:2379';
 * const domain = await openEtcdDomain(hosts, { name: 'shop' });
 * const grant: EtcdGrant = await domain.acquire({ exclusive: 'stock' });
 * console.log(grant.guard().length); // 3
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export interface EtcdGrant extends Grant {
  /**
   * Returns the conditions that hold in etcd as long as this grant does, for a transaction of your
   * own: the transaction has its effect only while the grant is held, at whatever time it arrives.
   * For data in the same etcd that is stricter than any fencing token.
   *
   * Conditions that do not hold do not always mean that the grant is lost: after a downgrade, a
   * release of a part, or a stealing request elsewhere in the domain, call `guard` again.
   *
   * @throws {@link GrantLostError} if the grant has ended.
   * @waits Never.
   * @example
   * ```ts
   * import { openEtcdDomain } from 'kds/etcd';
   * import { Etcd3 } from 'etcd3';
   *
   * const hosts = process.env['ETCD_URL'] ?? 'http://127.0.0.1:2379';
   * const domain = await openEtcdDomain(hosts, { name: 'shop' });
   * const etcd = new Etcd3({ hosts });
   * await domain.run({ exclusive: 'stock' }, async (grant) => {
   *   const [first, ...others] = grant.guard();
   *   const txn = etcd.if(first.key, first.target, '==', first.revision);
   *   for (const { key, target, revision } of others) txn.and(key, target, '==', revision);
   *   const { succeeded } = await txn.then(etcd.put('stock/pears').value(17)).commit();
   *   if (!succeeded) throw new Error('the grant is lost, or was weakened meanwhile');
   * });
   * etcd.close();
   * await domain.close();
   * ```
   */
  guard(): readonly [EtcdCondition, ...EtcdCondition[]];
}

type Guard = (grant: RemoteGrant) => readonly [EtcdCondition, ...EtcdCondition[]];

export class GuardedGrant extends RemoteGrant implements EtcdGrant {
  readonly #guard: Guard;

  constructor(request: RemoteRequest, granted: Granted, guard: Guard) {
    super(request, granted);
    this.#guard = guard;
  }

  guard(): readonly [EtcdCondition, ...EtcdCondition[]] {
    return this.#guard(this);
  }
}

/** What holds in etcd as long as a grant does. @throws GrantLostError if it has ended. */
export function conditionsOf(
  grant: RemoteGrant,
  held: HeldGrant<OwnSet> | undefined,
  session: EtcdSession | undefined,
  replica: Replica,
  keys: Keys,
): readonly [EtcdCondition, ...EtcdCondition[]] {
  const known = replica.sets.get(held?.key.key ?? '');
  if (!grant.isHeld || known === undefined || session?.leased.isValid !== true) {
    throw lostError(grant.token);
  }
  const { id, createRevision } = session;
  return [
    { key: known.key, target: 'Mod', revision: known.modRevision },
    { key: keys.session(id), target: 'Create', revision: createRevision },
    { key: keys.steal, target: 'Mod', revision: replica.stealRevision },
  ];
}
