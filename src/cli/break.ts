/** `kds break NAME`: takes a resource away from whoever holds it, and says whom that hurt. */

import { createInterface } from 'node:readline/promises';
import { type BrokerSnapshotEntry, openBrokerDomain } from '../hosts/broker/index.ts';
import { readOnly, readOptions, readSocket, UsageError } from './arguments.ts';
import { durationText, modeOf, setText, whoText } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { shown } from './messages.ts';
import { print } from './output.ts';
import { readSnapshot } from './snapshots.ts';

const options = {
  yes: { type: 'boolean', short: 'y' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function breakGrants(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const name = readOnly(positionals, 'NAME');
  const socket = readSocket(values.socket);
  const holders = holdersOf(name, (await readSnapshot(socket)).held);
  if (holders.length === 0) {
    print(`nobody holds ${shown(name)}`);
    return exitCode.no;
  }
  if (!values.yes && !(await isAgreed(name, holders))) return exitCode.no;
  const hurt = await steal(name, socket);
  if (hurt.length === 0) print(`nobody holds ${shown(name)} any more`);
  for (const entry of hurt) print(`taken away from ${whoText(entry)}: ${setText(entry.set)}`);
  return exitCode.done;
}

function holdersOf(
  name: string,
  held: readonly BrokerSnapshotEntry[],
): readonly BrokerSnapshotEntry[] {
  return held.filter((entry) => modeOf(entry, name) !== undefined);
}

async function isAgreed(name: string, holders: readonly BrokerSnapshotEntry[]): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new UsageError('without a terminal to ask at, break needs --yes');
  }
  for (const entry of holders) {
    const since = durationText(Date.now() - entry.since);
    print(`held for ${since} by ${whoText(entry)}: ${setText(entry.set)}`);
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const asked = `take ${shown(name)} away, and with it all of what they hold? [y/N] `;
    return /^y(es)?$/i.test((await asking.question(asked)).trim());
  } finally {
    asking.close();
  }
}

/** Who held it up to that moment. */
async function steal(name: string, socket: string): Promise<readonly BrokerSnapshotEntry[]> {
  const label = 'kds break';
  const domain = await openBrokerDomain({ socket, label });
  // Said in one go, so nobody comes between: what is held before is what is stolen.
  const asking = domain.query();
  const stealing = domain.acquire({ exclusive: name }, { steal: true, label });
  const before = await asking;
  const grant = await stealing;
  // Whoever comes next is to hear that it may be half done, which a release would end.
  if (grant.recovered.length > 0) grant.abandon();
  else grant.release();
  await domain.close();
  return holdersOf(name, before.held);
}
