/** Who holds what and who waits, as the broker tells it; without a broker, nobody does. */

import { connect } from 'node:net';
import type { UnavailableError } from '../domain/errors.ts';
import { type BrokerDomain, type BrokerSnapshot, openBrokerDomain } from '../hosts/broker/index.ts';

const nothing: BrokerSnapshot = { held: [], pending: [] };

export class Snapshots {
  readonly socketPath: string;
  #domain: BrokerDomain | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** Of the broker that answered last. */
  get brokerPid(): number | undefined {
    return this.#domain?.brokerPid;
  }

  /** Starts no broker. @throws UnavailableError, ProtocolError */
  async read(): Promise<BrokerSnapshot> {
    try {
      this.#domain ??= await openToLook(this.socketPath);
      return await this.#domain.query();
    } catch (error) {
      await this.close();
      if (!isUnavailable(error) || (await isServed(this.socketPath))) throw error;
      return nothing;
    }
  }

  async close(): Promise<void> {
    const domain = this.#domain;
    this.#domain = undefined;
    await domain?.close();
  }
}

export async function readSnapshot(socketPath: string): Promise<BrokerSnapshot> {
  const snapshots = new Snapshots(socketPath);
  try {
    return await snapshots.read();
  } finally {
    await snapshots.close();
  }
}

function openToLook(socket: string): Promise<BrokerDomain> {
  return openBrokerDomain({ socket, start: false });
}

function isUnavailable(error: unknown): error is UnavailableError {
  return error instanceof Error && 'code' in error && error.code === 'KDS_UNAVAILABLE';
}

/** False if nobody listens there: then nothing is amiss, it is only that nobody uses kds. */
function isServed(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = 'code' in error ? error.code : undefined;
      resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'ECONNRESET');
    });
  });
}
