/** `kds break NAME`: revokes the grants that hold a resource, and prints them. */

import { createInterface } from 'node:readline/promises';
import { readName, readOptions, UsageError } from './arguments.ts';
import { type DomainAddress, readAddress } from './domain-address.ts';
import { durationText, type Entry, modeOf, ownerText, setText } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { printable } from './messages.ts';
import { openAt } from './open-domain.ts';
import { print } from './output.ts';
import { readSnapshot } from './snapshots.ts';

const options = {
  yes: { type: 'boolean', short: 'y' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function breakGrants(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const name = readName(positionals);
  const address = readAddress(values.domain, values.socket);
  const holders = holdersOf(name, (await readSnapshot(address)).held);
  if (holders.length === 0) {
    print(`${printable(name)} is not held`);
    return exitCode.no;
  }
  if (!values.yes && !(await isAgreed(name, holders))) return exitCode.no;
  const revoked = await steal(name, address);
  if (revoked.length === 0) print(`${printable(name)} is no longer held`);
  for (const entry of revoked) print(`revoked: ${ownerText(entry)}: ${setText(entry.set)}`);
  return exitCode.done;
}

function holdersOf(name: string, held: readonly Entry[]): readonly Entry[] {
  return held.filter((entry) => modeOf(entry, name) !== undefined);
}

async function isAgreed(name: string, holders: readonly Entry[]): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new UsageError(
      'break asks for confirmation on a terminal: without a terminal, use --yes',
    );
  }
  for (const entry of holders) {
    const since = durationText(Date.now() - entry.since);
    print(`held for ${since} by ${ownerText(entry)}: ${setText(entry.set)}`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `revoke the grants of ${printable(name)}, with their whole sets? [y/N] `;
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}

/** Returns the grants that held it until then. */
async function steal(name: string, address: DomainAddress): Promise<readonly Entry[]> {
  const label = 'kds break';
  const opened = await openAt(address, { label });
  const { domain } = opened;
  // Sent together: the listing has the grants that the steal revokes, except for a race in Redis.
  const querying = domain.query();
  const stealing = domain.acquire({ exclusive: name }, { steal: true, label });
  const before = await querying;
  const grant = await stealing;
  // The next holder must see it as recovered; a release would clear that.
  await (grant.recovered.length > 0 ? grant.abandon() : grant.release());
  await opened.close();
  return holdersOf(name, before.held);
}
