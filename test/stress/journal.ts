/**
 * What the clients of a stress test wrote down, and whether it obeys the rule: no two that conflict
 * hold at once, and of two that conflict the later one has the greater token.
 *
 * Where a backend can take a grant away from a client that is not notified in time, such a pair is
 * excused only if the backend's own record shows that the earlier grant had been lost before the
 * later one was made. No stretch of time excuses anything.
 */

export interface NamedSets {
  readonly exclusive: readonly string[];
  readonly shared: readonly string[];
}

export type Line = { readonly client: string } & (
  | { readonly do: 'begin'; readonly id: string; readonly token: number; readonly set: NamedSets }
  | { readonly do: 'end' | 'lost'; readonly id: string }
  /** Written before the client is killed. */
  | { readonly do: 'kill' }
  /** It ended by itself, though nothing that happens to it should make it do so. */
  | { readonly do: 'failed'; readonly error: string }
  | { readonly do: 'done'; readonly count: number }
);

export interface Findings {
  readonly faults: readonly string[];
  readonly grantCount: number;
  readonly lostCount: number;
  /** Pairs that conflict and were excused. */
  readonly excusedCount: number;
}

/** Whether the grant of the first token was lost before the one of the second token was made. */
export type Excuse = (token: number, laterToken: number) => boolean;

type Begun = Extract<Line, { readonly do: 'begin' }>;

/** All that began with a name. */
interface Past {
  tokenMax: number;
  readonly entries: Entry[];
}

interface Entry {
  readonly token: number;
  readonly isExclusive: boolean;
  readonly id: string;
}

export function checkJournal(lines: readonly Line[], excuse: Excuse = () => false): Findings {
  const open = new Map<string, Begun>();
  const pasts = new Map<string, Past>();
  const killed = new Set<string>();
  const faults: string[] = [];
  let grantCount = 0;
  let lostCount = 0;
  let excusedCount = 0;
  const complain = (token: number, other: number, fault: string): void => {
    if (excuse(Math.min(token, other), Math.max(token, other))) excusedCount++;
    else faults.push(fault);
  };
  for (const line of lines) {
    // What a client did between the word that it is about to be killed, and its death.
    if (killed.has(line.client)) continue;
    if (line.do === 'begin') {
      grantCount++;
      for (const other of open.values()) {
        const name = conflictOf(line.set, other.set);
        if (name === undefined) continue;
        complain(line.token, other.token, `${line.id} and ${other.id} both hold ${name}`);
      }
      for (const { id, token } of laterThan(line, pasts)) {
        complain(line.token, token, `${line.id} has an old token, as ${id} was before it`);
      }
      open.set(line.id, line);
    } else if (line.do === 'kill') {
      killed.add(line.client);
      for (const [id, { client }] of open) if (client === line.client) open.delete(id);
    } else if (line.do === 'failed') {
      faults.push(`client ${line.client} failed: ${line.error}`);
    } else if (line.do !== 'done') {
      if (line.do === 'lost' && open.has(line.id)) lostCount++;
      open.delete(line.id);
    }
  }
  for (const id of open.keys()) faults.push(`${id} never ended`);
  return { faults, grantCount, lostCount, excusedCount };
}

/** Of grants that their clients took for lost. */
export function lostTokens(lines: readonly Line[]): ReadonlySet<number> {
  const tokens = new Map<string, number>();
  const lost = new Set<number>();
  for (const line of lines) {
    if (line.do === 'begin') tokens.set(line.id, line.token);
    if (line.do === 'lost') lost.add(tokens.get(line.id) as number);
  }
  return lost;
}

/** Those that began before it, conflict with it, and have a token that is not less; a name each. */
function laterThan({ id, token, set }: Begun, pasts: Map<string, Past>): Entry[] {
  const found: Entry[] = [];
  const look = (name: string, isExclusive: boolean): void => {
    const past = pasts.get(name) ?? { tokenMax: 0, entries: [] };
    pasts.set(name, past);
    // Nearly all come in order.
    if (token <= past.tokenMax) {
      const isLater = (other: Entry): boolean =>
        other.token >= token && (isExclusive || other.isExclusive);
      found.push(...past.entries.filter(isLater));
    }
    past.tokenMax = Math.max(past.tokenMax, token);
    past.entries.push({ token, isExclusive, id });
  };
  for (const name of set.exclusive) look(name, true);
  for (const name of set.shared) look(name, false);
  return found;
}

function conflictOf(one: NamedSets, other: NamedSets): string | undefined {
  const all = [...other.exclusive, ...other.shared];
  return (
    one.exclusive.find((name) => all.includes(name)) ??
    one.shared.find((name) => other.exclusive.includes(name))
  );
}
