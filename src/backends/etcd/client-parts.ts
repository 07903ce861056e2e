/** The parts of a client in etcd, put together. */

import type { RequestTable } from '../../remote/request-table.ts';
import { Endings } from './endings.ts';
import type { KeepAlive } from './keep-alive.ts';
import type { EtcdSessionConfig } from './leased-session.ts';
import { Log } from './log.ts';
import { Observers } from './observers.ts';
import type { OwnSet } from './own-set.ts';
import { OwnSets } from './own-sets.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import { Reads } from './reads.ts';
import { Receiver } from './receiver.ts';
import { RecoveredFlags } from './recovered-flags.ts';
import { Replica } from './replica.ts';
import { SessionKeeper } from './session-keeper.ts';
import { SessionReaper } from './session-reaper.ts';
import { UnitCalls } from './unit-calls.ts';

export interface ClientParts {
  readonly replica: Replica;
  readonly keeper: SessionKeeper;
  readonly sets: OwnSets;
  readonly observers: Observers;
  readonly reads: Reads;
  readonly endings: Endings;
  readonly units: UnitCalls;
}

export interface PartsEvents {
  /** Another session is open, and has no sets yet. */
  onOpenAgain(): void;
  /** The set of a request is not put, as its units may not be there any more. */
  onUnfit(own: OwnSet): void;
}

export function assemble(
  config: EtcdSessionConfig,
  requests: RequestTable<PendingEtcdRequest>,
  keepAlive: KeepAlive,
  { onOpenAgain, onUnfit }: PartsEvents,
): ClientParts {
  const { connection, keys, clock, outer = [] } = config;
  const replica: Replica = new Replica(keys, clock, (session) => session === keeper.id);
  const log = new Log(replica, connection, keys, clock, {
    onStep: (delta) => receiver.step(delta),
    onUnreadable: (error) => keeper.giveUp(error),
  });
  const reaper = new SessionReaper(connection, keys, clock, log);
  const flags = new RecoveredFlags(replica);
  const observers = new Observers(replica.state, requests);
  const keeper = new SessionKeeper({
    config,
    log,
    reaper,
    keepAlive,
    requests,
    onLost: (reason) => receiver.lostAll(reason),
    onOpenAgain,
    onRefused: (own, error) => receiver.refused(own, error),
    onMissed: (own) => receiver.missed(own),
    onUnfit,
  });
  const { state } = replica;
  const sets = new OwnSets({ requests, keeper, flags, keys, clock, outer, state });
  const reads = new Reads(log, keeper, requests);
  const endings = new Endings({ clock, requests, replica, keeper, sets, reads });
  const receiver: Receiver = new Receiver({
    requests,
    replica,
    keeper,
    sets,
    flags,
    observers,
    reaper,
    endings,
  });
  const units = new UnitCalls({ connection, keys, log, keeper, reads });
  return { replica, keeper, sets, observers, reads, endings, units };
}
