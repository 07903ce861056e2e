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

/** Units of two pools, one of which is resized, with upgrades, downgrades and steals. */
async function anyUnits(domain: SyncDomain, seed: number): Promise<void> {
  const random = randomFrom(seed);
  const upTo = (most: number): number => 1 + Math.floor(random() * most);
  const gpus = ['gpu0', 'gpu1', 'gpu2', 'gpu3', 'gpu4', 'gpu5'];
  domain.setCapacity('gpu', gpus.slice(0, 4));
  const sets = [
    () => ({ units: { gpu: upTo(4) } }),
    () => ({ units: { gpu: upTo(2), ram: { take: upTo(8), of: 8 } }, shared: 'a' }),
    () => ({ exclusive: 'gpu', shared: 'a' }),
    () => ({ shared: ['gpu', 'a'] }),
    () => ({ exclusive: 'a', units: { ram: { take: 8, of: 8 } } }),
  ];
  const one = async (): Promise<void> => {
    const set = (sets[upTo(5) - 1] as (typeof sets)[0])();
    if (random() < 0.1) domain.setCapacity('gpu', gpus.slice(0, upTo(6)));
    const steal = random() < 0.1;
    const grant = steal
      ? await domain.acquire({ exclusive: 'gpu' }, { steal: true })
      : await domain.acquire(set, random() < 0.3 ? { timeoutMs: 5 } : {});
    try {
      await new Promise((resolve) => setImmediate(resolve));
      if (grant.isHeld && random() < 0.3) grant.tryUpgrade();
      if (grant.isHeld && random() < 0.3) grant.downgrade({ units: { gpu: 1 } });
      if (grant.isHeld && random() < 0.3) await grant.run({ units: { gpu: 1 } }, () => undefined);
      if (grant.isHeld && random() < 0.2) grant.downgrade();
    } finally {
      if (random() < 0.2) grant.abandon();
      else grant.release();
    }
  };
  const worker = async (): Promise<void> => {
    for (let turn = 0; turn < 40; turn++) {
      await one().catch((error) => {
        const isExpected = String(error.code).startsWith('KDS_') || error instanceof TypeError;
        if (!isExpected) throw error;
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

  it('of a run that takes units in every way passes', async () => {
    const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
    console.info(`traced run of units: KDS_SEED=${seed}`);
    const text = await traced(() => anyUnits(createDomain(), seed));
    const { domains, faults } = checkTrace(text);
    expect(faults).toEqual([]);
    expect(domains[0]).toMatchObject({ olderCount: 0, olderCapacityCount: 0 });
    expect(domains[0]?.grantCount).toBeGreaterThan(100);
    const names = new Set(eventsOf(text).map(({ name }) => name));
    for (const kind of ['grant.upgrade', 'grant.weaken', 'resource.capacity', 'grant.lost']) {
      expect(names).toContain(`kds.${kind}`);
    }
  });

  it('counts capacities that are older than it, and checks what it can', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    const text = await traced(async () => {
      const two = domain.acquireSync({ units: { gpu: 2 } });
      const three = domain.acquire({ units: { gpu: 3 } });
      two.release();
      (await three).release();
    });
    const { domains, faults } = checkTrace(text);
    expect(faults).toEqual([]);
    expect(domains).toMatchObject([{ olderCount: 0, olderCapacityCount: 1 }]);
    const twice = text.replace('"units":{"gpu":[0,1,2]}', '"units":{"gpu":[0,0,2]}');
    expect(checkTrace(twice).faults.join()).toContain('unit 0 of "gpu" is in the grants of');
  });

  it('has a capacity only where it was declared', async () => {
    const text = await traced(async () => {
      const domain = createDomain({ capacity: { gpu: ['a', 'b'] } });
      domain.acquireSync({ units: { gpu: 1 } });
      expect(() => domain.setCapacity('gpu', 3)).toThrow('are in use');
    });
    const declared = eventsOf(text).filter(({ name }) => name === 'kds.resource.capacity');
    expect(declared.map(({ args }) => [args['capacity'], args['names']])).toEqual([
      [2, ['a', 'b']],
    ]);
  });

  it('with a capacity of millions is checked too', async () => {
    const text = await traced(async () => {
      const domain = createDomain({ capacity: { bytes: 2 ** 26 - 1 } });
      for (let turn = 0; turn < 50; turn++) {
        const grant = domain.acquireSync({ units: { bytes: 1 + turn * 1000 } });
        if (turn % 2 === 0) grant.release();
      }
    });
    expect(checkTrace(text).faults).toEqual([]);
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
    const version = { name: 'kds_trace', ph: 'M', pid: 1, tid: 0, args: { version: 3 } };
    const text = JSON.stringify({ traceEvents: [version, event] });
    expect(() => checkTrace(text)).toThrow(/incomplete: kds.request.start/);
  });
});

describe('a trace with units that was altered by hand fails', () => {
  /** Two of four are held; three and one wait in line; a resize refuses one that wants four. */
  async function honest(): Promise<string[]> {
    const text = await traced(async () => {
      const domain = createDomain({ capacity: { gpu: ['a', 'b', 'c', 'd'] } });
      const two = domain.acquireSync({ units: { gpu: 2 } }, { label: 'two' });
      const three = domain.acquire({ units: { gpu: 3 } }, { label: 'three' });
      const one = domain.acquire({ units: { gpu: 1 } }, { label: 'one' });
      const four = domain.acquire({ units: { gpu: 4 } }, { label: 'four' });
      two.downgrade({ units: { gpu: 1 } });
      two.release();
      (await three).release();
      four.catch(() => undefined);
      domain.setCapacity('gpu', ['a', 'b', 'c']);
      (await one).tryUpgrade();
      (await one).release();
    });
    expect(checkTrace(text).faults).toEqual([]);
    return text.split('\n');
  }

  const altered = (line: string, args: (args: TraceEvent['args']) => object): string => {
    const event = JSON.parse(line.replace(/,$/, '')) as TraceEvent;
    return `${JSON.stringify({ ...event, args: { ...event.args, ...args(event.args) } })},`;
  };
  const is = (line: string, event: string, label?: string): boolean =>
    line.includes(`"kds.${event}"`) && (label === undefined || line.includes(`"label":"${label}"`));

  it.each<[string, (lines: readonly string[]) => readonly string[], string]>([
    [
      'a capacity that was greater than its grants had it',
      (lines) =>
        lines.map((line) =>
          is(line, 'resource.capacity') ? altered(line, () => ({ capacity: 6 })) : line,
        ),
      'should have been granted before',
    ],
    [
      'a capacity that its grants exceed',
      (lines) =>
        lines.map((line) =>
          line.includes('"capacity":4') ? altered(line, () => ({ capacity: 3 })) : line,
        ),
      'takes more units than there are',
    ],
    [
      'a set that took more',
      (lines) =>
        lines.map((line) =>
          is(line, 'request.start', 'two')
            ? altered(line, () => ({ parts: [['gpu', 3, 0]] }))
            : line,
        ),
      'the units of "gpu" of request 1 are [0,1], not [0,1,2]',
    ],
    [
      'the grants of two sets in the other order',
      (lines) => {
        const [three, one] = ['three', 'one'].map((label) =>
          lines.findIndex((line) => is(line, 'request.grant', label)),
        ) as [number, number];
        const copy = [...lines];
        const ts = (line: string): number => (JSON.parse(line.replace(/,$/, '')) as TraceEvent).ts;
        const swap = (line: string, other: string): string =>
          line.replace(`"ts":${ts(line)}`, `"ts":${ts(other)}`);
        copy[three] = swap(lines[three] as string, lines[one] as string);
        copy[one] = swap(lines[one] as string, lines[three] as string);
        return copy;
      },
      'is not greater than before',
    ],
    [
      'a unit that two grants have',
      (lines) =>
        lines.map((line) =>
          is(line, 'request.grant', 'one')
            ? altered(line, () => ({ units: { gpu: ['b'] } }))
            : line,
        ),
      'unit 1 of "gpu" is in the grants of requests 2 and 3',
    ],
    [
      'units that were not listed',
      (lines) =>
        lines.map((line) =>
          is(line, 'request.grant', 'one') ? altered(line, () => ({ units: undefined })) : line,
        ),
      'the units of "gpu" of request 3 are [], not [0]',
    ],
    [
      'a set that was not refused by a resize',
      (lines) =>
        lines.filter((line) => !is(line, 'request.end', 'four') || !line.includes('refused')),
      'request 4 should have been refused before',
    ],
    [
      'a downgrade that was left out',
      (lines) => lines.filter((line) => !is(line, 'grant.weaken', 'two')),
      'request 2 is granted, though 1 came earlier and is live',
    ],
    [
      'an upgrade while another set holds units',
      (lines) => {
        const copy = lines.filter((line) => !is(line, 'grant.release', 'three'));
        return copy.filter((line) => !is(line, 'grant.release', 'one'));
      },
      'is upgraded, though another set is in the way',
    ],
    [
      'an assertion of what is in use',
      (lines) =>
        lines.map((line) =>
          line.includes('"capacity":3') ? altered(line, () => ({ isAsserted: true })) : line,
        ),
      'a set asserts 3 units of what is in use',
    ],
  ])('%s', async (_, alter, fault) => {
    const { faults } = checkTrace(alter(await honest()).join('\n'));
    expect(faults.join('\n')).toContain(fault);
  });

  it.each([{ units: { gpu: 1 } }, { units: [1] }, { units: { gpu: [-1] } }, { names: 'a' }])(
    'an event with no list of units is refused: %j',
    async (args) => {
      const lines = (await honest()).map((line) =>
        is(line, 'request.grant', 'one') ? altered(line, () => args) : line,
      );
      expect(() => checkTrace(lines.join('\n'))).toThrow(/incomplete: kds.request.grant/);
    },
  );

  it('of clients that know no order: a unit in two grants at the same time', async () => {
    const lines = (await honest()).map((line) =>
      line.replaceAll('"backend":"process"', '"backend":"broker"'),
    );
    expect(checkTrace(lines.join('\n')).faults).toEqual([]);
    const twice = lines.map((line) =>
      is(line, 'request.grant', 'one') ? altered(line, () => ({ units: { gpu: ['b'] } })) : line,
    );
    const fault = 'unit b of gpu was still held by "three of process';
    expect(checkTrace(twice.join('\n')).faults.join()).toContain(fault);
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
      'the trace is of version 1 or earlier, and this copy of kds uses version 3: check it with',
    );
  });

  it('that is later is refused, though others have written to the file', () => {
    const version = (pid: number, number: number): string =>
      JSON.stringify({ name: 'kds_trace', ph: 'M', pid, tid: 0, args: { version: number } });
    expect(() => checkTrace(`[\n${version(1, 3)},\n${version(2, 4)},\n`)).toThrow(
      'the trace is of version 4, and this copy of kds uses version 3',
    );
  });
});
