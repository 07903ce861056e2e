/**
 * All that a server did, by its append-only file: every change of a key, in order, those of one
 * script as one transaction. The file alone decides which grants were made, and when each was lost;
 * and each state that it went through is compared with the rule.
 *
 * The file is written before a command is answered (appendfsync always), so it has every change of
 * which a client was notified. Sets that steal, and observers, are not understood here.
 */

import { type Command, commandAt } from '../resp.ts';

export interface ServerHistory {
  readonly faults: readonly string[];
  readonly grantCount: number;
  /** Sessions whose lease ended. */
  readonly expiredCount: number;
  /** Times that everything was deleted. */
  readonly flushCount: number;
  /**
   * Whether a grant, by its token, was lost before another one was made, or by the same script: as
   * all was deleted, or as the lease of its session was over by then, by the server's own clock.
   */
  wasLostBefore(token: number, laterToken: number): boolean;
  wasLost(token: number): boolean;
}

interface Moment {
  /** The number of the transaction. */
  readonly position: number;
  readonly timeMs: number;
}

interface LiveSet {
  readonly id: number;
  readonly session: string;
  readonly number: string;
  /** By name: whether exclusive. */
  links: ReadonlyMap<string, boolean>;
  token: number | undefined;
}

export function readHistory(file: Buffer, root: string): ServerHistory {
  const replay = new Replay(root);
  for (const transaction of transactionsIn(file)) replay.run(transaction);
  return replay;
}

/** A transaction that was cut short is not one: the server leaves it out, too. */
function* transactionsIn(file: Buffer): Generator<readonly Command[]> {
  let open: Command[] | undefined;
  for (let at = 0; at < file.length; ) {
    // A line of its own may say what time it is.
    if (file[at] === 0x23) {
      at = file.indexOf('\n', at) + 1;
      continue;
    }
    const command = commandAt(file, at);
    if (command === undefined) return;
    at += command.bytes.length;
    const word = wordOf(command, 0);
    if (word === 'MULTI') open = [];
    else if (word === 'EXEC') {
      yield open ?? [];
      open = undefined;
    } else if (open === undefined) yield [command];
    else open.push(command);
  }
}

class Replay implements ServerHistory {
  readonly faults: string[] = [];
  grantCount = 0;
  expiredCount = 0;
  flushCount = 0;
  readonly #root: string;
  /** In the order of their ids, which is that of their arrival. */
  readonly #live = new Map<number, LiveSet>();
  readonly #leases = new Map<string, { untilMs: number; leaseMs: number }>();
  readonly #arrived = new Set<string>();
  readonly #granted = new Map<number, Moment>();
  /** With the time from which on the loss is in order. */
  readonly #lost = new Map<number, Moment>();
  #position = 0;
  #idLast = 0;
  #tokenLast = 0;

  constructor(root: string) {
    this.#root = root;
  }

  wasLostBefore(token: number, laterToken: number): boolean {
    const lost = this.#lost.get(token);
    const granted = this.#granted.get(laterToken);
    if (lost === undefined || granted === undefined) return false;
    return lost.position <= granted.position && lost.timeMs <= granted.timeMs;
  }

  wasLost(token: number): boolean {
    return this.#lost.has(token);
  }

