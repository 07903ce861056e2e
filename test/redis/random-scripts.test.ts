/**
 * Random runs of the scripts beside the oracle. After every step all keys are read: they must agree
 * with each other, and with what the rule says.
 *
 * A failure prints its seed and path, and what was done; KDS_SEED and KDS_PATH repeat it.
 */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Oracle, type OracleSet } from '../../conformance/oracle.ts';
import { readAll, ScriptedDomain, type ScriptedSession, type SetSeen } from './scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

interface Standing {
  readonly session: ScriptedSession;
  readonly number: number;
  token: number | undefined;
}

type Live = OracleSet<Standing>;

const names = ['a', 'b', 'c', 'd'] as const;
const runCount = 25;
const stepCountMax = 60;
const setCountMax = 12;

const aStep = fc.record({
  kind: fc.oneof(
    { weight: 50, arbitrary: fc.constant('ask' as const) },
    { weight: 26, arbitrary: fc.constant('end' as const) },
    { weight: 8, arbitrary: fc.constant('downgrade' as const) },
    { weight: 8, arbitrary: fc.constant('part' as const) },
    { weight: 4, arbitrary: fc.constant('steal' as const) },
    { weight: 5, arbitrary: fc.constant('observe' as const) },
    { weight: 2, arbitrary: fc.constant('leave' as const) },
  ),
  by: fc.nat(2),
  wanted: fc.array(fc.nat(2 * names.length - 1), { maxLength: 4, size: 'max' }),
  place: fc.nat(999),
  fate: fc.constantFrom('done', 'died', 'late'),
  isNow: fc.boolean(),
  keeps: fc.array(fc.nat(99), { maxLength: 2 }),
});
type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never;

class Run {
  readonly done: string[] = [];
  readonly #domain: ScriptedDomain;
  readonly #sessions: ScriptedSession[];
  readonly #oracle = new Oracle<Standing>();
  #tokenLast = 0;

  constructor(domain: ScriptedDomain, sessions: ScriptedSession[]) {
    this.#domain = domain;
    this.#sessions = sessions;
  }

