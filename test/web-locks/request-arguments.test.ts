/** What Web IDL lays down for the interfaces, and steps 1 to 9 of the request() method. */

import { createDomain, setSizeMax } from 'kds';
import { grantOf, Lock, LockManager } from 'kds/web-locks';
import { describe, expect, it } from 'vitest';
import { failureOf, Holder, unreached } from './holding.ts';

/** Whatever is passed, as JavaScript may. */
type AnyRequest = (...args: readonly unknown[]) => Promise<unknown>;

function open(): { readonly locks: LockManager; readonly request: AnyRequest } {
  const locks = new LockManager(createDomain());
  return { locks, request: locks.request.bind(locks) as unknown as AnyRequest };
}

const nothing = (): void => {};

describe('arguments', () => {
  it.each([
    ['none', []],
    ['a name', ['a']],
    ['no callback but undefined', ['a', undefined]],
    ['no callback but null', ['a', null]],
    ['no callback but a number', ['a', 123]],
    ['no callback but a string', ['a', 'abc']],
    ['no callback but a list', ['a', []]],
    ['no callback but options', ['a', {}]],
    ['no callback but a promise', ['a', Promise.resolve()]],
    ['options and no callback', ['a', {}, undefined]],
    ['a callback as options, and undefined', ['a', unreached, undefined]],
    ['options that are a number', ['a', 5, unreached]],
    ['options that are a string', ['a', 'shared', unreached]],
    ['options that are false', ['a', false, unreached]],
    ['options that are a symbol', ['a', Symbol('s'), unreached]],
    ['a symbol for a name', [Symbol('a'), unreached]],
    ['a symbol within a set', [['a', Symbol('b')], unreached]],
    ['a mode that there is not', ['a', { mode: 'foo' }, unreached]],
    ['a mode of null', ['a', { mode: null }, unreached]],
    ['an empty mode', ['a', { mode: '' }, unreached]],
    ['a mode in capitals', ['a', { mode: 'SHARED' }, unreached]],
  ])('are refused with a TypeError, and never thrown: %s', async (_, args) => {
    expect(await failureOf(open().request(...args))).toBeInstanceOf(TypeError);
  });

  it.each([
    'string',
    12.34,
    false,
    null,
    {},
    Symbol('s'),
    unreached,
    globalThis,
    new EventTarget(),
    Object.create(AbortSignal.prototype),
  ])('a signal that is none is refused with a TypeError: %#', async (signal) => {
    const error = await failureOf(open().request('a', { signal }, unreached));
    expect(error).toBeInstanceOf(TypeError);
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    ['a function', unreached],
    ['members that are undefined', { mode: undefined, signal: undefined, steal: undefined }],
    ['members that nobody knows', { mod: 'shared', timeout: 5 }],
  ])('options may be %s: then it is an exclusive request that waits', async (_, options) => {
    const mode = await open().request('a', options, (lock: Lock) => lock.mode);
    expect(mode).toBe('exclusive');
  });

  it('more arguments than three are ignored', async () => {
    expect(await open().request('a', {}, () => 'ran', unreached)).toBe('ran');
  });

  it.each([
    ['a number', 7, '7'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object', { toString: () => 'told' }, 'told'],
  ])('a name is turned into a string: %s', async (_, name, expected) => {
    expect(await open().request(name, (lock: Lock) => lock.name)).toBe(expected);
  });

  it('members are read once each, in the order of their names, after the name', async () => {
    const order: string[] = [];
    const name = {
      toString: () => {
        order.push('toString');
        return 'a';
      },
    };
    const options = new Proxy(
      {},
      {
        get: (_, member) => {
          order.push(String(member));
          return undefined;
        },
      },
    );
    await open().request(name, options, nothing);
    expect(order).toEqual(['toString', 'ifAvailable', 'mode', 'signal', 'steal', 'units']);
  });

  it.each([
    ['the name', [{ toString: thrower('on purpose') }, {}, unreached]],
    [
      'an option',
      [
        'a',
        {
          get steal() {
            return thrower('on purpose')();
          },
        },
        unreached,
      ],
    ],
    ['the mode', ['a', { mode: { toString: thrower('on purpose') } }, unreached]],
    [
      'an option, though there is no callback',
      [
        'a',
        {
          get mode() {
            return thrower('on purpose')();
          },
        },
        'no function',
      ],
    ],
  ] as [string, unknown[]][])(
    'what a conversion throws is what it rejects with: %s',
    async (_, args) => {
      expect(await failureOf(open().request(...args))).toBe('on purpose');
    },
  );

  it('flags are true as JavaScript has it', async () => {
    const { locks, request } = open();
    const holder = await Holder.take(locks, 'a');
    const told = (lock: Lock | null) => lock?.name ?? null;
    expect(await request('a', { ifAvailable: 'yes', steal: 0 }, told)).toBe(null);
    expect(await request('a', { ifAvailable: '', steal: {} }, told)).toBe('a');
    expect(await failureOf(holder.done)).toMatchObject({ name: 'AbortError' });
  });
});

function thrower(reason: unknown): () => never {
  return () => {
    throw reason;
  };
}

describe('what excludes each other is refused with a NotSupportedError', () => {
  const { signal } = new AbortController();
  it.each([
    ['a name of -', '-', {}],
    ["a name that begins with '-'", '-foo', {}],
    ['such a name within a set', ['a', '-foo'], {}],
    ['steal and ifAvailable', 'a', { steal: true, ifAvailable: true }],
    ['steal and shared', 'a', { steal: true, mode: 'shared' }],
    ['signal and steal', 'a', { signal, steal: true }],
    ['signal and ifAvailable', 'a', { signal, ifAvailable: true }],
  ])('%s', async (_, name, options) => {
    const error = await failureOf(open().request(name, options, unreached));
    expect(error).toBeInstanceOf(DOMException);
    expect(error).toMatchObject({ name: 'NotSupportedError', code: 9 });
  });

  it('before it is seen that the signal has aborted', async () => {
    const options = { signal: AbortSignal.abort(), ifAvailable: true };
    const error = await failureOf(open().request('a', options, unreached));
    expect(error).toMatchObject({ name: 'NotSupportedError' });
  });

  it('after it is seen that there is no callback', async () => {
    const error = await failureOf(open().request('-a', { steal: true, ifAvailable: true }, 5));
    expect(error).toBeInstanceOf(TypeError);
  });
});

describe('a signal that has aborted', () => {
  it('is what the request rejects with: its reason itself', async () => {
    for (const reason of ['My dog ate it.', { any: 'thing' }, undefined]) {
      const signal = AbortSignal.abort(reason);
      const done = open().request('a', { signal }, unreached);
      expect(await failureOf(done)).toBe(signal.reason);
    }
  });

  it('leaves no request behind', async () => {
    const { locks, request } = open();
    await failureOf(request('a', { signal: AbortSignal.abort() }, unreached));
    expect(await locks.query()).toEqual({ held: [], pending: [] });
  });
});

describe('the interfaces', () => {
  const prototypeOf = (made: { prototype: object }) =>
    Object.getOwnPropertyDescriptors(made.prototype);

  it('have their names, and operations that are listed', () => {
    expect(String(new LockManager(createDomain()))).toBe('[object LockManager]');
    const {
      request,
      query,
      [Symbol.toStringTag]: tag,
    } = prototypeOf(LockManager) as Record<string | symbol, PropertyDescriptor>;
    const shape = { enumerable: true, configurable: true, writable: true };
    expect(request).toMatchObject(shape);
    expect([request?.value.name, request?.value.length]).toEqual(['request', 2]);
    expect(query).toMatchObject(shape);
    expect([query?.value.name, query?.value.length]).toEqual(['query', 0]);
    expect(tag).toEqual({
      value: 'LockManager',
      writable: false,
      enumerable: false,
      configurable: true,
    });
    expect(Lock).toHaveLength(0);
    expect(LockManager).toHaveLength(1);
  });

  it('a lock has a name and a mode, which nobody can change', async () => {
    const { locks } = open();
    await locks.request('a', (lock) => {
      expect(lock).toBeInstanceOf(Lock);
      expect(String(lock)).toBe('[object Lock]');
      expect(Object.keys(lock as object)).toEqual([]);
      expect(() => {
        (lock as { name: string }).name = 'b';
      }).toThrow(TypeError);
      expect([lock?.name, lock?.mode]).toEqual(['a', 'exclusive']);
    });
    for (const attribute of ['name', 'mode']) {
      const { get, set, enumerable, configurable } = prototypeOf(Lock)[
        attribute
      ] as PropertyDescriptor;
      expect([typeof get, set, enumerable, configurable]).toEqual([
        'function',
        undefined,
        true,
        true,
      ]);
    }
  });

  it('nobody makes locks', () => {
    const Constructor = Lock as unknown as new (...args: unknown[]) => Lock;
    expect(() => new Constructor()).toThrow(TypeError);
    expect(() => new Constructor(Symbol('makes locks'), 'a', 'shared')).toThrow(TypeError);
    expect(() => grantOf(Object.create(Lock.prototype) as Lock)).toThrow(TypeError);
    expect(() => grantOf({} as Lock)).toThrow(TypeError);
  });

  it('are good for objects of their own only; operations reject, attributes throw', async () => {
    const { request, query } = LockManager.prototype;
    for (const other of [undefined, {}, Object.create(LockManager.prototype)]) {
      const requested = (request as unknown as AnyRequest).call(other, 'a', unreached);
      expect(await failureOf(requested)).toBeInstanceOf(TypeError);
      expect(await failureOf(query.call(other))).toBeInstanceOf(TypeError);
    }
    const name = prototypeOf(Lock)['name']?.get as () => string;
    expect(() => name.call({})).toThrow(TypeError);
  });

  it('an object of it can stand where that of the platform is expected', async () => {
    const locks: globalThis.LockManager = open().locks;
    const told = await locks.request('a', { mode: 'shared' }, async (lock) => lock?.mode);
    expect(told).toBe('shared');
  });

  it.each([undefined, null, {}, 5])(
    'a LockManager of what is no domain is refused: %s',
    (domain) => {
      expect(() => new LockManager(domain as never)).toThrow(TypeError);
    },
  );

  it('an id that is none is refused', () => {
    expect(() => new LockManager(createDomain(), { clientId: 5 as never })).toThrow(TypeError);
    expect(() => new LockManager(createDomain(), 5 as never)).toThrow(TypeError);
  });
});

describe('the domain beneath', () => {
  it('once it is closed, requests reject with an InvalidStateError', async () => {
    const domain = createDomain();
    const locks = new LockManager(domain);
    const holder = await Holder.take(locks, 'a');
    const waiting = failureOf(locks.request('a', unreached));
    await domain.close();
    expect(await waiting).toMatchObject({ name: 'AbortError' });
    expect(await failureOf(holder.done)).toMatchObject({ name: 'AbortError' });
    for (const options of [{}, { ifAvailable: true }]) {
      const error = await failureOf(locks.request('a', options, unreached));
      expect(error).toMatchObject({
        name: 'InvalidStateError',
        cause: { code: 'KDS_DOMAIN_CLOSED' },
      });
    }
    expect(() => new LockManager(domain)).toThrow('closed');
  });

  it('what it refuses is what the request rejects with', async () => {
    const { request } = open();
    const long = 'x'.repeat(2 ** 20);
    for (const options of [{}, { ifAvailable: true }, { steal: true }]) {
      const error = await failureOf(request(long, options, unreached));
      expect(error).toMatchObject({ code: 'KDS_LIMIT' });
    }
    const error = await failureOf(request(new Array(setSizeMax + 1).fill('a'), unreached));
    expect(error).toMatchObject({ code: 'KDS_LIMIT' });
  });

  it('shares its names with locks, and is listed by query()', async () => {
    const domain = createDomain();
    const locks = new LockManager(domain, { clientId: 'web' });
    const grant = await domain.acquire({ exclusive: 'a', shared: 'b' }, { label: 'import' });
    expect(await locks.request('a', { ifAvailable: true }, (lock) => lock)).toBe(null);
    const holder = await Holder.take(locks, 'b', { mode: 'shared' });
    expect(await domain.tryAcquire({ exclusive: 'b' })).toBe(null);
    expect((await locks.query()).held).toEqual([
      { name: 'a', mode: 'exclusive', clientId: 'import' },
      { name: 'b', mode: 'shared', clientId: 'import' },
      { name: 'b', mode: 'shared', clientId: 'web' },
    ]);
    grant.release();
    await holder.release();
  });
});
