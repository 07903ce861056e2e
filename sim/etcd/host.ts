/** A process that uses a domain in etcd: its network, and the backend's own client over that. */

import type { Grant } from '../../src/api/grant.ts';
import { EtcdBackend } from '../../src/backends/etcd/backend.ts';
import { putOf } from '../../src/backends/etcd/calls.ts';
import { EtcdConnection } from '../../src/backends/etcd/connection.ts';
import { attemptMsOf } from '../../src/backends/etcd/domain.ts';
import type { EtcdGrant, GuardedGrant } from '../../src/backends/etcd/grant.ts';
import type { Keys } from '../../src/backends/etcd/keys.ts';
import { RemoteBackend } from '../../src/remote/backend.ts';
import type { Granted } from '../../src/remote/protocol.ts';
import type { RemoteRequest } from '../../src/remote/request.ts';
import { RemoteSession } from '../../src/remote/session.ts';
import type { Section } from '../checker.ts';
import type { Host, SimulatedClient } from '../client.ts';
import type { GrantSeen } from '../grants.ts';
import type { Machine } from '../machine.ts';
import type { SeededRandom } from '../random.ts';
import type { World } from '../world.ts';
import type { SimulatedCluster } from './cluster.ts';
import { dataPrefix, type EtcdMonitor } from './monitor.ts';
import { ClientNetwork, type NetworkQuality } from './network.ts';

export interface EtcdHostParts {
  readonly world: World;
  readonly machine: Machine;
  readonly cluster: SimulatedCluster;
  readonly monitor: EtcdMonitor;
  readonly quality: NetworkQuality;
  readonly keys: Keys;
  readonly leaseSeconds: number;
  /** Of the client: its sessions are named for it. */
  readonly number: number;
}

export type EtcdClient = SimulatedClient<EtcdHost>;

const writeMsMax = 2000;

/** Notes by which key etcd knows each grant. */
class NotingBackend extends EtcdBackend {
  readonly keyOfGrant = new WeakMap<Grant, string>();
  session = '';
  keys: Keys | undefined;

  override createGrant(request: RemoteRequest, granted: Granted): GuardedGrant {
    const grant = super.createGrant(request, granted);
    this.keyOfGrant.set(grant, this.keys?.set(this.session, request.id) ?? '');
    return grant;
  }
}

export class EtcdHost implements Host {
  readonly network: ClientNetwork;
  readonly #parts: EtcdHostParts;
  readonly #random: SeededRandom;
  readonly #guards = new WeakMap<Grant, ReturnType<EtcdGrant['guard']>>();
  #backend: NotingBackend | undefined;
  #connection: EtcdConnection | undefined;
  #sessionCount = 0;

  constructor(parts: EtcdHostParts) {
    const { world, machine, cluster, quality } = parts;
    this.#parts = parts;
    this.#random = world.random.fork();
    this.network = new ClientNetwork(world, machine, cluster.members, quality);
  }

  /** The names of this client's sessions begin so. */
  get sessionPrefix(): string {
    return hex(this.#parts.number);
  }

  /** As `openEtcdDomain` does it. */
  async open(): Promise<RemoteSession> {
    const { machine, keys, leaseSeconds, number } = this.#parts;
    const connection = this.#connect(attemptMsOf(leaseSeconds));
    const backend: NotingBackend = new NotingBackend({
      connection,
      keys,
      clock: machine,
      leaseSeconds,
      entry: { pid: number, host: 'simulated' },
      nextSessionId: () => {
        backend.session = `${hex(number)}${hex(++this.#sessionCount)}`;
        return backend.session;
      },
    });
    backend.keys = keys;
    try {
      await backend.open();
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#backend = backend;
    this.#connection = this.#connect(writeMsMax);
    return new RemoteSession(new RemoteBackend(backend));
  }

  seenOf(grant: Grant): GrantSeen | undefined {
    return this.#parts.monitor.seenOf(this.#backend?.keyOfGrant.get(grant) ?? '', grant);
  }

  /**
   * Writes into the same etcd by the conditions of the grant. Some have them from the beginning of
   * their section, as a process does that goes on after a pause.
   */
  async write({ grant }: Section): Promise<void> {
    try {
      const known = this.#guards.get(grant);
      const isOld = known !== undefined && this.#random.chance(0.5);
      const guard = isOld ? known : (grant as EtcdGrant).guard();
      this.#guards.set(grant, guard);
      const compare = guard.map(({ key, target, revision }) => {
        const field = target === 'Mod' ? 'mod_revision' : 'create_revision';
        const bytes = Buffer.from(key, 'utf8').toString('base64');
        return {
          key: bytes,
          target: target.toUpperCase(),
          result: 'EQUAL',
          [field]: String(revision),
        };
      });
      const success = [putOf(`${dataPrefix}${guard[0].key}`, guard[0].key)];
      await this.#connection?.call('/v3/kv/txn', { compare, success }, writeMsMax);
    } catch (error) {
      const { code } = error as { readonly code?: string };
      if (code !== 'KDS_GRANT_LOST' && code !== 'KDS_UNAVAILABLE') throw error;
    }
  }

  abandon(): void {
    this.network.abandon();
  }

  #connect(attemptMs: number): EtcdConnection {
    const { machine } = this.#parts;
    const random = (): number => this.#random.real(0, 1);
    return new EtcdConnection({
      members: this.network.members(),
      attemptMs,
      clock: machine,
      random,
    });
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(4, '0');
}
