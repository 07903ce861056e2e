/** What is none of what it should be gets its documented error, and leaves no trace. */

import {
  Callback,
  createDomain,
  DomainClosedError,
  type DomainOptions,
  GrantLostError,
  InvalidSetError,
  LimitError,
  labelLengthMax,
  nameLengthMax,
  ResourceBusyError,
  type SyncDomain,
  setSizeMax,
} from 'kds';
import { describe, expect, it } from 'vitest';
import { backendOf, faultsOf, outcomeOf, tracesIn } from './inside.ts';

type ErrorClass = abstract new (...args: never[]) => Error;
type Bad = readonly [name: string, value: unknown, error: ErrorClass];

const nothing = () => {};

/** Every way to ask, as a promise of what comes of it. */
const waysToAsk: Record<string, (domain: SyncDomain, set: never, options: never) => unknown> = {
  acquire: (domain, set, options) => domain.acquire(set, options),
  run: (domain, set, options) => domain.run(set, options, nothing),
  enqueue: (domain, set, options) => domain.enqueue(set, nothing, options),
  settled: (domain, set, options) => domain.settled(set, options),
  tryAcquire: (domain, set, options) => domain.tryAcquire(set, options),
  tryAcquireSync: (domain, set, options) => domain.tryAcquireSync(set, options),
  acquireSync: (domain, set, options) => domain.acquireSync(set, options),
};

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('it does not fail');
}

/** A domain where `a` is held and waited for, so that whatever is placed would show. */
function busyDomain() {
  const domain = createDomain();
  const holder = domain.acquireSync({ exclusive: 'a' });
  const waiter = domain.enqueue({ exclusive: 'a' }, nothing);
  const before = domain.querySync();
  return {
    domain,
    isUntouched() {
      expect(domain.querySync()).toEqual(before);
      expect(backendOf(domain).owners.objects.count).toBe(1);
      expect(faultsOf(domain)).toEqual([]);
    },
    end() {
      waiter.cancel();
      holder.release();
      expect(tracesIn(domain)).toEqual([]);
    },
  };
}

async function expectRefusals(
  ways: readonly string[],
  set: unknown,
  options: unknown,
  error: ErrorClass,
): Promise<void> {
  const world = busyDomain();
  for (const way of ways) {
    const ask = waysToAsk[way];
    const failure = await failureOf(() => ask?.(world.domain, set as never, options as never));
    expect(failure, way).toBeInstanceOf(error);
    expect((failure as Error).message.length, way).toBeLessThan(300);
    world.isUntouched();
  }
  world.end();
}

const foreign = createDomain();
const closedHandle = (() => {
  const handle = foreign.resource('closed');
  handle.close();
  return handle;
})();

const badSets: readonly Bad[] = [
  ['undefined', undefined, InvalidSetError],
  ['null', null, InvalidSetError],
  ['a name', 'a', InvalidSetError],
  ['a number', 1, InvalidSetError],
  ['a function', nothing, InvalidSetError],
  ['a list', ['a'], InvalidSetError],
  ['an unknown key', { exclusive: 'a', exclusve: 'b' }, InvalidSetError],
  ['a key of another mode', { write: 'a' }, InvalidSetError],
  ['a very long key', { ['x'.repeat(100_000)]: 'a' }, InvalidSetError],
  ['null for a name', { exclusive: null }, InvalidSetError],
  ['a number for a name', { shared: 1 }, InvalidSetError],
  ['a symbol for a name', { shared: Symbol('a') }, InvalidSetError],
  ['a Set of names', { shared: new Set(['a']) }, InvalidSetError],
  ['something else behind good names', { exclusive: ['b', 'a', {}] }, InvalidSetError],
  ['a hole among names', { exclusive: new Array(2) }, InvalidSetError],
  ['a list in a list', { exclusive: [['a']] }, InvalidSetError],
  ['a handle of another domain', { exclusive: ['b', foreign.resource('a')] }, InvalidSetError],
  ['a closed handle of another domain', { exclusive: closedHandle }, InvalidSetError],
  ['a prepared set of another domain', foreign.prepare({ shared: 'a' }), InvalidSetError],
  ['a name that is too long', { shared: ['b', 'x'.repeat(nameLengthMax + 1)] }, LimitError],
  ['a list that is too long', { shared: new Array(setSizeMax + 1).fill('a') }, LimitError],
  [
    'two lists that are too long together',
    { exclusive: names(setSizeMax - 1), shared: ['x', 'y'] },
    LimitError,
  ],
  ['a full list and one name', { exclusive: names(setSizeMax), shared: 'x' }, LimitError],
];

