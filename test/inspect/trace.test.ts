/** Traces: what is in them, that runs that obey the rule pass, and that altered ones do not. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDomain, type SyncDomain } from 'kds';
import { checkTrace, traceIfAsked, traceTo } from 'kds/inspect/trace';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { randomFrom } from '../stress/random.ts';
import { hostileNames, unsafe } from './hostile-names.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kds-trace-'));
  path = join(folder, 'trace.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly cat?: string;
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly id?: string;
  readonly args: Record<string, unknown>;
}

/** The text of a trace of what happens in the meantime. */
async function traced(run: () => Promise<void>): Promise<string> {
  const tracing = traceTo(path);
  try {
    await run();
  } finally {
    tracing.stop();
  }
  return readFileSync(path, 'utf8');
}

function eventsOf(text: string): TraceEvent[] {
  return JSON.parse(`${text.trimEnd().replace(/,$/, '')}]`) as TraceEvent[];
}

/** Everything that a domain can do, at random. */
async function anything(domain: SyncDomain, seed: number): Promise<void> {
  const random = randomFrom(seed);
  const names = ['a', 'b', 'c', 'd'];
  const some = (): string[] => names.filter(() => random() < 0.4);
  const one = async (): Promise<void> => {
    const set = { exclusive: some().slice(0, 2), shared: some() };
    const way = random();
    const session = random() < 0.3 ? domain.session({ label: 'inner' }) : domain;
    if (way < 0.1) (await session.tryAcquire(set))?.release();
    else if (way < 0.2) session.tryAcquireSync(set)?.release();
    else if (way < 0.3) session.enqueue(set, (grant) => grant.release()).cancel();
    else if (way < 0.4) (await session.acquire(set, { timeoutMs: 1 })).abandon();
    else if (way < 0.5) (await session.acquire(set, { locked: 'ignore' })).release();
    else {
      const steal = way < 0.6 && { steal: true };
      const only = steal ? { exclusive: set.exclusive } : set;
      const grant = await session.acquire(only, { ...steal, timeoutMs: 5 });
      if (random() < 0.2 && grant.signal.aborted === false) await Promise.resolve();
      if (grant.signal.aborted) return;
      if (random() < 0.3) grant.downgrade();
      const [first] = only.exclusive;
      if (random() < 0.3 && first !== undefined) grant.release(first);
      await new Promise((resolve) => setImmediate(resolve));
      if (random() < 0.2) grant.abandon();
      else grant.release();
    }
    if (session !== domain) await session.close();
  };
  const worker = async (): Promise<void> => {
    for (let turn = 0; turn < 40; turn++) {
      await one().catch((error) => {
        if (!String(error.code).startsWith('KDS_')) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
  await domain.close();
}

describe('a trace of one event loop', () => {
  it('of a run that does everything passes', async () => {
    const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
    console.info(`traced run: KDS_SEED=${seed}`);
    const { domains, faults } = checkTrace(await traced(() => anything(createDomain(), seed)));
    expect(faults).toEqual([]);
    expect(domains).toMatchObject([{ backend: 'process', olderCount: 0 }]);
    expect(domains[0]?.requestCount).toBeGreaterThan(100);
    expect(domains[0]?.grantCount).toBeGreaterThan(50);
  });

  it('of requests that end together passes: each has in its way what ends with it', async () => {
    vi.useFakeTimers();
    const text = await traced(async () => {
      const domain = createDomain();
      domain.acquireSync({ exclusive: 'a' });
      const ended = Promise.allSettled([
        domain.acquire({ exclusive: ['a', 'b'] }, { timeoutMs: 10 }),
        domain.acquire({ exclusive: 'b' }, { timeoutMs: 10 }),
      ]);
      await vi.advanceTimersByTimeAsync(10);
      expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      await domain.close();
    }).finally(() => vi.useRealTimers());
    expect(checkTrace(text).faults).toEqual([]);
  });

  it('has tracks of sessions and resources, slices, and arrows to the next holder', async () => {
    const text = await traced(async () => {
      const domain = createDomain({ label: 'shop' });
      const one = await domain.acquire({ exclusive: ['db', 'disk'] }, { label: 'import' });
      const two = domain.acquire({ shared: 'db' }, { label: 'report' });
      const three = domain.session({ label: 'web' }).acquire({ shared: 'db' });
      one.release();
      (await two).release();
      (await three).release();
    });
    const events = eventsOf(text);
    const tracks = events
      .filter(({ name }) => name === 'thread_name')
      .map(({ args }) => args['name']);
    expect(tracks).toEqual(['shop', 'db', 'disk', 'shop', 'web', 'db']);
    const slices = events.filter(({ ph }) => ph === 'X');
    expect(slices.map(({ name }) => name).sort()).toEqual([
      ...Array.from({ length: 3 }, () => 'import: -x db -x disk'),
      'report: -s db',
      'report: -s db',
      'waits, report: -s db',
      'waits, web: -s db',
      'web: -s db',
      'web: -s db',
    ]);
    const arrows = events.filter(({ cat }) => cat === 'kds-hand-over');
    expect(arrows.map(({ ph }) => ph)).toEqual(['s', 'f', 's', 'f']);
    for (const { ph, ts, pid, tid } of arrows) {
      const isOn = (slice: TraceEvent): boolean =>
        slice.pid === pid &&
        slice.tid === tid &&
        slice.ts <= ts &&
        ts <= slice.ts + (slice.dur ?? 0) + 0.002;
      expect(slices.some(isOn), `${ph} at ${ts} is on a slice`).toBe(true);
    }
  });

  it('no two slices of a lane overlap', async () => {
    const events = eventsOf(await traced(() => anything(createDomain(), 7)));
    const lanes = new Map<string, TraceEvent[]>();
    for (const slice of events.filter(({ ph }) => ph === 'X')) {
      const lane = `${slice.pid} ${slice.tid}`;
      lanes.set(lane, [...(lanes.get(lane) ?? []), slice]);
    }
    expect(lanes.size).toBeGreaterThan(5);
    for (const slices of lanes.values()) {
      slices.sort((a, b) => a.ts - b.ts || (a.dur ?? 0) - (b.dur ?? 0));
      for (const [index, { ts }] of slices.slice(1).entries()) {
        const before = slices[index] as TraceEvent;
        expect(before.ts + (before.dur ?? 0)).toBeLessThanOrEqual(ts + 0.0015);
      }
    }
  });

  it('names tracks and slices so that they can be displayed', async () => {
    const text = await traced(async () => {
      const domain = createDomain();
      for (const name of hostileNames) {
        (await domain.acquire({ exclusive: name }, { label: name.slice(0, 1024) })).release();
      }
    });
    expect(checkTrace(text).faults).toEqual([]);
    for (const { name, args, ph } of eventsOf(text)) {
      const told = ph === 'M' ? String(args['name']) : name;
      expect(told).not.toMatch(unsafe);
      expect(told.length).toBeLessThan(1200);
    }
  });
});

describe('a trace that was altered by hand fails', () => {
  /** One holds a and b, another one waits for a, and there is a steal. */
  async function honest(): Promise<string[]> {
    const text = await traced(async () => {
      const domain = createDomain();
      const one = await domain.acquire({ exclusive: ['a', 'b'] }, { label: 'one' });
      const two = domain.acquire({ exclusive: 'a' }, { label: 'two' });
      one.release('b');
      one.release();
      await two;
      const steal = await domain.acquire({ exclusive: 'a' }, { steal: true, label: 'steal' });
      steal.release();
      (await domain.acquire({ shared: 'a' }, { label: 'last' })).release();
    });
    expect(checkTrace(text).faults).toEqual([]);
    return text.split('\n');
  }

  const has = (line: string, event: string, label: string): boolean =>
    line.includes(`"kds.${event}"`) && line.includes(`"label":"${label}"`);

  it.each([
    ['release', 'one', 'came earlier and is live'],
    ['release', 'last', undefined],
    ['grant', 'two', 'should have been granted before'],
    ['weaken', 'one', undefined],
    ['lost', 'two', undefined],
  ])('without the %s of %s', async (event, label, fault) => {
    const kind = event === 'grant' ? 'request.grant' : `grant.${event}`;
    const lines = await honest();
    const altered = lines.filter((line) => !has(line, kind, label));
    expect(altered.length).toBe(lines.length - 1);
    const { faults } = checkTrace(altered.join('\n'));
    // Of what comes last, or changes nothing for the others, nothing can be told.
    if (fault === undefined) expect(faults).toEqual([]);
    else expect(faults.join('\n')).toContain(fault);
  });

  it.each<[string, string, string, (event: TraceEvent) => TraceEvent, string]>([
    [
      'a grant before its time',
      'request.grant',
      'two',
      (event) => ({ ...event, ts: 0.5 }),
      'is not live',
    ],
    [
      'a token that was given before',
      'request.grant',
      'last',
      (event) => ({ ...event, args: { ...event.args, token: 1 } }),
      'token 1 is given twice',
    ],
    [
      'a set that was another one',
      'request.start',
      'two',
      (event) => ({ ...event, args: { ...event.args, parts: [['z', 'all']] } }),
      'should have been granted before',
    ],
    [
      'a recovered flag that is not reported',
      'request.grant',
      'steal',
      (event) => ({ ...event, args: { ...event.args, recovered: [] } }),
      'recovered is',
    ],
    [
      'a release long after it was',
      'grant.release',
      'one',
      (event) => ({ ...event, ts: event.ts + 1e9 }),
      'came earlier and is live',
    ],
  ])('%s', async (_, kind, label, alter, fault) => {
    const altered = (await honest()).map((line) =>
      has(line, kind, label)
        ? `${JSON.stringify(alter(JSON.parse(line.replace(/,$/, '')) as TraceEvent))},`
        : line,
    );
    expect(checkTrace(altered.join('\n')).faults.join('\n')).toContain(fault);
  });

  it.each(['{"a":', '[\n{"name":1', '[1]', 'kds', '{"traceEvents":[1]}'])(
    'what is no trace is refused: %s',
    (text) => {
      expect(() => checkTrace(text)).toThrow(expect.objectContaining({ code: 'KDS_PROTOCOL' }));
    },
  );

  it('an incomplete event is refused', () => {
    const event = { name: 'kds.request.start', cat: 'kds', ph: 'i', ts: 1, pid: 1, tid: 0 };
    const version = { name: 'kds_trace', ph: 'M', pid: 1, tid: 0, args: { version: 2 } };
    const text = JSON.stringify({ traceEvents: [version, event] });
    expect(() => checkTrace(text)).toThrow(/incomplete: kds.request.start/);
  });
});

describe('a trace that cannot be written', () => {
  it('ends once, and reports why, whatever happens afterwards', async () => {
    const errors: Error[] = [];
    const lost = join(folder, 'lost');
    mkdirSync(lost);
    const tracing = traceTo(join(lost, 'trace.json'), { onFailure: (error) => errors.push(error) });
    rmSync(lost, { recursive: true });
    const domain = createDomain();
    // Over what is kept before it is written.
    const label = 'x'.repeat(1024);
    for (let turn = 0; turn < 200; turn++)
      (await domain.acquire({ shared: 'a' }, { label })).release();
    tracing.stop();
    tracing.stop();
    expect(errors).toEqual([expect.objectContaining({ code: 'ENOENT' })]);
  });

  it('is refused at the start by traceTo, and reported by traceIfAsked', () => {
    const missing = join(folder, 'missing', 'trace.json');
    expect(() => traceTo(missing)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    const { KDS_TRACE } = process.env;
    const errors: Error[] = [];
    process.env['KDS_TRACE'] = missing;
    try {
      expect(traceIfAsked({ onFailure: (error) => errors.push(error) })).toBe(undefined);
    } finally {
      if (KDS_TRACE === undefined) delete process.env['KDS_TRACE'];
      else process.env['KDS_TRACE'] = KDS_TRACE;
    }
    expect(errors).toEqual([expect.objectContaining({ code: 'ENOENT' })]);
  });

  it('is a warning of the process, also as the process exits', async () => {
    const missing = join(folder, 'missing', 'trace.json');
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', onWarning);
    mkdirSync(join(folder, 'missing'));
    const tracing = traceTo(missing);
    const grant = await createDomain().acquire({ exclusive: 'a' });
    rmSync(join(folder, 'missing'), { recursive: true });
    // Nothing comes after this, as in an exit handler.
    tracing.stop();
    process.off('warning', onWarning);
    grant.release();
    expect(warnings).toEqual([expect.stringMatching(/^the trace ends, as .*ENOENT/)]);
  });
});

describe('a trace of another version', () => {
  const event = JSON.stringify({
    ...{ name: 'kds.request.start', cat: 'kds', ph: 'i', s: 't', ts: 1, pid: 1, tid: 0 },
    args: {
      id: 1,
      domain: { backend: 'process', name: 'd' },
      set: { exclusive: ['a'], shared: [] },
    },
  });

  it('that states none is refused by both versions', () => {
    expect(() => checkTrace(`[\n${event},\n`)).toThrow(
      'the trace is of version 1 or earlier, and this copy of kds uses version 2: check it with',
    );
  });

  it('that is later is refused, though others have written to the file', () => {
    const version = (pid: number, number: number): string =>
      JSON.stringify({ name: 'kds_trace', ph: 'M', pid, tid: 0, args: { version: number } });
    expect(() => checkTrace(`[\n${version(1, 2)},\n${version(2, 3)},\n`)).toThrow(
      'the trace is of version 3, and this copy of kds uses version 2',
    );
  });
});
