/** `kds why NAME`: who holds it, and who stands in line for it, in order. */

import { readOnly, readOptions } from './arguments.ts';
import { readAddress } from './domain-address.ts';
import { durationText, type Entry, type Listing, modeOf, setText, whoText } from './entries.ts';
import { exitCode } from './exit-codes.ts';
import { plainLineOf } from './listing.ts';
import { shown } from './messages.ts';
import { coloured, isForPeople, print } from './output.ts';
import { readSnapshot } from './snapshots.ts';

const options = {
  json: { type: 'boolean' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Ends with 0 if somebody holds it or waits for it, and with 1 if nobody does. */
export async function why(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const name = readOnly(positionals, 'NAME');
  const all = await readSnapshot(readAddress(values.domain, values.socket));
  const isAbout = (entry: Entry): boolean => modeOf(entry, name) !== undefined;
  const about = { held: all.held.filter(isAbout), pending: all.pending.filter(isAbout) };
  const entries = [...about.held, ...about.pending];
  if (values.json) print(JSON.stringify(about));
  else if (isForPeople) print(explanation(name, about));
  else for (const entry of entries) print(plainLineOf(entry));
  return entries.length > 0 ? exitCode.done : exitCode.no;
}

function explanation(name: string, { held, pending }: Listing): string {
  const lines: string[] = [];
  if (held.length === 0) lines.push(`${shown(name)} is ${coloured('green', 'free')}`);
  for (const entry of held) {
    const { token, set } = entry;
    const is = coloured('green', `is held ${modeOf(entry, name)}`);
    lines.push(`${shown(name)} ${is}, for ${age(entry)}, by ${whoText(entry)}`);
    lines.push(coloured('dim', `  all of its set: ${setText(set)}; token ${token}`));
  }
  if (pending.length > 0) lines.push('in line for it:');
  for (const [index, entry] of pending.entries()) {
    const wants = coloured('yellow', modeOf(entry, name) ?? '');
    lines.push(`  ${index + 1}. ${wants}, for ${age(entry)}: ${whoText(entry)}`);
  }
  return lines.join('\n');
}

function age({ since }: Entry): string {
  return durationText(Date.now() - since);
}
