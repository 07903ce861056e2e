/**
 * Tests that run at once, within each other, or end badly. Some fail on purpose: the test that runs
 * this file says which ones, and with which error. The last one finds everything free.
 */

import { openBrokerDomain } from 'kds/broker';
import { holdForAll, holdForEach, holding } from 'kds/vitest';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { work } from '../../journal.ts';

const domain = await openBrokerDomain({ label: 'observer' });
const never = new Promise<void>(() => {});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function isFree(name: string): Promise<boolean> {
  const grant = await domain.tryAcquire({ exclusive: name });
  await grant?.release();
  return grant !== null;
}

async function heldCount(name: string): Promise<number> {
  const { held } = await domain.query();
  return held.filter(({ set }) => set.shared.includes(name)).length;
}

describe.concurrent('readers', () => {
  const held = holdForEach({ reads: 'read' });
  let isShortOver = false;
  it('short', async (context) => {
    expect(held.of(context).signal.aborted).toBe(false);
    await until(async () => (await heldCount('read')) === 2);
    isShortOver = true;
  });
  it('long', async (context) => {
    const before = held.of(context);
    await until(async () => isShortOver && (await heldCount('read')) === 1);
    expect(held.of(context)).toBe(before);
    expect(held.grant).toBe(before);
    expect(await isFree('read')).toBe(false);
  });
});

describe.concurrent('writers, more than vitest runs at once', () => {
  const held = holdForEach({ writes: 'written' });
  for (let index = 0; index < 8; index++) {
    it(`writer ${index}`, async (context) => {
      expect(held.grant).toBe(held.of(context));
      await work(context.task.name, { writes: ['written'] });
      expect(held.grant).toBe(held.of(context));
    });
  }
  it.each([1, 2])('writer of row %i', async (row) => {
    await work(`row ${row}`, { writes: ['written'] });
    expect(held.grant.signal.aborted).toBe(false);
  });
});

describe.concurrent('suites at once', () => {
  for (let suite = 0; suite < 3; suite++) {
    describe(`suite ${suite}`, () => {
      const held = holdForEach({ writes: 'of suites' });
      for (let index = 0; index < 5; index++) {
        it(`writer ${suite}.${index}`, async (context) => {
          await work(context.task.name, { writes: ['of suites'] });
          expect(held.grant).toBe(held.of(context));
        });
      }
    });
  }
});

describe('around', () => {
  const outer = holdForEach({ writes: 'nested', reads: 'settings' });
  it('outer runs', () => void outer.grant);
  describe('within', () => {
    holdForEach({ reads: 'nested' });
    it('nested waits for itself', () => {});
  });
  describe('both only read', () => {
    const inner = holdForEach({ reads: 'settings', writes: 'another' });
    it('nested reads', async () => {
      expect(inner.grant).not.toBe(outer.grant);
      expect(await isFree('settings')).toBe(false);
      expect(await isFree('another')).toBe(false);
    });
  });
  it(
    'a function within waits for itself',
    holding({ writes: 'nested' }, () => {}),
  );
  describe('for all within each', () => {
    holdForAll({ writes: 'suite' });
    describe('once more', () => {
      holdForEach({ writes: 'suite' });
      it('suite waits for itself', () => {});
    });
    it('suite is held', async () => expect(await isFree('suite')).toBe(false));
  });
});

describe('a hook that fails', () => {
  holdForEach({ writes: 'hook' });
  afterEach(() => Promise.reject(new Error('after each')));
  it('one', () => {});
  it('two', () => {});
});

describe('a hook that fails before', () => {
  holdForEach({ writes: 'hook' });
  beforeEach(() => Promise.reject(new Error('before each')));
  it('three', () => {});
  it('four', () => {});
});

describe('hooks run while the set is held', () => {
  const held = holdForEach({ writes: 'hook' });
  beforeEach(() => void held.grant);
  afterEach(async () => expect(await isFree('hook')).toBe(false));
  it('five', () => {});
});

describe('all, and a hook that fails', () => {
  holdForAll({ writes: 'hook' });
  afterAll(() => Promise.reject(new Error('after all')));
  it('six', () => {});
});

describe('time', () => {
  holdForEach({ writes: 'time' });
  it('is over', () => never, 10);
  it('is over again', { retry: 1, timeout: 10 }, () => never);
});

describe('attempts', () => {
  const held = holdForEach({ writes: 'attempts' });
  const tokens: number[] = [];
  it('retried', { retry: 2 }, () => {
    tokens.push(held.grant.token);
    expect(tokens).toHaveLength(3);
    expect(new Set(tokens).size).toBe(3);
  });
  it('repeated', { repeats: 2 }, () => void held.grant);
  it.skip('skipped', () => {});
  it('skips itself', (context) => context.skip());
  it.each([1, 2])('row %i', () => void held.grant);
  it.fails('fails as expected', () => Promise.reject(new Error('expected')));
});

describe('in vain', () => {
  describe('for a time', () => {
    beforeEach(async ({ onTestFinished }) => {
      const other = await domain.acquire({ exclusive: 'kept' });
      onTestFinished(() => other.release());
    });
    describe('a hook', () => {
      holdForEach({ writes: 'kept' }, { timeoutMs: 10 });
      it('waits in vain', () => {});
    });
    it(
      'a function waits in vain',
      holding({ writes: 'kept' }, () => work('never', {})),
      10,
    );
  });
});

it('everything is free', async () => {
  const { held, pending } = await domain.query();
  expect({ held, pending }).toEqual({ held: [], pending: [] });
  await domain.close();
});
