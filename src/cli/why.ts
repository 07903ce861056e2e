/** `kds why NAME`: the holders of a resource, and its queue in order. */

import { explain, modeOf } from '../inspect/index.ts';
import { readName, readOptions } from './arguments.ts';
import { readAddress } from './domain-address.ts';
import type { Entry, Listing } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { plainLineOf } from './listing.ts';
import { coloured, isForPeople, print } from './output.ts';
import { readSnapshot, snapshotJson } from './snapshots.ts';

const options = {
  json: { type: 'boolean' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Ends with 0 if the resource is held or waited for, else with 1. */
export async function why(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const name = readName(positionals);
  const all = await readSnapshot(readAddress(values.domain, values.socket));
  const isAbout = (entry: Entry): boolean => modeOf(entry, name) !== undefined;
  const capacities = all.capacities?.filter(({ resource }) => resource === name) ?? [];
  const about = {
    held: all.held.filter(isAbout),
    pending: all.pending.filter(isAbout),
    ...(capacities.length > 0 && { capacities }),
  };
  const entries = [...about.held, ...about.pending];
  if (values.json) print(snapshotJson(about));
  else if (isForPeople) print(explanation(name, all));
  else for (const entry of entries) print(plainLineOf(entry));
  return entries.length > 0 ? exitCode.done : exitCode.no;
}

/** The text of `explain`, in colours. */
function explanation(name: string, snapshot: Listing): string {
  const colours = { held: 'green', free: 'green', waits: 'yellow', aside: 'dim' } as const;
  return explain(snapshot, name, { paint: (as, text) => coloured(colours[as], text) });
}