const badOptions: readonly Bad[] = [
  ['null', null, TypeError],
  ['a number', 5, TypeError],
  ['a name', 'a', TypeError],
  ['NaN to wait', { timeoutMs: Number.NaN }, RangeError],
  ['less than nothing to wait', { timeoutMs: -1 }, RangeError],
  ['a name to wait', { timeoutMs: '5' }, TypeError],
  ['null to wait', { timeoutMs: null }, TypeError],
  ['a bigint to wait', { timeoutMs: 5n }, TypeError],
  ['a label that is no string', { label: 5 }, TypeError],
  ['a label that is too long', { label: 'x'.repeat(labelLengthMax + 1) }, LimitError],
];

const badAcquireOptions: readonly Bad[] = [
  ['a controller for a signal', { signal: new AbortController() }, TypeError],
  ['null for a signal', { signal: null }, TypeError],
  ['something that only has aborted', { signal: { aborted: false } }, TypeError],
  ['an unknown policy', { locked: 'never' }, TypeError],
  ['a policy that is no word', { locked: true }, TypeError],
  ['steal that is no boolean', { steal: 'yes' }, TypeError],
  ['holding that is no grant', { holding: {} }, TypeError],
  ['holding null', { holding: null }, TypeError],
  ['holding what is no grant in a list', { holding: [undefined] }, TypeError],
  [
    'holding a grant of another domain',
    { holding: foreign.acquireSync({ exclusive: 'held' }) },
    TypeError,
  ],
  [
    'a getter that throws',
    {
      get timeoutMs() {
        throw new SyntaxError('a getter');
      },
    },
    SyntaxError,
  ],
];

const badEnqueueOptions: readonly Bad[] = [
  ['an unknown delivery', { delivery: 'later' }, TypeError],
  ['a delivery that is no Callback', { delivery: {} }, TypeError],
  ['an onRefused that is no function', { onRefused: 'no' }, TypeError],
  ['a callback that is closed', { delivery: closedCallback() }, DomainClosedError],
];

describe('a set that is none', () => {
  it.each(badSets)('%s is refused', async (_, set, error) => {
    await expectRefusals(Object.keys(waysToAsk), set, undefined, error);
    const domain = createDomain();
    expect(() => domain.prepare(set as never)).toThrow(error);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a handle that has been closed is refused, also in prepared sets made before', async () => {
    const domain = createDomain();
    const named = domain.resource('h');
    const unnamed = domain.resource();
    const prepared = domain.prepare({ exclusive: [named, unnamed] });
    domain.tryAcquireSync(prepared)?.release();
    named.close();
    unnamed.close();
    unnamed.close();
    const sets = [{ shared: named }, { exclusive: ['b', unnamed] }, prepared];
    for (const ask of Object.values(waysToAsk)) {
      for (const set of sets) {
        const failure = await failureOf(() => ask(domain, set as never, undefined as never));
        expect(failure).toBeInstanceOf(InvalidSetError);
        expect(tracesIn(domain)).toEqual([]);
      }
    }
    expect(() => domain.prepare({ exclusive: named })).toThrow(/"h" is closed/);
    domain.acquireSync({ exclusive: 'h' }).release();
  });

  it('a steal of something shared is refused', async () => {
    const set = { exclusive: 'b', shared: 'a' };
    await expectRefusals(['acquire', 'run', 'enqueue'], set, { steal: true }, InvalidSetError);
  });

  it('a full set is not', () => {
    const domain = createDomain();
    const grant = domain.acquireSync({ exclusive: names(setSizeMax - 1), shared: 'x' });
    grant.release();
    domain.tryAcquireSync(domain.prepare({ shared: names(setSizeMax) }))?.release();
    expect(tracesIn(domain)).toEqual([]);
  });
});

