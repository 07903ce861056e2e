/** What is left behind in a process: no memory, listener, timer or promise; nothing to stay for. */

import { beforeAll, describe, expect, it } from 'vitest';
import { ChildProcesses } from './child.ts';

let children: ChildProcesses;
beforeAll(async () => {
  children = await ChildProcesses.prepare();
});

/** For programs: bytes in use that cannot be collected. */
const bytesInUse = `
  async function bytesInUse() {
    for (let round = 0; round < 3; round++) {
      await new Promise(setImmediate);
      gc();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
`;

describe('100,000 acquisitions that share one AbortSignal', () => {
  const program = (work: string) => `
    import { getEventListeners } from 'node:events';
    import { createDomain } from './kds.js';
    ${bytesInUse}
    const domain = createDomain();
    const stop = new AbortController();
    const { signal } = stop;
    const set = { exclusive: 'a' };
    const refs = [];
    const note = (object) => void (refs.length < 1000 && refs.push(new WeakRef(object)));
    let listenersMax = 0;
    const look = () => {
      listenersMax = Math.max(listenersMax, getEventListeners(signal, 'abort').length);
    };
    const reasons = new Set();
    ${work}
    await work(1000);
    const before = await bytesInUse();
    await work(100_000);
    const grown = (await bytesInUse()) - before;
    console.log(JSON.stringify({
      grownMiB: Math.max(0, Math.round(grown / 2 ** 20)),
      alive: refs.filter((ref) => ref.deref() !== undefined).length,
      noted: refs.length,
      listeners: getEventListeners(signal, 'abort').length,
      listenersMax,
      resources: process.getActiveResourcesInfo().filter((name) => /Timeout|Immediate/.test(name)),
      live: Object.values(domain.querySync()).flat().length,
      reasons: [...reasons],
    }));
  `;
  const nothing = { grownMiB: 0, alive: 0, noted: 1000, listeners: 0, resources: [], live: 0 };

  it('and are granted at once leave nothing', () => {
    const left = children.ask(
      program(`
        async function work(count) {
          for (let number = 0; number < count; number++) {
            const asked = domain.acquire(set, { signal, timeoutMs: 1e6 });
            note(asked);
            (await asked).release();
            if (number % 1000 === 0) look();
          }
        }
      `),
      ['--expose-gc'],
    );
    expect(left).toEqual({ ...nothing, listenersMax: 0, reasons: [] });
  });

  it('and are granted later leave nothing, and have one listener until then', () => {
    const left = children.ask(
      program(`
        async function work(count) {
          const holder = domain.acquireSync(set);
          const ends = [];
          for (let number = 0; number < count; number++) {
            const asked = domain.acquire(set, { signal, timeoutMs: 1e6 });
            note(asked);
            ends.push(asked.then((grant) => grant.release()));
            if (number % 1000 === 0) look();
          }
          holder.release();
          await Promise.all(ends);
        }
      `),
      ['--expose-gc'],
    );
    expect(left).toEqual({ ...nothing, listenersMax: 1, reasons: [] });
  });

  it('and are cancelled leave nothing', () => {
    const left = children.ask(
      program(`
        async function work(count) {
          const holder = domain.acquireSync(set);
          const waiters = [];
          for (let number = 0; number < count; number++) {
            waiters.push(domain.enqueue(set, () => {}, { signal, timeoutMs: 1e6 }));
            note(waiters[number]);
            if (number % 1000 === 0) look();
          }
          for (const waiter of waiters) waiter.cancel();
          holder.release();
        }
      `),
      ['--expose-gc'],
    );
    expect(left).toEqual({ ...nothing, listenersMax: 1, reasons: [] });
  });

  it('and are aborted leave nothing', () => {
    const left = children.ask(
      program(`
        async function work(count) {
          const holder = domain.acquireSync(set);
          // The last time with the signal that is looked at, as one aborts only once.
          const own = count === 1000 ? new AbortController() : stop;
          const ends = [];
          for (let number = 0; number < count; number++) {
            const asked = domain.acquire(set, { signal: own.signal, timeoutMs: 1e6 });
            note(asked);
            ends.push(asked.catch((reason) => reasons.add(reason)));
            if (number % 1000 === 0) look();
          }
          own.abort('enough');
          await Promise.all(ends);
          holder.release();
        }
      `),
      ['--expose-gc'],
    );
    expect(left).toEqual({ ...nothing, listenersMax: 1, reasons: ['enough'] });
  });

  it('and whose signal has aborted before leave nothing', () => {
    const left = children.ask(
      program(`
        stop.abort('enough');
        async function work(count) {
          for (let number = 0; number < count; number++) {
            const asked = domain.acquire(set, { signal, timeoutMs: 1e6 });
            note(asked);
            await asked.catch((reason) => reasons.add(reason));
          }
        }
      `),
      ['--expose-gc'],
    );
    expect(left).toEqual({ ...nothing, listenersMax: 0, reasons: ['enough'] });
  });
});

