/** `kds break NAME`: takes a resource away from whoever holds it, and says whom that hurt. */

import { createInterface } from 'node:readline/promises';
import { readName, readOptions, UsageError } from './arguments.ts';
import { type DomainAddress, readAddress } from './domain-address.ts';
import { durationText, type Entry, modeOf, setText, whoText } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { shown } from './messages.ts';
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
    print(`nobody holds ${shown(name)}`);
    return exitCode.no;
  }
  if (!values.yes && !(await isAgreed(name, holders))) return exitCode.no;
  const hurt = await steal(name, address);
  if (hurt.length === 0) print(`nobody holds ${shown(name)} any more`);
  for (const entry of hurt) print(`taken away from ${whoText(entry)}: ${setText(entry.set)}`);
  return exitCode.done;
}

function holdersOf(name: string, held: readonly Entry[]): readonly Entry[] {
  return held.filter((entry) => modeOf(entry, name) !== undefined);
}

async function isAgreed(name: string, holders: readonly Entry[]): Promise<boolean> {
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
async function steal(name: string, address: DomainAddress): Promise<readonly Entry[]> {
  const label = 'kds break';
  const opened = await openAt(address, { label });
  const { domain } = opened;
  // Said in one go: what is held before is what is stolen, but for what may come between in Redis.
  const asking = domain.query();
  const stealing = domain.acquire({ exclusive: name }, { steal: true, label });
  const before = await asking;
  const grant = await stealing;
  // Whoever comes next is to hear that it may be half done, which a release would end.
  await (grant.recovered.length > 0 ? grant.abandon() : grant.release());
  await opened.close();
  return holdersOf(name, before.held);
}
