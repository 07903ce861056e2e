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

/** That a key was created, or last updated, by this revision, and so is there; 0: it never was. */
export interface EtcdCondition {
  readonly key: string;
  readonly target: 'Create' | 'Mod';
  readonly revision: number;
}

export interface EtcdGrant extends Grant {
  /**
   * What holds in etcd as long as this grant does, as conditions for a transaction of your own: it
   * then does what it does only while the grant lives, whatever this process knows, however late it
   * comes. That is stricter than any fencing token, for what is kept in the same etcd.
   *
   * Conditions that hold no more do not always mean that the grant is lost: after a downgrade, a
   * release of a part, or a stealing request elsewhere in the domain, ask for them again.
   *
   * @throws GrantLostError if the grant has ended.
   * @example
   * ```ts no-run
   * import { openEtcdDomain } from 'kds/etcd';
   * import { Etcd3 } from 'etcd3';
   *
   * const domain = await openEtcdDomain('http://127.0.0.1:2379', { name: 'shop' });
   * const etcd = new Etcd3();
   * await domain.run({ exclusive: 'stock' }, async (grant) => {
   *   const [first, ...others] = grant.guard();
   *   const txn = etcd.if(first.key, first.target, '==', first.revision);
   *   for (const { key, target, revision } of others) txn.and(key, target, '==', revision);
   *   const { succeeded } = await txn.then(etcd.put('stock/pears').value(17)).commit();
   *   if (!succeeded) throw new Error('the grant is lost, or was weakened meanwhile');
   * });
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
