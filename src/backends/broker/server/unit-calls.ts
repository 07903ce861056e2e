/**
 * The calls of one client that concern units: capacities, and upgrades of grants. In the time of
 * grace they are deferred: an upgrade must not pass a grant that is not claimed yet.
 */

import { InvalidSetError, LimitError, ProtocolError } from '../../../api/errors.ts';
import type { SyncGrant } from '../../../api/grant.ts';
import type { ReadSet } from '../../../api/read-set.ts';
import type { ResourceRef } from '../../../api/sets.ts';

import type { RemoteRef } from '../../../remote/resources.ts';
import type { HeldUnits, ServedDomain } from '../../process/domain.ts';
import { queryCountMax } from '../wire/limits.ts';
import type {
  BrokerMessage,
  ClientMessage,
  Declare,
  SentUnits,
  Upgrade,
} from '../wire/messages.ts';
import type { Capacities } from './capacities.ts';
import type { Grace } from './grace.ts';
import type { LiveRequest } from './live-request.ts';
import type { PrivateResources } from './private-resources.ts';
import type { Tokens } from './tokens.ts';

/** The broker, as these calls use it. */
interface CalledBroker {
  readonly domain: ServedDomain;
  readonly capacities: Capacities;
  readonly tokens: Tokens;
  readonly grace: Grace;
}

/** The connection of the client. */
interface Caller {
  readonly requests: ReadonlyMap<number, LiveRequest>;
  send(message: BrokerMessage): void;
  sendRefusal(id: number, reason: unknown): void;
}

type AskCapacity = Extract<ClientMessage, { readonly do: 'capacity' }>;

export class UnitCalls {
  readonly #broker: CalledBroker;
  readonly #caller: Caller;
  readonly #privates: PrivateResources;
  /** Deferred calls other than declarations. */
  readonly #deferred = new Set<AskCapacity | Upgrade>();

  constructor(broker: CalledBroker, caller: Caller, privates: PrivateResources) {
    this.#broker = broker;
    this.#caller = caller;
    this.#privates = privates;
  }

  declare(message: Declare, byteCount: number): void {
    const { grace, tokens } = this.#broker;
    const { order = 0, resource } = message;
    const ref = this.#privates.refOf(resource);
    if (!grace.isOn) {
      this.#declare(ref, message);
    } else if (grace.deferDeclaration(order, byteCount, () => this.#declare(ref, message))) {
      tokens.passPosition(order);
    } else {
      this.#caller.sendRefusal(
        message.id,
        new LimitError('too many capacities are declared at once'),
      );
    }
  }

  #declare(resource: ResourceRef, { id, capacity, order: before }: Declare): void {
    const { capacities, tokens } = this.#broker;
    const order = before ?? tokens.nextPosition();
    try {
      capacities.declare(resource, capacity, order);
    } catch (error) {
      this.#caller.sendRefusal(id, error);
      return;
    }
    this.#caller.send({ is: 'declared', id, order });
  }

  call(message: AskCapacity | Upgrade): void {
    const { grace } = this.#broker;
    if (!grace.isOn) {
      this.#call(message);
    } else if (this.#deferred.size >= queryCountMax) {
      const reason = `one client has at most ${queryCountMax} calls that wait at the broker`;
      this.#caller.sendRefusal(message.id, new LimitError(reason));
    } else {
      this.#deferred.add(message);
      grace.deferCall(() => {
        if (this.#deferred.delete(message)) this.#call(message);
      });
    }
  }

  #call(message: AskCapacity | Upgrade): void {
    if (message.do === 'upgrade') {
      this.#upgrade(message);
      return;
    }
    const { id, resource } = message;
    const found = this.#broker.domain.capacity(this.#privates.refOf(resource));
    const capacity = found && withoutGaps(found);
    this.#caller.send({ is: 'capacity', id, ...(capacity !== undefined && { capacity }) });
  }

  #upgrade({ id, grant: grantId, part }: Upgrade): void {
    const grant = this.#caller.requests.get(grantId)?.grant;
    if (grant?.isHeld !== true || !this.#isUpgraded(grantId, grant, part)) {
      this.#caller.send({ is: 'denied', id });
      return;
    }
    const units = this.unitsOf(grant).filter(({ resource }) => part.includes(resource));
    this.#caller.send({ is: 'upgraded', id, ...(units.length > 0 && { units }) });
  }

  #isUpgraded(id: number, grant: SyncGrant, part: readonly RemoteRef[]): boolean {
    try {
      return grant.tryUpgrade(part.map((ref) => this.#privates.refOf(ref)));
    } catch (error) {
      if (!(error instanceof InvalidSetError)) throw error;
      throw new ProtocolError(`grant ${id} does not hold all of that part`);
    }
  }

  /** A grant is changed: an upgrade that is still to come would take back what it gives up. */
  denyUpgradesOf(grantId: number): void {
    for (const call of this.#deferred) {
      if (call.do !== 'upgrade' || call.grant !== grantId) continue;
      this.#deferred.delete(call);
      this.#caller.send({ is: 'denied', id: call.id });
    }
  }

  /** The client is gone. What it has declared stays. */
  end(): void {
    this.#deferred.clear();
  }

  /** The units of a grant, for its client. */
  unitsOf(grant: SyncGrant): readonly SentUnits[] {
    return this.#broker.domain.heldUnits(grant).map(({ resource, isDeclared, ...units }) => ({
      resource: this.#privates.sentRefOf(resource),
      ...units,
      ...(isDeclared && { declared: true }),
    }));
  }

  /** The units that a client claims; and its set, without what it asserts of those. */
  claimed(
    { exclusive, shared, units: counts }: ReadSet,
    units: readonly SentUnits[],
  ): { readonly set: ReadSet; readonly units: readonly HeldUnits[] } {
    const held = units.map(({ resource, declared = false, ...each }): HeldUnits => {
      return { resource: this.#privates.refOf(resource), isDeclared: declared, ...each };
    });
    const own = new Map(counts);
    for (const each of held) {
      const count = own.get(each.resource);
      if (typeof count === 'object') own.set(each.resource, count.take);
    }
    const set = { exclusive, shared, ...(counts !== undefined && { units: own }) };
    return { set, units: held.map((each) => this.#broker.capacities.restorable(each)) };
  }
}

/** Names of units are left out where only some are known, from claims. */
export function withoutGaps<C extends { readonly capacity: number }>(
  capacity: C & { readonly names?: readonly string[] },
): C {
  const { names, ...rest } = capacity;
  const isWhole = names?.length === capacity.capacity && !names.includes(undefined as never);
  return (isWhole ? capacity : rest) as C;
}