describe('options that are none', () => {
  it.each(badOptions)('%s is refused', async (_, options, error) => {
    const ways = Object.keys(waysToAsk);
    await expectRefusals(ways, { exclusive: 'a' }, options, error);
    await expectRefusals(ways, { exclusive: 'free' }, options, error);
  });

  it.each(badAcquireOptions)('%s is refused', async (_, options, error) => {
    const ways = ['acquire', 'run', 'enqueue'];
    await expectRefusals(ways, { exclusive: 'a' }, options, error);
    await expectRefusals(ways, { exclusive: 'free' }, options, error);
  });

  it.each(badEnqueueOptions)('%s is refused', async (_, options, error) => {
    await expectRefusals(['enqueue'], { exclusive: 'a' }, options, error);
    await expectRefusals(['enqueue'], { exclusive: 'free' }, options, error);
  });

  it('a getter that throws leaves no trace', async () => {
    for (const way of ['acquire', 'run', 'enqueue', 'settled']) {
      const options = {
        get label(): string {
          throw new SyntaxError('cannot be read');
        },
      };
      const world = busyDomain();
      const ask = waysToAsk[way];
      const set = { exclusive: 'a' };
      const failure = await failureOf(() => ask?.(world.domain, set as never, options as never));
      expect(failure, way).toBeInstanceOf(SyntaxError);
      world.isUntouched();
      world.end();
    }
  });

  it('what should be called and is no function is refused', async () => {
    const world = busyDomain();
    const { domain } = world;
    const set = { exclusive: 'a' };
    for (const bad of [undefined, null, {}, 'run']) {
      expect(() => domain.enqueue(set, bad as never)).toThrow(TypeError);
      await expect(domain.run(set, {}, bad as never)).rejects.toThrow(TypeError);
      await expect(domain.run(set, bad as never)).rejects.toThrow(TypeError);
    }
    world.isUntouched();
    world.end();
  });

  it.each<readonly [string, unknown, ErrorClass, string]>([
    ['null', null, TypeError, 'options'],
    ['a number', 5, TypeError, 'options'],
    ['nested', { nested: 'reentrance' }, TypeError, 'nested'],
    ['a boolean for nested', { nested: true }, TypeError, 'nested'],
    ['holdWarningMs', { holdWarningMs: '5' }, TypeError, 'holdWarningMs'],
    ['holdWarningMs', { holdWarningMs: -5 }, RangeError, 'holdWarningMs'],
    ['onHoldWarning', { onHoldWarning: 'no' }, TypeError, 'onHoldWarning'],
    ['label', { label: 5 }, TypeError, 'label'],
    ['label', { label: 'x'.repeat(labelLengthMax + 1) }, LimitError, 'label'],
  ])('of a domain are refused by name: %s', (_, options, error, name) => {
    const create = () => createDomain(options as DomainOptions);
    expect(create).toThrow(error);
    expect(create).toThrow(name);
  });

  it('of a session, of a resource and of a callback are refused', () => {
    const domain = createDomain();
    expect(() => domain.session(null as never)).toThrow(TypeError);
    expect(() => domain.session(5 as never)).toThrow(TypeError);
    expect(() => domain.session({ label: 5 as never })).toThrow(TypeError);
    expect(() => domain.resource(5 as never)).toThrow(InvalidSetError);
    expect(() => domain.resource('x'.repeat(nameLengthMax + 1))).toThrow(LimitError);
    expect(() => new Callback({ delivery: 'later' as never })).toThrow(TypeError);
    expect(() => new Callback({}, 'no' as never)).toThrow(TypeError);
  });
});

