/**
 * What the clients of a stress test wrote down, and whether it obeys the rule: no two that conflict
 * hold at once, and of two that conflict the later one has the greater token.
 */

interface NamedSets {
  readonly exclusive: readonly string[];
  readonly shared: readonly string[];
}

export type Line = { readonly client: string } & (
  | { readonly do: 'begin'; readonly id: string; readonly token: number; readonly set: NamedSets }
  | { readonly do: 'end' | 'lost'; readonly id: string }
  /** Written before the client is killed. */
  | { readonly do: 'kill' }
  | { readonly do: 'done'; readonly count: number }
);

export interface Findings {
  readonly faults: readonly string[];
  readonly grantCount: number;
  readonly lostCount: number;
}

type Begun = Extract<Line, { readonly do: 'begin' }>;

export function checkJournal(lines: readonly Line[]): Findings {
  const open = new Map<string, Begun>();
  const lastExclusive = new Map<string, number>();
  const lastAny = new Map<string, number>();
  const faults: string[] = [];
  let grantCount = 0;
  let lostCount = 0;
  const killed = new Set<string>();
  for (const line of lines) {
    // What a client did between the word that it is about to be killed, and its death.
    if (killed.has(line.client)) continue;
    if (line.do === 'begin') {
      grantCount++;
      for (const other of open.values()) {
        const name = conflictOf(line.set, other.set);
        if (name !== undefined) faults.push(`${line.id} and ${other.id} both hold ${name}`);
      }
      const { token, set } = line;
      const isLate = (last: ReadonlyMap<string, number>) => (name: string) =>
        (last.get(name) ?? 0) >= token;
      const stale = set.exclusive.find(isLate(lastAny)) ?? set.shared.find(isLate(lastExclusive));
      if (stale !== undefined) faults.push(`${line.id} has an old token for ${stale}: ${token}`);
      for (const name of set.exclusive) lastExclusive.set(name, token);
      for (const name of [...set.exclusive, ...set.shared]) {
        lastAny.set(name, Math.max(lastAny.get(name) ?? 0, token));
      }
      open.set(line.id, line);
    } else if (line.do === 'kill') {
      killed.add(line.client);
      for (const [id, { client }] of open) if (client === line.client) open.delete(id);
    } else if (line.do !== 'done') {
      if (line.do === 'lost' && open.has(line.id)) lostCount++;
      open.delete(line.id);
    }
  }
  for (const id of open.keys()) faults.push(`${id} never ended`);
  return { faults, grantCount, lostCount };
}

function conflictOf(one: NamedSets, other: NamedSets): string | undefined {
  const all = [...other.exclusive, ...other.shared];
  return (
    one.exclusive.find((name) => all.includes(name)) ??
    one.shared.find((name) => other.exclusive.includes(name))
  );
}