  run(transaction: readonly Command[]): void {
    this.#position++;
    const removed: LiveSet[] = [];
    const endedSessions = new Map<string, number>();
    let nowMs: number | undefined;
    let caller: string | undefined;
    let isTouched = false;
    for (const command of transaction) {
      const word = wordOf(command, 0).toUpperCase();
      const key = wordOf(command, 1);
      if (word === 'FLUSHALL') this.#flush();
      if (!key.startsWith(this.#root)) continue;
      const [kind = '', ...rest] = key.slice(this.#root.length).split(':');
      const subject = rest.join(':');
      if (word === 'HSET' && kind === 'q') {
        this.#setFields(Number(subject), fieldsOf(command));
        isTouched = true;
      } else if (word === 'HSET' && kind === 's') {
        const { until, lease } = fieldsOf(command);
        if (until === undefined || lease === undefined) continue;
        this.#leases.set(subject, { untilMs: Number(until), leaseMs: Number(lease) });
        caller = subject;
        nowMs = Number(until) - Number(lease);
      } else if (word === 'DEL') {
        isTouched = true;
        for (const each of this.#keysOf(command)) this.#delete(each, removed, endedSessions);
      }
    }
    if (nowMs !== undefined) this.#checkSweep(nowMs, caller, endedSessions);
    for (const { token, session } of removed) {
      const untilMs = endedSessions.get(session);
      if (token === undefined || untilMs === undefined) continue;
      // If its own client has closed it before, this is no excuse until then.
      this.#lost.set(token, { position: this.#position, timeMs: untilMs });
    }
    if (isTouched) this.#checkRule();
  }

  #keysOf(command: Command): string[] {
    const keys = command.words.slice(1).map(String);
    return keys
      .filter((key) => key.startsWith(this.#root))
      .map((key) => key.slice(this.#root.length));
  }

  #flush(): void {
    this.flushCount++;
    for (const { token } of this.#live.values()) {
      if (token !== undefined) this.#lost.set(token, { position: this.#position, timeMs: 0 });
    }
    this.#live.clear();
    this.#leases.clear();
  }

  #setFields(id: number, fields: Readonly<Record<string, string>>): void {
    const { session, number, links, token, since, observe } = fields;
    if (observe !== undefined) this.faults.push(`set ${id} is an observer`);
    let set = this.#live.get(id);
    if (set !== undefined) {
      if (links !== undefined) set.links = readLinks(links);
    } else {
      if (session === undefined || number === undefined || links === undefined) return;
      if (id <= this.#idLast) this.faults.push(`set ${id} arrived after ${this.#idLast}`);
      const name = `${session} ${number}`;
      if (this.#arrived.has(name)) this.faults.push(`request ${name} was queued twice`);
      this.#arrived.add(name);
      this.#idLast = id;
      set = { id, session, number, links: readLinks(links), token: undefined };
      this.#live.set(id, set);
    }
    if (token === undefined) return;
    this.grantCount++;
    set.token = Number(token);
    if (set.token <= this.#tokenLast) {
      this.faults.push(`token ${token} came after ${this.#tokenLast}`);
    }
    this.#tokenLast = set.token;
    this.#granted.set(set.token, { position: this.#position, timeMs: Number(since) });
  }

  #delete(key: string, removed: LiveSet[], endedSessions: Map<string, number>): void {
    const [kind, ...rest] = key.split(':');
    const subject = rest.join(':');
    const set = kind === 'q' ? this.#live.get(Number(subject)) : undefined;
    if (set !== undefined) {
      this.#live.delete(set.id);
      removed.push(set);
    }
    const lease = kind === 's' ? this.#leases.get(subject) : undefined;
    if (lease === undefined) return;
    this.#leases.delete(subject);
    endedSessions.set(subject, lease.untilMs);
  }

  /** A beat ends the sessions whose leases are over, all of them, and no others. */
  #checkSweep(
    nowMs: number,
    caller: string | undefined,
    endedSessions: ReadonlyMap<string, number>,
  ): void {
    for (const [session, untilMs] of endedSessions) {
      this.expiredCount++;
      if (untilMs <= nowMs) continue;
      this.faults.push(`session ${session} ended ${untilMs - nowMs} ms before its lease`);
    }
    for (const [session, { untilMs }] of this.#leases) {
      if (session === caller || untilMs > nowMs) continue;
      this.faults.push(`session ${session} was left ${nowMs - untilMs} ms after its lease`);
    }
  }

  /** A set is granted exactly when no live set that arrived earlier conflicts with it. */
  #checkRule(): void {
    const earlier: LiveSet[] = [];
    for (const set of this.#live.values()) {
      const inTheWay = earlier.find((other) => isConflict(set, other));
      if (inTheWay !== undefined && set.token !== undefined) {
        this.#complain(set, `was granted before ${inTheWay.id} was over`);
      } else if (inTheWay === undefined && set.token === undefined) {
        this.#complain(set, 'waits, though nothing is in its way');
      }
      earlier.push(set);
    }
  }

  /** Once for each set; it would be the same again until it is over. */
  #complain({ id, session, number }: LiveSet, what: string): void {
    const fault = `set ${id} (${session}, request ${number}) ${what}`;
    if (this.faults.at(-1) !== fault) this.faults.push(fault);
  }
}

function isConflict(one: LiveSet, other: LiveSet): boolean {
  for (const [name, isExclusive] of one.links) {
    const otherIsExclusive = other.links.get(name);
    if (otherIsExclusive !== undefined && (isExclusive || otherIsExclusive)) return true;
  }
  return false;
}

function readLinks(text: string): ReadonlyMap<string, boolean> {
  const lines = text.split('\n').slice(0, -1);
  return new Map(lines.map((line) => [line.slice(1), line.startsWith('x')]));
}

function fieldsOf({ words }: Command): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (let at = 2; at + 1 < words.length; at += 2)
    fields[String(words[at])] = String(words[at + 1]);
  return fields;
}

function wordOf({ words }: Command, index: number): string {
  return String(words[index] ?? '');
}
