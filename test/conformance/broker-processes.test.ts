import type { ChildProcess } from 'node:child_process';
import type { Capability, Domain } from 'kds';
import { testConformance } from 'kds/conformance';
import type { Arena } from 'kds/threads';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { bundleProgram, heard, removePrograms, startClient } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { RemoteClient, RemoteDomain } from '../threads/remote-domain.ts';
import type { Envelope, FromWorker } from '../threads/remote-messages.ts';

const capabilities: readonly Capability[] = ['settled', 'downgrade', 'part-release', 'steal'];

afterAll(() => {
  removePrograms();
  removePlaces();
});

describe('with requests from several processes', () => {
  const clients = new Map<number, RemoteClient>();
  let processes: readonly ChildProcess[] = [];
  let domainLast = 0;

  beforeAll(async () => {
    const program = await bundleProgram(new URL('./broker-client.ts', import.meta.url));
    processes = Array.from({ length: 3 }, () => startClient(program));
    for (const child of processes) {
      await heard(child);
      child.on('message', ({ domain, message }: Envelope<FromWorker>) => {
        clients.get(domain)?.receive(message);
      });
    }
  });

  const open = async (socket: string, at: number): Promise<Domain> => {
    const child = processes[at % processes.length] as ChildProcess;
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

  testConformance(
    { describe, it },
    {
      name: 'the broker, from several processes',
      capabilities,
      sync: false,
      // Messages between processes do not carry functions.
      nested: false,
      connects: true,
      sessionDepth: 9000,
      randomRunCount: 80,
      open: async () => {
        const socket = freshSocketPath();
        const broker = await runBroker({ socketPath: socket });
        let count = 0;
        const connect = () => open(socket, count++);
        const domain = await connect();
        const close = async () => {
          await domain.close();
          await broker?.close();
        };
        return { domain, connect, close };
      },
    },
  );
});
