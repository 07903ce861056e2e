/** `kds ls`: held sets by token, then waiting sets in order. */

import { namesIn } from '../api/mode.ts';
import { readNone, readOptions, UsageError } from './arguments.ts';
import { readAddress } from './domain-address.ts';
import type { Listing } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { plainLineOf, poolLines, tableOf } from './listing.ts';
import { printable } from './messages.ts';
import { columnCount, isForPeople, print } from './output.ts';
import { watchReader } from './reader-gone.ts';
import { readSnapshot, type Snapshots, snapshotJson, snapshotsAt } from './snapshots.ts';

const watchMs = 1000;

const options = {
  json: { type: 'boolean' },
  names: { type: 'boolean' },
  null: { type: 'boolean', short: '0' },
  watch: { type: 'boolean' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function ls(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  readNone(positionals);
  if (values.null && (!values.names || values.json || values.watch)) {
    throw new UsageError('-0 requires --names, and cannot be used with --json or --watch');
  }
  const format = values.json ? snapshotJson : values.names ? namesOf : listingOf;
  if (values.watch) return watch(snapshotsAt(readAddress(values.domain, values.socket)), format);
  const snapshot = await readSnapshot(readAddress(values.domain, values.socket));
  if (values.null) {
    process.stdout.write(
      allNames(snapshot)
        .map((name) => `${name}\0`)
        .join(''),
    );
    return exitCode.done;
  }
  const text = format(snapshot);
  if (text !== '') print(text);
  return exitCode.done;
}

/** Prints each change; ends with the process, or when the reader has closed the pipe. */
async function watch(snapshots: Snapshots, format: (snapshot: Listing) => string): Promise<number> {
  watchReader(() => process.exit());
  let last: string | undefined;
  for (;;) {
    const text = format(await snapshots.read());
    if (text !== last || isForPeople) {
      // Clears the terminal; a reader of a pipe gets an empty line after each listing instead.
      if (isForPeople) process.stdout.write('\x1b[H\x1b[2J');
      print(isForPeople || format === snapshotJson ? text : `${text}${text === '' ? '' : '\n'}`);
    }
    last = text;
    await new Promise((resolve) => setTimeout(resolve, watchMs));
  }
}

/** A line each, in quotes unless it is a plain word. */
function namesOf(snapshot: Listing): string {
  return allNames(snapshot)
    .map((name) => printable(name))
    .join('\n');
}

/** Each once, in order. */
function allNames({ held, pending }: Listing): readonly string[] {
  const names = [...held, ...pending].flatMap(({ set }) => namesIn(set));
  return [...new Set(names)].sort();
}

function listingOf(snapshot: Listing): string {
  const { held, pending } = snapshot;
  if (!isForPeople) return [...held, ...pending].map(plainLineOf).join('\n');
  const columns = columnCount();
  const pools = poolLines(snapshot, columns);
  if (held.length + pending.length > 0) return [...tableOf(snapshot, columns), ...pools].join('\n');
  return ['no held or waiting sets', ...pools].join('\n');
}
