/** When and where callbacks run in one event loop, and what one that throws does. */

import { createDomain, type SyncGrant } from 'kds';
import { beforeAll, describe, expect, it } from 'vitest';
import { ChildProcesses } from './child.ts';
import { tracesIn } from './inside.ts';

const exclusive = { exclusive: 'a' };
const shared = { shared: 'a' };
const direct = { delivery: 'direct' } as const;

describe('direct delivery', () => {
  it('runs in the call that releases, downgrades, cancels or asks', () => {
    const domain = createDomain();
    const told: string[] = [];
    const ask = (set: object, name: string) => domain.enqueue(set, () => told.push(name), direct);

    const first = domain.acquireSync(exclusive);
    ask(shared, 'by a downgrade');
    first.downgrade();
    expect(told.splice(0)).toEqual(['by a downgrade']);

    const writer = domain.enqueue(exclusive, () => expect.unreachable());
    ask(shared, 'by a cancel');
    expect(told).toEqual([]);
    writer.cancel();
    expect(told.splice(0)).toEqual(['by a cancel']);

    ask({ exclusive: 'b' }, 'by asking');
    expect(told.splice(0)).toEqual(['by asking']);

    const second = domain.acquireSync({ exclusive: ['c', 'd'] });
    ask({ exclusive: 'c' }, 'by the release of a part');
    ask({ exclusive: 'd' }, 'by a release');
    second.release('c');
    expect(told.splice(0)).toEqual(['by the release of a part']);
    second.release();
    expect(told.splice(0)).toEqual(['by a release']);
  });

  it('runs when the state is consistent: all of the newly granted hold already', () => {
    const domain = createDomain();
    const holder = domain.acquireSync(exclusive);
    const seen: unknown[] = [];
    const look = () => {
      const { held, pending } = domain.querySync();
      seen.push([held.length, pending.length, ...tracesIn(domain).slice(3)]);
    };
    for (let count = 0; count < 3; count++) domain.enqueue(shared, look, direct);
    holder.release();
    expect(seen).toEqual([
      [3, 0],
      [3, 0],
      [3, 0],
    ]);
  });

  it('does not run one callback within another', () => {
    const domain = createDomain();
    const order: string[] = [];
    const holder = domain.acquireSync(exclusive);
    const run = (name: string) => (grant: SyncGrant) => {
      order.push(`${name} begins`);
      grant.release();
      order.push(`${name} ends`);
    };
    domain.enqueue(exclusive, run('first'), direct);
    domain.enqueue(exclusive, run('second'), direct);
    holder.release();
    expect(order).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });

  it('a chain of 100,000 that each ask again and release needs no stack', () => {
    const domain = createDomain();
    let count = 0;
    const again = (grant: SyncGrant) => {
      if (++count < 100_000) domain.enqueue(exclusive, again, direct);
      grant.release();
    };
    domain.enqueue(exclusive, again, direct);
    expect(count).toBe(100_000);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a line of 100,000 that each release needs no stack', () => {
    const domain = createDomain();
    let count = 0;
    const holder = domain.acquireSync(exclusive);
    for (let number = 0; number < 100_000; number++) {
      const release = (grant: SyncGrant) => {
        count++;
        grant.release();
      };
      domain.enqueue(exclusive, release, direct);
    }
    holder.release();
    expect(count).toBe(100_000);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a callback that cancels another one that is due keeps it from running', () => {
    const domain = createDomain();
    const holder = domain.acquireSync(exclusive);
    domain.enqueue(shared, () => expect(second.cancel()).toBe(true), direct);
    const second = domain.enqueue(shared, () => expect.unreachable(), direct);
    holder.release();
    expect(domain.querySync().held).toHaveLength(1);
  });
});

describe('run', () => {
  it.each<[string, () => number | Promise<number>, boolean]>([
    ['at once if its function returned no promise', () => 1, true],
    ['once the promise that its function returned is settled', async () => 1, false],
  ])('releases %s', async (_, fn, isReleased) => {
    const domain = createDomain();
    let isFree: boolean | undefined;
    const result = domain.run(exclusive, () => {
      queueMicrotask(() => {
        isFree = domain.querySync().held.length === 0;
      });
      return fn();
    });
    expect(await result).toBe(1);
    expect(isFree).toBe(isReleased);
    expect(tracesIn(domain)).toEqual([]);
  });
});

