/** A domain that all processes of a user share. */

import { basename } from 'node:path';
import type { Domain } from '../../../api/domain.ts';
import { checkIsObject, checkLabel, checkTimeout } from '../../../api/options.ts';
import { outerGrants } from '../../../api/outer-grants.ts';
import { describe } from '../../../api/sets.ts';
import { RemoteBackend } from '../../../remote/backend.ts';
import { RemoteSession } from '../../../remote/session.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { commandLengthMax, protocolVersion } from '../wire/limits.ts';
import type { BrokerSnapshot, Hello } from '../wire/messages.ts';
import { defaultSocketPath } from '../wire/socket-path.ts';
import { BrokerBackend } from './backend.ts';
import { type BrokerAddress, defaultProgram } from './connect.ts';

export interface BrokerOptions {
  /**
   * The broker's socket, an absolute path of at most 96 bytes. Default: `$KDS_SOCKET`, or else
   * `/tmp/kds-UID/broker.sock`, whatever the environment. Domains of one socket are one domain.
   */
  readonly socket?: string | undefined;
  /** Of this client: in snapshots and errors, where a request has no label. */
  readonly label?: string | undefined;
  /** In snapshots. Default: the command line of this process. */
  readonly command?: string | undefined;
  /** Whether to start a broker if there is none. Default true. */
  readonly start?: boolean | undefined;
  /** For a broker that this starts: ms that it stays without a client. Default 10,000. */
  readonly idleMs?: number | undefined;
  /**
   * For a broker that this starts: ms in which it grants nothing new after another one has died, so
   * that clients can claim what they hold. Default 2,000.
   */
  readonly graceMs?: number | undefined;
}

const idleMsDefault = 10_000;
export const graceMsDefault = 2000;

/** Its snapshots name the client of each set. */
export interface BrokerDomain extends Domain {
  /** The process that serves, or did at its last answer. */
  readonly brokerPid: number;
  query(): Promise<BrokerSnapshot>;
}

class ConnectedDomain extends RemoteSession<BrokerSnapshot> implements BrokerDomain {
  readonly #broker: BrokerBackend;

  constructor(broker: BrokerBackend, label: string | undefined) {
    super(new RemoteBackend(broker), label);
    this.#broker = broker;
  }

  get brokerPid(): number {
    return this.#broker.brokerPid;
  }
}

/**
 * Opens the domain that all processes of this user share, by way of a broker on a Unix socket; the
 * broker is started if there is none. Waits until the broker has answered.
 *
 * When this process ends, however it does, all that it holds is released at once. What it held
 * exclusively is then `recovered` by the next holder, unless the domain was closed. If the broker
 * dies, another one is started, and what is held stays held. A domain keeps the process alive only
 * while a request or query of it waits, whether or not it holds anything.
 *
 * `release`, `downgrade` and `abandon` wait for nothing: other clients see them when the broker has
 * received them, and at the latest when a later `query()` of this client is answered.
 *
 * @throws UnavailableError if no broker serves and none can be started, or its socket's folder is
 * not safe; ProtocolError if it speaks another version; UnsupportedError where there are no Unix
 * sockets; TypeError, RangeError, LimitError for invalid options.
 * @example
 * ```ts
 * import { openBrokerDomain } from 'kds/broker';
 *
 * const domain = await openBrokerDomain({ label: 'nightly import' });
 * await domain.run({ exclusive: 'db', shared: 'config' }, (grant) => console.log(grant.token));
 * await domain.close();
 * ```
 */
export async function openBrokerDomain(options: BrokerOptions = {}): Promise<BrokerDomain> {
  const { address, hello } = checkBrokerOptions(options);
  const backend = new BrokerBackend(address, hello, systemClock);
  await backend.open();
  return new ConnectedDomain(backend, hello.label);
}

function checkBrokerOptions(options: BrokerOptions): {
  address: BrokerAddress;
  hello: Hello;
} {
  checkIsObject(options);
  const { start = true, idleMs = idleMsDefault, graceMs = graceMsDefault, label } = options;
  const { socket: socketPath = defaultSocketPath(), command = commandLine() } = options;
  if (typeof start !== 'boolean') throw new TypeError(`start is a boolean, not ${describe(start)}`);
  if (typeof command !== 'string') {
    throw new TypeError(`command is a string, not ${describe(command)}`);
  }
  if (label !== undefined) checkLabel(label);
  checkTimeout(idleMs, 'idleMs');
  checkTimeout(graceMs, 'graceMs');
  // Grants with a key are of another backend.
  const under = outerGrants().filter(({ key }) => key === undefined);
  const hello: Hello = {
    do: 'hello',
    version: protocolVersion,
    pid: process.pid,
    command: command.slice(0, commandLengthMax),
    ...(label !== undefined && { label }),
    ...(under.length > 0 && { under }),
  };
  return { address: { socketPath, start, program: defaultProgram(), idleMs, graceMs }, hello };
}

function commandLine(): string {
  return [basename(process.argv0), ...process.argv.slice(1)].join(' ');
}
