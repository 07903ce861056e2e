/** A domain that all processes of a user share. */

import { basename } from 'node:path';
import type { Domain } from '../../../api/domain.ts';
import { checkIsObject, checkLabel, checkTimeout } from '../../../api/options.ts';
import { outerGrants } from '../../../api/outer-grants.ts';
import { describe } from '../../../api/sets.ts';
import { type CapacitySpec, type ReadCapacity, readCapacities } from '../../../api/units.ts';
import { RemoteBackend } from '../../../remote/backend.ts';
import { RemoteSession } from '../../../remote/session.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { commandLengthMax, protocolVersion } from '../wire/limits.ts';
import type { BrokerSnapshot, Hello } from '../wire/messages.ts';
import { defaultSocketPath } from '../wire/socket-path.ts';
import { BrokerBackend } from './backend.ts';
import { type BrokerAddress, defaultProgram } from './connect.ts';

/**
 * Options of {@link openBrokerDomain}.
 *
 * @since 0.1.0
 */
export interface BrokerOptions {
  /**
   * The broker's socket, an absolute path of at most 96 bytes. Default: `$KDS_SOCKET`, or else
   * `/tmp/kds-UID/broker.sock`, whatever the environment. Domains of one socket are one domain.
   */
  readonly socket?: string | undefined;
  /**
   * The label of this client, in snapshots and events; in errors where a request has no label. At
   * most 1,024 code units. Default: none.
   */
  readonly label?: string | undefined;
  /**
   * The command of this client, in snapshots; cut to 1,024 code units. Default: the command line of
   * this process.
   */
  readonly command?: string | undefined;
  /** Whether to start a broker if none serves. Default true. */
  readonly start?: boolean | undefined;
  /**
   * For a broker that this client starts: time, ms, that it stays without a client, from 0 to
   * Infinity. Default 10,000.
   */
  readonly idleMs?: number | undefined;
  /**
   * For a broker that this client starts: time of grace, ms, in which it grants nothing new after
   * another broker has died, so that clients can reclaim their grants. From 0; default 2,000.
   */
  readonly graceMs?: number | undefined;
  /**
   * Capacities that are declared before the domain is returned, by name, as by
   * {@link Domain.setCapacity}. Default: none.
   *
   * @since 0.2.0
   */
  readonly capacity?: Readonly<Record<string, CapacitySpec>> | undefined;
}

const idleMsDefault = 10_000;
export const graceMsDefault = 2000;

/**
 * The domain that all processes of a user share. Its snapshots name the client of each set. It has
 * no synchronous calls, so `locked` makes no difference.
 *
 * @example
 * ```ts
 * import { type BrokerDomain, openBrokerDomain } from 'kds/broker';
 *
 * const domain: BrokerDomain = await openBrokerDomain();
 * const { held } = await domain.query();
 * console.log(domain.brokerPid, held.map(({ client }) => client?.command));
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export interface BrokerDomain extends Domain {
  /** The id of the process that serves, or did at its last answer. */
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
 * Opens the domain that all processes of this user share, by way of a broker on a Unix socket; a
 * broker is started if none serves.
 *
 * When this process ends, by any cause, its grants are released at once; without a `close()` their
 * exclusive resources are `recovered` by the next holder. If the broker dies, another one is
 * started, and grants stay held. A domain keeps the process alive only while a request or query of
 * it waits.
 *
 * `release`, `downgrade` and `abandon` return at once: other clients see them when the broker has
 * received them, at the latest when a later `query()` of this client is answered.
 *
 * @param options - Socket, label and others. Default: the broker of this user.
 * @throws {@link UnavailableError} if no broker serves and none can be started, or the directory of
 * the socket is not safe.
 * @throws {@link ProtocolError} if the broker is of another version of kds.
 * @throws {@link UnsupportedError} on a system without Unix sockets.
 * @throws {@link LimitError} if the label or a list of names is too long, or the broker has too
 * many declared capacities.
 * @throws {@link CapacityError} if units are in use and would lose their names.
 * @throws TypeError or RangeError if an option is invalid.
 * @waits Resolves when a broker has answered, which may have to start first: at most some 20 s;
 * with `capacity`, after a time of grace.
 * @example
 * ```ts
 * import { openBrokerDomain } from 'kds/broker';
 *
 * const domain = await openBrokerDomain({ label: 'nightly import' });
 * await domain.run({ exclusive: 'db', shared: 'config' }, (grant) => console.log(grant.token));
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export async function openBrokerDomain(options: BrokerOptions = {}): Promise<BrokerDomain> {
  const { address, hello, capacities } = checkBrokerOptions(options);
  const backend = new BrokerBackend(address, hello, systemClock);
  await backend.open();
  try {
    await Promise.all([...capacities].map(([name, each]) => backend.setCapacity(name, each)));
  } catch (error) {
    await backend.close();
    throw error;
  }
  return new ConnectedDomain(backend, hello.label);
}

function checkBrokerOptions(options: BrokerOptions): {
  address: BrokerAddress;
  hello: Hello;
  capacities: ReadonlyMap<string, ReadCapacity>;
} {
  checkIsObject(options);
  const capacities = readCapacities(options.capacity);
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
  const address = { socketPath, start, program: defaultProgram(), idleMs, graceMs };
  return { address, hello, capacities };
}

function commandLine(): string {
  return [basename(process.argv0), ...process.argv.slice(1)].join(' ');
}
