/**
 * The scripts of Redis as an engine of test vectors, in the simulated server's interpreter and on
 * its keys, which can be rolled back. After each step all keys are read: sets, links, pending
 * counts, queues, flags and observers must be those of the live sets.
 *
 * It has what a client has: no set of a downgrade or a release names what is not held, a resource
 * named twice counts once, and a set of which every part was released is over. A step that comes to
 * a call that was made in the same state is left out.
 */

import { runCommand } from '../sim/redis/commands.ts';
import { Keyspace } from '../sim/redis/keyspace.ts';
import type { LuaMachine, Reply, Script } from '../sim/redis/lua.ts';
import { toBytes } from '../sim/redis/wire.ts';
import { layoutVersion } from '../src/backends/redis/leased-session.ts';
import { type ScriptName, scriptTexts } from '../src/backends/redis/scripts.ts';
import { checkKeys, type LiveSet } from './redis-keys.ts';
import type { Engine } from './replay.ts';
import type { GrantSeen, Seen, Step, Word } from './vectors.ts';

export interface RedisEngineOptions {
  /** Requests of the first, the second and so on: sets that end at one moment are of one. */
  readonly sessionCount: number;
  /** The scripts, if they are others than those of the sources. */
  readonly texts?: Readonly<Record<ScriptName, string>>;
}

interface Moment {
  /** In arrival order; one that steals is before all others. */
  readonly live: readonly LiveSet[];
  readonly tokenLast: number;
  readonly done: Set<string>;
}

interface Notification {
  readonly session: string;
  readonly kind: string;
  readonly request: number;
  readonly token: number;
  readonly recovered: readonly string[];
}

const root = '{kds:model}:';
const startUs = 1_750_000_000_000_000;
const leaseMs = 3_600_000;

export class RedisEngine implements Engine {
  readonly #lua: LuaMachine;
  readonly #keyspace = new Keyspace();
  readonly #scripts: Readonly<Record<'enqueue' | 'change' | 'heartbeat', Script>>;
  readonly #sessions: readonly string[];
  readonly #moments: Moment[] = [{ live: [], tokenLast: 0, done: new Set() }];
  #published: string[] = [];