describe('a set whose reading runs code', () => {
  it('is taken as it was read, whatever else that asks for', () => {
    const domain = createDomain();
    const set = {
      exclusive: 'a',
      get shared() {
        domain.tryAcquireSync({ exclusive: ['x', 'y', 'z'] })?.release();
        return 'c';
      },
    };
    const grant = domain.tryAcquireSync(set);
    const { held } = domain.querySync();
    expect(held[0]?.set).toEqual({ exclusive: ['a'], shared: ['c'] });
    grant?.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('may release what is declared as held meanwhile', async () => {
    const domain = createDomain();
    const held = domain.acquireSync({ exclusive: 'b' });
    const holder = domain.acquireSync({ exclusive: 'a' });
    const set = {
      get exclusive() {
        held.release();
        return 'a';
      },
    };
    const waiting = domain.acquire(set, { holding: held });
    expect(await outcomeOf(waiting)).toBe('pending');
    expect(faultsOf(domain)).toEqual([]);
    holder.release();
    (await waiting).release();
    expect(tracesIn(domain)).toEqual([]);
  });
});

describe('a grant that has ended', () => {
  it('releases no second time, also with a later holder', () => {
    const domain = createDomain();
    const first = domain.acquireSync({ exclusive: 'a' });
    first.release();
    const second = domain.acquireSync({ exclusive: 'a' });
    first.release();
    first.abandon();
    first[Symbol.dispose]();
    expect(domain.querySync().held).toMatchObject([{ token: second.token }]);
    second.release();
    expect(domain.tryAcquireSync({ exclusive: 'a' })?.recovered).toEqual([]);
  });

  it.each(['released', 'stolen', 'abandoned', 'closed'])(
    'because it was %s refuses to be weakened',
    async (how) => {
      const domain = createDomain();
      const session = domain.session();
      const grant = session.acquireSync({ exclusive: ['a', 'b'] });
      if (how === 'released') grant.release();
      if (how === 'stolen') void domain.acquire({ exclusive: 'a' }, { steal: true });
      if (how === 'abandoned') grant.abandon();
      if (how === 'closed') void session.close();
      domain.tryAcquireSync({ exclusive: 'b' });
      const before = domain.querySync();
      expect(() => grant.downgrade()).toThrow(GrantLostError);
      expect(() => grant.downgrade('a')).toThrow(GrantLostError);
      expect(() => grant.release('a')).toThrow(GrantLostError);
      expect(domain.querySync()).toEqual(before);
      expect(faultsOf(domain)).toEqual([]);
    },
  );

  it.each<readonly [string, unknown, ErrorClass]>([
    ['another name', 'c', InvalidSetError],
    ['its own and another name', ['a', 'c'], InvalidSetError],
    ['a name that others use', ['a', 'used'], InvalidSetError],
    ['no name', null, InvalidSetError],
    ['a handle of another domain', foreign.resource('a'), InvalidSetError],
    ['too many names', new Array(setSizeMax + 1).fill('a'), LimitError],
  ])('a part that is none of it (%s) changes nothing', (_, part, error) => {
    const domain = createDomain();
    const grant = domain.acquireSync({ exclusive: ['a', 'b'] });
    domain.acquireSync({ shared: 'used' });
    const before = domain.querySync();
    expect(() => grant.release(part as never)).toThrow(error);
    expect(() => grant.downgrade(part as never)).toThrow(error);
    expect(domain.querySync()).toEqual(before);
    expect(faultsOf(domain)).toEqual([]);
  });
});

describe('what is in use or closed', () => {
  it('a resource that is held or waited for does not close', () => {
    const domain = createDomain();
    const handle = domain.resource('h');
    const holder = domain.acquireSync({ shared: 'h' });
    const waiter = domain.enqueue({ exclusive: handle }, nothing);
    const before = domain.querySync();
    expect(() => handle.close()).toThrow(ResourceBusyError);
    expect(domain.querySync()).toEqual(before);
    waiter.cancel();
    expect(() => handle.close()).toThrow(ResourceBusyError);
    holder.release();
    handle.close();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a domain or session that is closed refuses everything, and holds nothing', async () => {
    const domain = createDomain();
    const outer = domain.session();
    const inner = outer.session();
    const prepared = inner.prepare({ exclusive: 'a' });
    await outer.close();
    const refuses = async (closed: SyncDomain) => {
      for (const ask of Object.values(waysToAsk)) {
        const failure = await failureOf(() => ask(closed, prepared as never, undefined as never));
        expect(failure).toBeInstanceOf(DomainClosedError);
      }
      expect(() => closed.prepare({})).toThrow(DomainClosedError);
      expect(() => closed.resource()).toThrow(DomainClosedError);
      expect(() => closed.session()).toThrow(DomainClosedError);
      await closed.close();
    };
    await refuses(outer);
    await refuses(inner);
    domain.acquireSync(prepared).release();
    await domain.close();
    await refuses(domain);
    expect(tracesIn(domain)).toEqual([]);
  });
});

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, number) => `name ${number}`);
}

function closedCallback(): Callback {
  const callback = new Callback();
  callback.close();
  return callback;
}
