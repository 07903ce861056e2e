/** Held and waiting sets at an address; empty where no broker runs. */

import { connect } from 'node:net';
import { isKdsError } from '../api/errors.ts';
import { type BrokerDomain, openBrokerDomain } from '../backends/broker/index.ts';
import { jsonText } from '../runtime/escape.ts';
import { addressText, type DomainAddress } from './domain-address.ts';
import type { Listing } from './entries.ts';
import { openAt } from './open-domain.ts';

/** Of the JSON of a snapshot. */
const snapshotVersion = 2;

/** In one line. */
export function snapshotJson(snapshot: Listing): string {
  return jsonText({ version: snapshotVersion, ...snapshot });
}

const nothing: Listing = { held: [], pending: [] };

/** Reads one domain repeatedly. */
export interface Snapshots {
  /** Source of the last snapshot: the broker's pid and socket, or the URL. */
  readonly address: string;
  /** @throws UnavailableError, ProtocolError */
  read(): Promise<Listing>;
  close(): Promise<void>;
}

export function snapshotsAt(address: DomainAddress): Snapshots {
  if (address.at === 'broker') return new BrokerSnapshots(address.socketPath);
  return new RemoteSnapshots(address);
}

export async function readSnapshot(address: DomainAddress): Promise<Listing> {
  const snapshots = snapshotsAt(address);
  try {
    return await snapshots.read();
  } finally {
    await snapshots.close();
  }
}

/** Starts no broker. */
class BrokerSnapshots implements Snapshots {
  readonly #socketPath: string;
  #domain: BrokerDomain | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  get address(): string {
    const pid = this.#domain?.brokerPid;
    return `${pid === undefined ? 'no broker' : `broker ${pid}`} at ${this.#socketPath}`;
  }

  async read(): Promise<Listing> {
    try {
      this.#domain ??= await openBrokerDomain({ socket: this.#socketPath, start: false });
      return await this.#domain.query();
    } catch (error) {
      await this.close();
      const isAbsent = isKdsError(error, 'KDS_UNAVAILABLE') && !(await isServed(this.#socketPath));
      if (!isAbsent) throw error;
      return nothing;
    }
  }

  async close(): Promise<void> {
    const domain = this.#domain;
    this.#domain = undefined;
    await domain?.close();
  }
}

/** In Redis, a server that does not answer is always an error. */
class RemoteSnapshots implements Snapshots {
  readonly address: string;
  readonly #address: DomainAddress;
  #opened: Awaited<ReturnType<typeof openAt>> | undefined;

  constructor(address: DomainAddress) {
    this.#address = address;
    this.address = addressText(address);
  }

  async read(): Promise<Listing> {
    try {
      this.#opened ??= await openAt(this.#address, {});
      return await this.#opened.domain.query();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.close();
  }
}

/** False if no broker listens there: that is no error, kds is just not in use. */
export function isServed(socketPath: string): Promise<boolean> {
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
