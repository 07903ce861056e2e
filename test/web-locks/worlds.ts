/**
 * The backends that locks are tested on: in each world, any number of agents see the same locks.
 */

import type { ChildProcess } from 'node:child_process';
import { type Capability, createDomain, type Domain } from 'kds';
import { openBrokerDomain } from 'kds/broker';
import { type Arena, createArena, openThreadsDomain } from 'kds/threads';
import { LockManager } from 'kds/web-locks';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { bundleProgram, heard, removePrograms, startClient } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { DomainPool } from '../threads/domain-pool.ts';
import { RemoteClient, RemoteDomain } from '../threads/remote-domain.ts';
import type { Envelope, FromWorker } from '../threads/remote-messages.ts';

export class World {
  /** A domain of it that no agent has. */
  readonly domain: Domain;
  readonly #connect: () => Promise<Domain>;
  readonly #domains: Domain[] = [];
  readonly #after: () => Promise<void>;

  constructor(
    domain: Domain,
    connect: () => Promise<Domain>,
    after = async (): Promise<void> => {},
  ) {
    this.domain = domain;
    this.#connect = connect;
    this.#after = after;
  }

  /** One more that asks for locks: of another thread or process, where there are several. */
  async agent(): Promise<LockManager> {
    const domain = await this.#connect();
    if (domain !== this.domain) this.#domains.push(domain);
    return new LockManager(domain);
  }

  async close(): Promise<void> {
    for (const domain of this.#domains) await domain.close();
    await this.domain.close();
    await this.#after();
  }
}

/** What a kind of world needs is started once. */
export interface WorldKind {
  readonly name: string;
  start?(): Promise<void>;
  open(): Promise<World>;
  end?(): Promise<void>;
}

const inProcess: WorldKind = {
  name: 'process',
  async open() {
    const domain = createDomain();
    return new World(domain, async () => domain);
  },
};

const inArena: WorldKind = {
  name: 'threads',
  async open() {
    const arena = createArena({ bytesMax: 2 ** 22 });
    return new World(openThreadsDomain(arena), async () => openThreadsDomain(arena));
  },
};

let pool: DomainPool;
const inWorkers: WorldKind = {
  name: 'threads, several workers',
  async start() {
    pool = await DomainPool.start(3);
  },
  async open() {
    const arena = createArena({ bytesMax: 2 ** 22 });
    let count = 0;
    const connect = (): Promise<Domain> => pool.open(arena, count++);
    return new World(await connect(), connect);
  },
  end: () => pool.end(),
};

const atBroker: WorldKind = {
  name: 'broker',
  async open() {
    const socket = freshSocketPath();
    const broker = await runBroker({ socketPath: socket });
    const connect = (): Promise<Domain> => openBrokerDomain({ socket, start: false });
    return new World(await connect(), connect, async () => broker?.close());
  },
  async end() {
    removePlaces();
  },
};

const capabilities: readonly Capability[] = ['settled', 'downgrade', 'part-release', 'steal'];
const clients = new Map<number, RemoteClient>();
let processes: readonly ChildProcess[] = [];
let domainLast = 0;

const inProcesses: WorldKind = {
  name: 'broker, several processes',
  async start() {
    const program = await bundleProgram(
      new URL('../conformance/broker-client.ts', import.meta.url),
    );
    processes = Array.from({ length: 3 }, () => startClient(program));
    for (const child of processes) {
      await heard(child);
      child.on('message', ({ domain, message }: Envelope<FromWorker>) => {
        clients.get(domain)?.receive(message);
      });
    }
  },
  async open() {
    const socket = freshSocketPath();
    const broker = await runBroker({ socketPath: socket });
    let count = 0;
    const connect = async (): Promise<Domain> => {
      const child = processes[count++ % processes.length] as ChildProcess;
      const domain = ++domainLast;
      const client = new RemoteClient(
        (message) => void child.send({ domain, message }),
        capabilities,
      );
      clients.set(domain, client);
      // What is to be opened: with threads it is an arena.
      await client.call({ do: 'open', arena: socket as unknown as Arena });
      return new RemoteDomain(client);
    };
    return new World(await connect(), connect, async () => broker?.close());
  },
  async end() {
    removePrograms();
    removePlaces();
  },
};

export const worldKinds: readonly WorldKind[] = [
  inProcess,
  inArena,
  inWorkers,
  atBroker,
  inProcesses,
];
