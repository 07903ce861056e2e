/** A process that uses a domain at the broker: the backend's own client, in a simulated system. */

import type { Grant } from '../../src/api/grant.ts';
import { BrokerBackend } from '../../src/backends/broker/client/backend.ts';
import { protocolVersion } from '../../src/backends/broker/wire/limits.ts';
import { RemoteBackend } from '../../src/remote/backend.ts';
import { RemoteSession } from '../../src/remote/session.ts';
import type { Host, SimulatedClient } from '../client.ts';
import type { GrantSeen } from '../grants.ts';
import type { Machine } from '../machine.ts';
import type { BrokerMonitor } from './monitor.ts';
import type { System } from './system.ts';

export const folder = '/tmp/kds';
export const socketPath = `${folder}/broker.sock`;
export const program = '/usr/kds/broker-server.js';

export interface BrokerHostParts {
  readonly machine: Machine;
  readonly system: System;
  readonly monitor: BrokerMonitor;
  readonly idleMs: number;
  readonly graceMs: number;
}

export type BrokerClient = SimulatedClient<BrokerHost>;

export class BrokerHost implements Host {
  readonly #parts: BrokerHostParts;

  constructor(parts: BrokerHostParts) {
    this.#parts = parts;
    parts.system.adopt(parts.machine);
  }

  /** As `openBrokerDomain` does it. */
  async open(): Promise<RemoteSession> {
    const { machine, system, idleMs, graceMs } = this.#parts;
    system.enter(machine);
    const address = { socketPath, start: true, program, idleMs, graceMs };
    const label = machine.name;
    const hello = { do: 'hello', version: protocolVersion, pid: process.pid, label } as const;
    const backend = new BrokerBackend(address, hello, system.clockOf(machine));
    await backend.open();
    return new RemoteSession(new RemoteBackend(backend));
  }

  seenOf({ token }: Grant): GrantSeen | undefined {
    return this.#parts.monitor.seenOf(token);
  }

  abandon(): void {
    const { machine, system } = this.#parts;
    system.kill(machine);
  }

  /** Its connections are cut, to the broker and to others. */
  cut(): void {
    const { machine, system, monitor } = this.#parts;
    monitor.noteCut(machine.name);
    system.cut(machine);
  }
}
