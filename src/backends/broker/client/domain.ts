/** A domain that all processes of a user share. */

import { basename } from 'node:path';
import type { Domain } from '../../../api/domain.ts';
import { checkIsObject, checkLabel, checkTimeout } from '../../../api/options.ts';
import { outerGrants } from '../../../api/outer-grants.ts';
import { describe } from '../../../api/sets.ts';
import { RemoteSession } from '../../../remote/session.ts';
import { commandLengthMax, protocolVersion } from '../wire/limits.ts';
import type { BrokerSnapshot, Hello } from '../wire/messages.ts';
import { defaultSocketPath } from '../wire/socket-path.ts';
import { Link } from './backend.ts';
import { type BrokerPlace, defaultProgram } from './connect.ts';

export interface BrokerOptions {
  /**
   * The broker's socket, an absolute path of at most 96 bytes. Default: `$KDS_SOCKET`, or else
   * `/tmp/kds-UID/broker.sock`, whatever the environment. Domains of one socket are one domain.
   */
  readonly socket?: string | undefined;
  /** Of this client: told in snapshots and errors, of what has no label of its own. */
  readonly label?: string | undefined;
  /** Told in snapshots. Default: the command line of this process. */
  readonly command?: string | undefined;
  /** Whether to start a broker if there is none. Default true. */
  readonly start?: boolean | undefined;
  /** For a broker that this starts: how long it stays without a client, in ms. Default 10,000. */
  readonly idleMs?: number | undefined;
  /**
   * For a broker that this starts: for how long, in ms, it grants nothing new after another one has
   * died, so that those who hold something can claim it. Default 2,000.
   */
  readonly graceMs?: number | undefined;
}

const idleMsDefault = 10_000;
export const graceMsDefault = 2000;

/** Its snapshots also tell whose each set is. */
export interface BrokerDomain extends Domain {
  /** The process that serves, or did when something was last heard of it. */
  readonly brokerPid: number;
  query(): Promise<BrokerSnapshot>;
}

class LinkedDomain extends RemoteSession<BrokerSnapshot> implements BrokerDomain {
  declare readonly link: Link;

  get brokerPid(): number {
    return this.link.brokerPid;
  }
}

/**
 * Opens the domain that all processes of this user share, by way of a broker on a Unix socket; the
 * broker is started if there is none. Waits until the broker has answered.
 *
 * When this process ends, however it does, all that it holds is let go of at once. What it held
 * exclusively is then `recovered` by the next, unless the domain was closed. If the broker dies,
 * another one is started, and what is held stays held. Domains that nothing is expected of, whether
 * or not they hold anything, do not keep the process alive.
 *
 * `release`, `downgrade` and `abandon` wait for nothing: other clients see them when the broker has
 * heard of them, and at the latest when a later `query()` of this client is answered.
 *
 * @throws UnavailableError if no broker is there and none can be started, or its place is not safe;
 * ProtocolError if it speaks another version; UnsupportedError where there are no Unix sockets;
 * TypeError, RangeError, LimitError for options that are none.
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
  const { place, hello } = checkBrokerOptions(options);
  const link = new Link(place, hello);
  await link.open();
  return new LinkedDomain(link, undefined, hello.label);
}

function checkBrokerOptions(options: BrokerOptions): { place: BrokerPlace; hello: Hello } {
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
  // Those with a key are another backend's.
  const under = outerGrants().filter(({ key }) => key === undefined);
  const hello: Hello = {
    do: 'hello',
    version: protocolVersion,
    pid: process.pid,
    command: command.slice(0, commandLengthMax),
    ...(label !== undefined && { label }),
    ...(under.length > 0 && { under }),
  };
  return { place: { socketPath, start, program: defaultProgram(), idleMs, graceMs }, hello };
}

function commandLine(): string {
  return [basename(process.argv0), ...process.argv.slice(1)].join(' ');
}
