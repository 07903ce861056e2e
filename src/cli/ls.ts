/** `kds ls`: all that is held, by token, then all who wait, in order. */

import { readNone, readOptions } from './arguments.ts';
import { readAddress } from './domain-address.ts';
import type { Listing } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { plainLineOf, tableOf } from './listing.ts';
import { columnCount, isForPeople, print } from './output.ts';
import { watchReader } from './reader-gone.ts';
import { readSnapshot, type Snapshots, snapshotsAt } from './snapshots.ts';

const watchMs = 1000;

const options = {
  json: { type: 'boolean' },
  names: { type: 'boolean' },
  watch: { type: 'boolean' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function ls(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  readNone(positionals);
  const tell = values.json ? jsonOf : values.names ? namesOf : listingOf;
  if (values.watch) return watch(snapshotsAt(readAddress(values.domain, values.socket)), tell);
  const text = tell(await readSnapshot(readAddress(values.domain, values.socket)));
  if (text !== '') print(text);
  return exitCode.done;
}

/** Shows it again whenever it has changed; ends with the process, or as nobody reads any more. */
async function watch(snapshots: Snapshots, tell: (snapshot: Listing) => string): Promise<number> {
  watchReader(() => process.exit());
  let last: string | undefined;
  for (;;) {
    const text = tell(await snapshots.read());
    if (text !== last || isForPeople) {
      // Clears the terminal; a reader of a pipe gets an empty line after each listing instead.
      if (isForPeople) process.stdout.write('\x1b[H\x1b[2J');
      print(isForPeople || tell === jsonOf ? text : `${text}${text === '' ? '' : '\n'}`);
    }
    last = text;
    await new Promise((resolve) => setTimeout(resolve, watchMs));
  }
}

/** One line. */
function jsonOf(snapshot: Listing): string {
  return JSON.stringify(snapshot);
}

/** For completion in shells. */
function namesOf({ held, pending }: Listing): string {
  const names = [...held, ...pending].flatMap(({ set }) => [...set.exclusive, ...set.shared]);
  // A line is a name: what does not fit on one cannot be completed.
  const told = [...new Set(names)].filter((name) => !/[\p{Cc}]/u.test(name));
  return told.sort().join('\n');
}

function listingOf(snapshot: Listing): string {
  const { held, pending } = snapshot;
  if (!isForPeople) return [...held, ...pending].map(plainLineOf).join('\n');
  if (held.length + pending.length === 0) return 'nothing is held, and nobody waits';
  return tableOf(snapshot, columnCount()).join('\n');
}