  async apply(step: Step): Promise<void> {
    const before = new Set(this.#oracle.live.filter(({ granted }) => granted));
    await this.#do(step);
    const seen = await readAll(this.#domain);
    const fresh = this.#oracle.live.filter((set) => set.granted && !before.has(set));
    this.#compare(seen);
    if (step.kind !== 'leave') this.#checkTokens(fresh.filter(({ isObserver }) => !isObserver));
    else this.#tokenLast = Math.max(this.#tokenLast, ...seen.map(({ token = 0 }) => token));
    const flags = await this.#domain.redis.smembers(`${this.#domain.root}recovered`);
    const held = this.#oracle.live
      .filter(({ granted, isObserver }) => granted && !isObserver)
      .flatMap(({ modes }) => [...modes].filter(([, mode]) => mode === 'exclusive'))
      .map(([name]) => name);
    expect(flags.sort()).toEqual([...new Set([...held, ...this.#oracle.recovered])].sort());
    for (const set of fresh) if (set.isObserver) await this.#end(set, 'done');
  }

  async end(): Promise<void> {
    for (const set of [...this.#oracle.live]) await this.#end(set, 'died');
    for (const session of this.#sessions) await session.beat('close');
    const left = await this.#domain.keys();
    expect(left.filter((key) => key !== 'recovered' && key !== 'seq')).toEqual([]);
  }

  async #do(step: Step): Promise<void> {
    const set = this.#choose(step);
    const own = [...(set?.modes.keys() ?? [])];
    const part = own.filter((name) => step.wanted.some((at) => names[at % names.length] === name));
    switch (step.kind) {
      case 'ask':
      case 'steal':
      case 'observe':
        if (this.#oracle.live.length < setCountMax) await this.#arrive(step);
        break;
      case 'end':
        if (set !== undefined) await this.#end(set, step.fate);
        break;
      case 'downgrade':
      case 'part':
        if (set?.granted && part.length > 0) await this.#weaken(step.kind, set, part);
        break;
      case 'leave':
        await this.#leave(step);
    }
  }

  #choose({ place }: Step): Live | undefined {
    return this.#oracle.live[place % this.#oracle.live.length];
  }

  async #arrive({ kind, by, wanted, isNow, keeps }: Step): Promise<void> {
    const session = this.#sessions[by] as ScriptedSession;
    const isExclusive = (at: number): boolean => at < names.length || kind === 'steal';
    const nameAt = (at: number): string => names[at % names.length] as string;
    const exclusive = [...new Set(wanted.filter(isExclusive).map(nameAt))];
    const others = wanted.filter((at) => !isExclusive(at)).map(nameAt);
    const shared = [...new Set(others)].filter((name) => !exclusive.includes(name));
    const links = [...exclusive.map((name) => `x${name}`), ...shared.map((name) => `s${name}`)];
    const spec = { exclusive, shared };
    const number = session.numberLast + 1;
    const tag: Standing = { session, number, token: undefined };
    if (kind === 'steal' || kind === 'observe') {
      const set = kind === 'steal' ? this.#oracle.steal(spec).set : this.#oracle.observe(spec);
      set.tag = tag;
      const expected = kind === 'steal' ? 'granted' : set.granted ? 'settled' : 'waiting';
      await this.#ask(session, links, kind, [], expected);
      // It has no record of what was settled at once.
      if (expected === 'settled') this.#oracle.remove(set);
      return;
    }
    const held = this.#oracle.live.filter(
      (set) => set.granted && !set.isObserver && set.tag?.session === session,
    );
    const kept = keeps.flatMap((at) => held[at % held.length] ?? []);
    const arrival = this.#oracle.arrive(spec, { holding: kept });
    if (!('set' in arrival)) throw new Error('nothing is locked here, or has units');
    arrival.set.tag = tag;
    const isDenied = isNow && arrival.outcome !== 'granted';
    const expected = isDenied ? 'denied' : arrival.outcome;
    const numbers = kept.map((set) => set.tag?.number as number);
    await this.#ask(session, links, isNow ? 'now' : 'wait', numbers, expected);
    if (isDenied || arrival.outcome === 'deadlock') this.#oracle.remove(arrival.set);
  }

  async #ask(
    session: ScriptedSession,
    links: readonly string[],
    how: 'wait' | 'now' | 'steal' | 'observe',
    keeps: readonly number[],
    expected: string,
  ): Promise<void> {
    this.done.push(`${session.id} asks ${how} ${links} keeping ${keeps}`);
    const number = session.numberLast + 1;
    const [word] = await session.ask(links, { how, keeps });
    expect(word).toBe(expected);
    // Asked once more, nothing changes.
    const [again] = await session.ask(links, { how, keeps, number });
    const isLive = expected === 'granted' || expected === 'waiting';
    expect(again).toBe(isLive ? expected : 'over');
  }

  async #end(set: Live, fate: string): Promise<void> {
    const { session, number } = set.tag as Standing;
    const letters = set.granted ? { done: 'R', died: 'A', late: 'R' } : { late: 'T' };
    const letter = (letters as Record<string, string>)[fate] ?? 'C';
    this.done.push(`${session.id} ${letter}${number}`);
    this.#oracle.remove(set, letter === 'A');
    await session.change(`${letter}${number}`, `${letter}${number}`);
  }

  async #weaken(kind: 'downgrade' | 'part', set: Live, part: readonly string[]): Promise<void> {
    const { session, number } = set.tag as Standing;
    this.done.push(`${session.id} ${kind} ${number}: ${part}`);
    if (kind === 'downgrade') this.#oracle.downgrade(set, part);
    else this.#oracle.releasePart(set, part);
    if (set.modes.size === 0) this.#oracle.remove(set);
    const letter = kind === 'downgrade' ? 'D' : 'P';
    await session.change(`${letter}${number}\n${part.map((name) => `${name}\n`).join('')}`);
  }

  async #leave({ by, fate }: Step): Promise<void> {
    const session = this.#sessions[by] as ScriptedSession;
    this.done.push(`${session.id} leaves, ${fate}`);
    const own = this.#oracle.live.filter((set) => set.tag?.session === session);
    const order = [...own.filter((set) => !set.granted).reverse(), ...own.filter((s) => s.granted)];
    for (const set of order) this.#oracle.remove(set, fate === 'died');
    await session.beat(fate === 'died' ? 'abandon' : 'close');
    this.#sessions[by] = await this.#domain.session();
  }

  #compare(seen: readonly SetSeen[]): void {
    const told = (set: Live | SetSeen, session: string, number: number, granted: boolean) => {
      const modes = [...set.modes].map(([name, mode]) => `${name} ${mode}`).sort();
      return { session, number, granted, modes: set.isObserver ? [] : modes };
    };
    const byNumber = (one: { session: string; number: number }, other: typeof one) =>
      one.session.localeCompare(other.session) || one.number - other.number;
    const expected = this.#oracle.live.map((set) => {
      const { session, number } = set.tag as Standing;
      return told(set, session.id, number, set.granted);
    });
    const found = seen.map((set) => told(set, set.session, set.number, set.token !== undefined));
    expect(found.sort(byNumber)).toEqual(expected.sort(byNumber));
    for (const set of this.#oracle.live) {
      const { session, number } = set.tag as Standing;
      const own = seen.find((each) => each.session === session.id && each.number === number);
      (set.tag as Standing).token = own?.token;
    }
  }

  /** In arrival order, and beyond all that were before. */
  #checkTokens(fresh: readonly Live[]): void {
    for (const { tag } of fresh) {
      expect(tag?.token).toBeGreaterThan(this.#tokenLast);
      this.#tokenLast = tag?.token ?? 0;
    }
  }
}

describeWithRedis('random runs of the scripts', () => {
  let server: RedisServer;
  let runLast = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());

  it('the keys are as the rule has them, step by step', async () => {
    const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
    const path = process.env['KDS_PATH'];
    console.info(`random runs of the scripts: KDS_SEED=${seed}`);
    const steps = fc.array(aStep, { maxLength: stepCountMax, size: 'max' });
    const property = fc.asyncProperty(steps, async (list) => {
      const domain = new ScriptedDomain(server.port, `run ${++runLast}`);
      const sessions = [await domain.session(), await domain.session(), await domain.session()];
      const run = new Run(domain, sessions);
      try {
        for (const step of list) await run.apply(step);
        await run.end();
      } catch (cause) {
        throw new Error(
          `${cause instanceof Error ? cause.message : cause}\n${run.done.join('\n')}`,
        );
      } finally {
        await domain.close();
      }
    });
    await fc.assert(property, {
      seed,
      numRuns: runCount,
      endOnFailure: process.env['KDS_SHRINK'] === 'no',
      ...(path !== undefined && { path }),
    });
  });
});