  constructor(lua: LuaMachine, { sessionCount, texts = scriptTexts }: RedisEngineOptions) {
    this.#lua = lua;
    this.#scripts = {
      enqueue: lua.compile(toBytes(texts.enqueue)),
      change: lua.compile(toBytes(texts.change)),
      heartbeat: lua.compile(toBytes(texts.heartbeat)),
    };
    this.#sessions = Array.from({ length: sessionCount }, (_, index) => `c${index}.1`);
    for (const session of this.#sessions) {
      this.#run('heartbeat', session, ['open', String(leaseMs), '', String(layoutVersion)]);
    }
    this.#keyspace.commit();
  }

  back(depth: number): void {
    const count = this.#moments.length - 1 - depth;
    if (this.#keyspace.rollBack(count) !== count) throw new Error('the keys cannot go back so far');
    this.#moments.length = depth + 1;
  }

  perform(step: Step): Seen | undefined {
    const before = this.#moments.at(-1) as Moment;
    const call = this.#callOf(step, before.live);
    const key = call.join('\0');
    if (before.done.has(key)) return undefined;
    before.done.add(key);
    this.#published = [];
    const [name, session, ...args] = call;
    const { answer, notifications } =
      name === 'none'
        ? { answer: ['changed'], notifications: '' }
        : this.#run(name as 'enqueue' | 'change', session as string, args);
    const told = [`${session}\n${notifications}`, ...this.#published].flatMap(notificationsOf);
    // So that each step is one to go back by, whatever it changes.
    this.#keyspace.write('depth', 'string').text = key;
    this.#keyspace.commit();
    return this.#update(step, before, answer, told);
  }

  /** The script, the session, and what it is called with. */
  #callOf(step: Step, live: readonly LiveSet[]): readonly string[] {
    const { kind, sets, parts, keeps, names } = step;
    const [number = 0] = sets;
    const request = String(this.#moments.length);
    const known = sets.flatMap((each) => live.find((set) => set.number === each) ?? []);
    if (kind === 'end' || kind === 'die') {
      const [first] = known;
      if (first === undefined) return ['none', this.#sessions[0] as string];
      return ['change', first.session, request, ...known.map((set) => endOf(set, kind === 'die'))];
    }
    if (kind === 'weaken' || kind === 'release') {
      const [set] = known;
      const chosen = names ?? [...(set?.parts.keys() ?? [])];
      if (set === undefined || chosen.length === 0) return ['none', this.#sessions[0] as string];
      const letter = kind === 'weaken' ? 'D' : 'P';
      const change = `${letter}${set.request}\n${chosen.map((name) => `${name}\n`).join('')}`;
      return ['change', set.session, request, change];
    }
    const session = this.#sessions[number % this.#sessions.length] as string;
    if (kind === 'upgrade' || kind === 'resize') throw new Error(`scripts have no ${kind}`);
    const how = { ask: 'wait', try: 'now', steal: 'steal', observe: 'observe' }[kind];
    const links = [...partsOf(step)].map(([name, take]) => `${take}${name}\n`).join('');
    const kept = keeps.map((each) => {
      const set = live.find((other) => other.number === each) as LiveSet;
      return set.session === session ? String(set.request) : `${set.session}/${set.request}`;
    });
    if (parts.some(({ take }) => typeof take === 'number'))
      throw new Error('scripts have no units');
    return ['enqueue', session, request, how, links, '', '', kept.join(' ')];
  }

  /** The live sets after a step: what was asked, and what the server says has become of it. */
  #update(
    step: Step,
    before: Moment,
    answer: readonly Reply[],
    told: readonly Notification[],
  ): Seen {
    let live = [...before.live];
    const { kind, sets } = step;
    const [number = 0] = sets;
    const own: GrantSeen[] = [];
    let word: Word = 'done';
    let { tokenLast } = before;
    const grant = (token: number): void => {
      if (!(token > tokenLast)) throw new Error(`token ${token} after ${tokenLast}`);
      tokenLast = token;
    };
    if (answer[0] !== 'changed') {
      word = answer[0] as Word;
      const [id = '', token, ...recovered] = String(answer[1]).split('\t');
      const arrived: LiveSet = {
        number,
        session: this.#sessions[number % this.#sessions.length] as string,
        request: this.#moments.length,
        id,
        parts: partsOf(step),
        isObserver: kind === 'observe',
        token: word === 'granted' ? Number(token) : undefined,
        recovered,
      };
      if (word === 'granted') {
        grant(Number(token));
        own.push({ set: number, recovered });
      }
      if (word === 'granted' || word === 'waiting') {
        if (kind === 'steal') live.unshift(arrived);
        else live.push(arrived);
      }
    } else if (kind === 'end' || kind === 'die') {
      live = live.filter((set) => !sets.includes(set.number));
    } else {
      live = live.flatMap((set) => (set.number === number ? weakened(set, step) : [set]));
    }
    const granted: GrantSeen[] = [...own];
    const settled: number[] = [];
    const lost: number[] = [];
    const tokens = told.toSorted((one, other) => one.token - other.token);
    for (const { kind: what, session, request, token, recovered } of tokens) {
      const at = live.findIndex((set) => set.session === session && set.request === request);
      const set = live[at];
      if (set === undefined) throw new Error(`${what}: ${session} has no request ${request}`);
      if (what === 'lost') {
        lost.push(set.number);
        live.splice(at, 1);
        continue;
      }
      live[at] = { ...set, token, recovered };
      if (what === 'settled') settled.push(set.number);
      else {
        grant(token);
        granted.push({ set: set.number, recovered });
      }
    }
    this.#moments.push({ live, tokenLast, done: new Set() });
    return { word, granted, settled, lost, flagged: checkKeys(this.#keyspace, root, live) };
  }

  #run(name: 'enqueue' | 'change' | 'heartbeat', session: string, args: readonly string[]) {
    const keyspace = this.#keyspace;
    const surroundings = {
      keyspace,
      nowUs: startUs + this.#moments.length,
      publish: (_channel: string, message: string) => this.#published.push(message),
    };
    const reply = this.#lua.run(this.#scripts[name], [`${root}seq`], [session, ...args], (words) =>
      runCommand(surroundings, words),
    );
    const [answer, notifications, damage, unfinished] = reply as readonly Reply[];
    if (damage !== '' || unfinished !== '') throw new Error(`damage "${damage}", "${unfinished}"`);
    return { answer: answer as readonly Reply[], notifications: String(notifications) };
  }
}

/** By name, as a client sends it: exclusive wins. */
function partsOf({ parts }: Step): ReadonlyMap<string, 'x' | 's'> {
  const taken = new Map<string, 'x' | 's'>();
  for (const { name, take } of parts) {
    if (taken.get(name) !== 'x') taken.set(name, take === 'x' ? 'x' : 's');
  }
  return taken;
}

function endOf({ token, isObserver, request, id }: LiveSet, isDead: boolean): string {
  if (token === undefined || isObserver) return `C${request}`;
  return `${isDead ? 'A' : 'R'}${request} ${id}`;
}

function weakened(set: LiveSet, { kind, names = [...set.parts.keys()] }: Step): LiveSet[] {
  const parts = new Map(set.parts);
  for (const name of names) {
    if (kind === 'weaken') parts.set(name, 's');
    else parts.delete(name);
  }
  return parts.size === 0 && set.parts.size > 0 ? [] : [{ ...set, parts }];
}

/** The lines of a message, of a session and in its order. */
function notificationsOf(message: string): readonly Notification[] {
  const [session = '', ...lines] = message.split('\n');
  const found = lines
    .filter((line) => line !== '')
    .map((line) => {
      const [, kind = '', request, , token = '0', ...recovered] = line.split('\t');
      return { session, kind, request: Number(request), token: Number(token), recovered };
    });
  const tokens = found.filter(({ kind }) => kind === 'granted').map(({ token }) => token);
  if (tokens.some((token, at) => token <= (tokens[at - 1] ?? 0))) {
    throw new Error(`${session} is notified of tokens ${tokens}`);
  }
  return found;
}
