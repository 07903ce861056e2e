/** A process that uses a domain in Redis: its connection, and the backend's client over that. */

import type { Grant } from '../../src/api/grant.ts';
import { RedisBackend } from '../../src/backends/redis/backend.ts';
import { RemoteBackend } from '../../src/remote/backend.ts';
import { RemoteSession } from '../../src/remote/session.ts';
import type { Host, SimulatedClient } from '../client.ts';
import type { GrantSeen } from '../grants.ts';
import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';
import { type NetworkQuality, SimulatedConnection } from './connection.ts';
import type { SimulatedServer } from './server.ts';

export interface RedisHostParts {
  readonly world: World;
  readonly machine: Machine;
  readonly server: SimulatedServer;
  readonly quality: NetworkQuality;
  readonly domainName: string;
  readonly leaseMs: number;
  /** The server's grants, by token. */
  readonly grants: ReadonlyMap<number, GrantSeen>;
}

export type RedisClient = SimulatedClient<RedisHost>;

export class RedisHost implements Host {
  readonly connection: SimulatedConnection;
  readonly #parts: RedisHostParts;

  constructor(parts: RedisHostParts) {
    const { world, machine, server, quality } = parts;
    this.#parts = parts;
    this.connection = new SimulatedConnection(world, machine, server, quality);
  }

  async open(attempt: number): Promise<RemoteSession> {
    const { machine, domainName: name, leaseMs } = this.#parts;
    const client = `${machine.name}-${attempt}`;
    const options = { connection: this.connection, clock: machine, name, leaseMs, about: '{}' };
    const backend = new RedisBackend({ ...options, client });
    await backend.open();
    return new RemoteSession(new RemoteBackend(backend));
  }

  seenOf({ token }: Grant): GrantSeen | undefined {
    return this.#parts.grants.get(token);
  }

  abandon(): void {
    this.connection.abandon();
  }
}
