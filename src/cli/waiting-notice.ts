/** The notice on a terminal while `kds run` waits: its set, and the sets that block it. */

import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { durationText, type Entry, type Listing, ownerText, setText } from './entries.ts';
import { report } from './messages.ts';

interface Queried {
  query(): Promise<Listing>;
}

/** Prints nothing if stderr is no terminal, or the request has been granted meanwhile. */
export async function reportBlockers(domain: Queried): Promise<void> {
  if (!isatty(2)) return;
  try {
    const { held, pending } = await domain.query();
    const own = pending.find(isOwn);
    if (own === undefined) return;
    const all = [...held, ...pending];
    const ahead = own.waitingFor.flatMap((id) => all.filter((entry) => entry.id === id));
    report(`waiting for ${setText(own.set)}`);
    for (const entry of ahead) {
      const does = entry.token === undefined ? 'is ahead, waiting for' : 'holds';
      const since = durationText(Date.now() - entry.since);
      report(`  ${ownerText(entry)} ${does} ${setText(entry.set)}, for ${since}`);
    }
  } catch {
    // The notice is optional: the wait itself reports its errors.
  }
}

/** This process requests one set only. */
function isOwn({ client }: Entry): boolean {
  const isHere = client?.host === undefined || client.host === hostname();
  return isHere && client?.pid === process.pid;
}
