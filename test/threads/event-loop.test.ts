/**
 * What a domain asks of its thread's event loop: to live on while requests wait, and nothing else.
 * Whole programs, in processes of their own: with Atomics.waitAsync, and where it is missing.
 */

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from './bundle.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('../../src/backends/threads/index.ts', import.meta.url));
});
afterAll(() => bundle.remove());

/** Before the library is loaded, in each thread. */
const without = 'delete Atomics.waitAsync;';

/**
 * Runs a program: `main` with the library, an `arena`, and `start()`, which starts `worker` and
 * resolves with it when it posts its first message. Returns what it printed, a line each.
 */
function run(prelude: string, main: string, worker = ''): readonly string[] {
  const library = `${prelude}
    const { createArena, openThreadsDomain } = await import(${JSON.stringify(bundle.path)});`;
  const workerCode = `(async () => { ${library}
    const { parentPort, workerData: arena } = await import('node:worker_threads');
    const domain = openThreadsDomain(arena, { label: 'worker' });
    ${worker}
  })();`;
  const code = `${library}
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const arena = createArena();
    const domain = openThreadsDomain(arena, { label: 'main' });
    const start = async () => {
      const worker = new Worker(${JSON.stringify(workerCode)}, { eval: true, workerData: arena });
      domain.attachWorker(worker);
      await once(worker, 'message');
      return worker;
    };
    ${main}`;
  const argv = ['--input-type=module', '--eval', code];
  const options = { encoding: 'utf8', timeout: 600_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, options);
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Has `x`, and lets go of it when it is told so, a little later. */
const holder = `
  const grant = domain.acquireSync({ exclusive: 'x' });
  parentPort.once('message', () => setTimeout(() => grant.release(), 50));
  parentPort.postMessage('held');`;

describe.each([
  ['on its doorbell', ''],
  ['for messages, as Atomics.waitAsync is missing', without],
])('a thread that waits %s', (_, prelude) => {
  it('ends by itself although its domain is open, and has something', () => {
    const main = `
      domain.acquireSync({ exclusive: 'x' });
      (await domain.acquire({ shared: 'y' })).release();
      console.log('the end');`;
    expect(run(prelude, main)).toEqual(['the end']);
  });

  it('ends by itself after all that it waited for is granted, timed out, or cancelled', () => {
    const main = `
      const other = openThreadsDomain(arena);
      const grant = other.acquireSync({ exclusive: 'x' });
      const late = await domain.acquire({ exclusive: 'x' }, { timeoutMs: 20 }).catch(String);
      const waiter = domain.enqueue({ exclusive: 'x' }, () => console.log('never'));
      console.log(late.startsWith('TimeoutError'), waiter.cancel());
      const stop = new AbortController();
      const asked = domain.acquire({ shared: 'x' }, { signal: stop.signal });
      stop.abort('enough');
      await asked.catch((reason) => console.log(reason));
      const next = domain.acquire({ shared: 'x' });
      grant.release();
      await next;
      console.log('the end');`;
    expect(run(prelude, main)).toEqual(['true true', 'enough', 'the end']);
  });

  it('lives until another thread lets go of what it waits for, and ends then', () => {
    const main = `
      const worker = await start();
      worker.postMessage('let go');
      worker.unref();
      domain.enqueue({ exclusive: 'x' }, (grant) => console.log('granted', grant.recovered.length));
      process.on('exit', () => console.log('the end'));`;
    expect(run(prelude, main, holder)).toEqual(['granted 0', 'the end']);
  });

  it('does so in a worker, too', () => {
    const worker = `
      parentPort.postMessage('asks');
      domain.enqueue({ exclusive: 'x' }, () => console.log('granted'));`;
    const main = `
      const grant = domain.acquireSync({ exclusive: 'x' });
      const worker = await start();
      const ended = once(worker, 'exit');
      while (domain.querySync().pending.length === 0) await new Promise(setImmediate);
      setTimeout(() => { console.log('let go'); grant.release(); }, 50);
      console.log('ended', ...await ended);
      console.log((await domain.acquire({ exclusive: 'x' })).recovered.length);`;
    // It has not released it: what it protects may be half done, however orderly the end.
    expect(run(prelude, main, worker)).toEqual(['let go', 'granted', 'ended 0', '1']);
  });

  it('hands over to other threads and back, those that block among them', () => {
    const worker = `
      parentPort.postMessage('ready');
      for (let turn = 0; turn < 200; turn++) {
        const set = { exclusive: 'ball' };
        const grant = turn % 2 === 0 ? await domain.acquire(set) : domain.acquireSync(set);
        const back = domain.acquire({ exclusive: 'wall' });
        grant.release();
        (await back).release();
      }
      const late = await domain.acquire({ shared: 'kept' }, { timeoutMs: 5 }).catch(String);
      console.log(late.split(':')[0]);
      const waiter = domain.enqueue({ shared: 'kept' }, () => console.log('never'));
      console.log(waiter.cancel());`;
    const main = `
      domain.acquireSync({ exclusive: 'kept' });
      const worker = await start();
      const ended = once(worker, 'exit');
      for (let turn = 0; turn < 200; turn++) {
        const wall = await domain.acquire({ exclusive: 'wall' });
        const ball = await domain.acquire({ exclusive: 'ball' });
        wall.release();
        ball.release();
      }
      const [code] = await ended;
      const { held, pending } = domain.querySync();
      console.log(code, held.length, pending.length);`;
    expect(run(prelude, main, worker)).toEqual(['TimeoutError', 'true', '0 1 0']);
  });
});

it('of 100,000 waits of an agent, one at a time is under way, and none once it is closed', () => {
  const count = `
    const { waitAsync } = Atomics;
    const underWay = new Map();
    const peak = { count: 0, total: 0 };
    Atomics.waitAsync = (words, at, ...rest) => {
      const result = waitAsync(words, at, ...rest);
      if (!result.async) return result;
      const change = (by) => underWay.set(at, (underWay.get(at) ?? 0) + by);
      change(1);
      peak.total++;
      peak.count = Math.max(peak.count, underWay.get(at));
      result.value.then(() => change(-1));
      return result;
    };`;
  const main = `
    const other = openThreadsDomain(arena);
    let [mine, theirs] = [domain, other];
    let grant = mine.acquireSync({ exclusive: 'x' });
    for (let turn = 0; turn < 100_000; turn++) {
      const asked = theirs.acquire({ exclusive: 'x' });
      // It has more to do meanwhile, and is to listen once.
      theirs.tryAcquireSync({ shared: 'y' }).release();
      grant.release();
      grant = await asked;
      [mine, theirs] = [theirs, mine];
    }
    await domain.close();
    await other.close();
    // What has been rung is told in turns of the event loop to come.
    const left = () => [...underWay.values()].reduce((a, b) => a + b);
    for (let turn = 0; turn < 1000 && left() > 0; turn++) await new Promise(setImmediate);
    console.log(peak.count, peak.total > 90_000, left());`;
  expect(run(count, main)).toEqual(['1 true 0']);
});