describe('what is pending', () => {
  it.each([
    ['a promise', `domain.acquire(set)`],
    ['a promise with an endless time-out', `domain.acquire(set, { timeoutMs: Infinity })`],
    ['a promise with a signal', `domain.acquire(set, { signal: new AbortController().signal })`],
    ['a callback', `domain.enqueue(set, () => {})`],
    ['a run', `domain.run(set, () => {})`],
    ['an observer', `domain.settled(set)`],
  ])('as %s keeps no process alive', (_, ask) => {
    const { status, stdout, stderr } = children.run(`
      import { createDomain } from './kds.js';
      const domain = createDomain();
      const set = { exclusive: 'a' };
      domain.acquireSync(set);
      ${ask};
      process.on('exit', () => console.log(domain.querySync().held.length));
    `);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '1\n', stderr: '' });
  });
});

describe('memory', () => {
  const growth = (work: string, count: number) => `
    import { createDomain } from './kds.js';
    ${bytesInUse}
    const domain = createDomain();
    ${work}
    work(0, 5000);
    const before = await bytesInUse();
    work(5000, ${count});
    const grown = (await bytesInUse()) - before;
    console.log(JSON.stringify(grown / 2 ** 20));
  `;

  it.each([
    [
      'a million idle names',
      `const ask = (number) =>
        domain.tryAcquireSync({ exclusive: 'name ' + number, shared: 'other ' + (number % 7) });
      function work(from, to) {
        for (let number = from; number < to; number++) ask(number).release();
      }`,
    ],
    [
      '100,000 names that were held and waited for',
      `function work(from, to) {
        for (let number = from; number < to; number++) {
          const set = { exclusive: 'name ' + number };
          const grant = domain.tryAcquireSync(set);
          domain.enqueue(set, (own) => own.release(), { delivery: 'direct' });
          grant.release();
        }
      }`,
    ],
    [
      '100,000 names in sets that are refused',
      `function work(from, to) {
        for (let number = from; number < to; number++) {
          try {
            domain.tryAcquireSync({ exclusive: ['name ' + number, null] });
          } catch {}
        }
      }`,
    ],
    [
      'a million handles that were used and closed',
      `function work(from, to) {
        for (let number = from; number < to; number++) {
          const handle = domain.resource(number % 2 ? 'name ' + number : undefined);
          domain.tryAcquireSync({ exclusive: handle }).release();
          handle.close();
        }
      }`,
    ],
    [
      'a million handles without a name that nobody keeps',
      `function work(from, to) {
        for (let number = from; number < to; number++) {
          domain.tryAcquireSync({ exclusive: domain.resource() }).release();
        }
      }`,
    ],
    [
      '100,000 names that were abandoned and made whole again',
      `function work(from, to) {
        for (let number = from; number < to; number++) {
          const set = { exclusive: 'name ' + number };
          domain.tryAcquireSync(set).abandon();
          const grant = domain.tryAcquireSync(set);
          if (grant.recovered.length !== 1) throw new Error('not told');
          grant.release();
        }
      }`,
    ],
    [
      '100,000 prepared sets and sessions',
      `function work(from, to) {
        for (let number = from; number < to; number++) {
          const session = domain.session({ label: 'of ' + number });
          session.tryAcquireSync(session.prepare({ exclusive: 'name ' + number })).release();
          session.tryAcquireSync({ exclusive: 'kept ' + number });
          void session.close();
        }
      }`,
    ],
    [
      '100,000 steals in a session',
      `const session = domain.session();
      const set = { exclusive: 'a' };
      function work(from, to) {
        for (let number = from; number < to; number++) {
          void session.acquire(set, { steal: true });
        }
      }`,
    ],
  ])('none is left of %s', (name, work) => {
    const count = name.startsWith('a million') ? 1_000_000 : 100_000;
    expect(children.ask(growth(work, count), ['--expose-gc'])).toBeLessThan(1);
  });

  it('a burst of 300,000 sets gives back what it took', () => {
    const grown = children.ask(
      `
      import { createDomain } from './kds.js';
      ${bytesInUse}
      const domain = createDomain();
      const before = await bytesInUse();
      const grants = [];
      for (let number = 0; number < 300_000; number++) {
        grants.push(domain.tryAcquireSync({ exclusive: 'name ' + number, shared: 'all' }));
      }
      const at = await bytesInUse();
      for (const grant of grants.splice(0)) grant.release();
      const after = await bytesInUse();
      const took = (at - before) / 2 ** 20;
      const left = (after - before) / 2 ** 20;
      console.log(JSON.stringify({ took, left }));
      `,
      ['--expose-gc'],
    ) as { took: number; left: number };
    expect(grown.took).toBeGreaterThan(30);
    expect(grown.left).toBeLessThan(2);
  });
});