describe('queued delivery', () => {
  it('runs inside nobody’s call, in order, before timers and setImmediate', async () => {
    const domain = createDomain();
    const order: string[] = [];
    const late = [
      new Promise((resolve) => setTimeout(() => resolve(order.push('timer')), 0)),
      new Promise((resolve) => setImmediate(() => resolve(order.push('immediate')))),
    ];
    const holder = domain.acquireSync(exclusive);
    domain.enqueue(exclusive, (grant) => {
      order.push('first');
      grant.release();
      order.push('first has released');
    });
    domain.enqueue(exclusive, (grant) => {
      order.push('second');
      grant.release();
    });
    domain.enqueue({ exclusive: 'b' }, () => order.push('free'));
    order.push('enqueued');
    holder.release();
    order.push('released');
    await Promise.all(late);
    expect(order.slice(0, 6)).toEqual([
      'enqueued',
      'released',
      'free',
      'first',
      'first has released',
      'second',
    ]);
    expect(order.slice(6).sort()).toEqual(['immediate', 'timer']);
  });

  it('a long chain of it runs before timers too', async () => {
    const domain = createDomain();
    let count = 0;
    const again = (grant: SyncGrant) => {
      if (++count < 10_000) domain.enqueue(exclusive, again);
      grant.release();
    };
    domain.enqueue(exclusive, again);
    expect(count).toBe(0);
    await new Promise(setImmediate);
    expect(count).toBe(10_000);
  });
});

describe('a callback that throws', () => {
  let children: ChildProcesses;
  beforeAll(async () => {
    children = await ChildProcesses.prepare();
  });

  it('stops no other, and its error is an uncaught exception', () => {
    const told = children.ask(`
      import { Callback, createDomain } from './kds.js';
      const told = [];
      process.on('uncaughtException', (error) => told.push('uncaught ' + error.message));
      const domain = createDomain();
      const ask = (name, delivery) => domain.enqueue({ shared: 'a' }, () => {
        told.push(name);
        throw new Error(name);
      }, { delivery });
      const holder = domain.acquireSync({ exclusive: 'a' });
      ask('direct 1', 'direct');
      ask('direct 2', 'direct');
      ask('queued 1', 'queued');
      ask('queued 2', 'queued');
      holder.release();
      told.push('released');
      setImmediate(() => {
        const callback = new Callback();
        ask('due 1', callback);
        ask('due 2', callback);
        callback.close();
        told.push('closed');
      });
      process.on('exit', () => console.log(JSON.stringify(told)));
    `) as string[];
    const uncaught = told.filter((line) => line.startsWith('uncaught'));
    expect(told.filter((line) => !line.startsWith('uncaught'))).toEqual([
      'direct 1',
      'direct 2',
      'released',
      'queued 1',
      'queued 2',
      'due 1',
      'due 2',
      'closed',
    ]);
    expect(uncaught.sort()).toEqual([
      'uncaught direct 1',
      'uncaught direct 2',
      'uncaught due 1',
      'uncaught due 2',
      'uncaught queued 1',
      'uncaught queued 2',
    ]);
  });

  it('ends the process if nobody listens', () => {
    const { status, stdout, stderr } = children.run(`
      import { createDomain } from './kds.js';
      createDomain().enqueue({}, () => { throw new Error('a mistake'); }, { delivery: 'direct' });
      console.log('asked');
    `);
    expect(status).not.toBe(0);
    expect(stdout).toBe('asked\n');
    expect(stderr).toContain('a mistake');
  });

  it('in onRefused is as harmless, and so is a signal that keeps its listener', () => {
    const told = children.ask(`
      import { createDomain } from './kds.js';
      const told = [];
      process.on('uncaughtException', (error) => told.push(error.message));
      const domain = createDomain();
      const signal = {
        aborted: false,
        addEventListener() {},
        removeEventListener() { throw new Error('a listener is kept'); },
      };
      const holder = domain.acquireSync({ exclusive: 'a' });
      const onRefused = () => {
        setImmediate(() => holder.release());
        throw new Error('a refusal');
      };
      const stop = new AbortController();
      domain.enqueue({ exclusive: 'a' }, () => {}, { signal: stop.signal, onRefused });
      domain.acquire({ shared: 'a' }, { signal }).then(() => told.push('granted'));
      domain.acquire({ shared: 'a' }).then(() => told.push('granted too'));
      stop.abort();
      process.on('exit', () => console.log(JSON.stringify(told)));
    `) as string[];
    expect(told.sort()).toEqual(['a listener is kept', 'a refusal', 'granted', 'granted too']);
  });
});
