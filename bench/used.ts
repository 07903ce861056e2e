/**
 * Row 30: rows 1 to 3 in a process that has used everything before, next to a clean one. What a
 * call has met decides how it is compiled, and a real program is not a loop over one call.
 *
 * Each sample is a loop in one of the processes, which take turns. The luck of a process (where its
 * objects are, what was compiled first) is larger than the noise of a loop, so there are four
 * pairs.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createDomain, type Resource, type SyncDomain, type SyncGrant } from 'kds';
import type { Subject } from './sampling.ts';

const pairCount = 4;
const histories = ['clean', 'used'] as const;

/** The loops of a row, each in clean processes and in used ones. */
export async function usedProcess(row: 1 | 2 | 3, names: readonly string[]): Promise<Subject[]> {
  const processes: ChildProcess[][] = [];
  for (let pair = 0; pair < pairCount; pair++) {
    const children: ChildProcess[] = [];
    for (const history of histories) children.push(await start(row, history));
    processes.push(children);
  }
  return names.flatMap((name) =>
    histories.map((history, index) => {
      let round = 0;
      const sample = async (): Promise<number> => {
        const child = processes[round++ % pairCount]?.[index] as ChildProcess;
        child.send(name);
        const [ns] = (await once(child, 'message')) as [number];
        return ns;
      };
      return { name: `${name}, ${history}`, sample };
    }),
  );
}

async function start(row: number, history: string): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('./free-process.js', import.meta.url));
  const child = fork(file, [String(row), history]);
  process.once('exit', () => child.kill());
  await once(child, 'message');
  return child;
}

const roundCount = 400;
const nameCount = 50;

/**
 * Uses every part of kds on one event loop, often enough for it to be compiled, but for the option
 * `nested`: on Node 20, AsyncLocalStorage makes each await of the process slower, a bare one too.
 */
export async function useEverything(): Promise<void> {
  const capacity = { gpu: 4, port: ['8000', '8001'] };
  const domains = [createDomain(), createDomain({ capacity }), createDomain({ capacity })];
  for (let round = 0; round < roundCount; round++) {
    const name = `name ${round % nameCount}`;
    for (const domain of domains) {
      await useSets(domain, name, domain.resource());
      await useCallbacks(domain, name);
      await useLimits(domain, name);
      await useEnds(domain, name);
    }
    await useUnits(domains[1 + (round % 2)] as SyncDomain);
  }
}

async function useSets(domain: SyncDomain, name: string, handle: Resource): Promise<void> {
  const all = { exclusive: [name, handle], shared: ['config', 'index'] };
  const grant = domain.acquireSync(all, { label: 'a writer' });
  const waiting = domain.acquire({ shared: name }, { label: 'a reader' });
  grant.release(handle);
  grant.downgrade(name);
  (await waiting).release();
  grant.tryUpgrade(name);
  grant.release();
  await domain.run(domain.prepare({ shared: [name, 'config'] }), (held) => held.covers({}));
  await domain.settled({ shared: name });
}

async function useCallbacks(domain: SyncDomain, name: string): Promise<void> {
  const set = { exclusive: name };
  for (const delivery of ['direct', 'queued'] as const) {
    const holder = domain.tryAcquireSync(set);
    await new Promise<void>((resolve) => {
      const onGrant = (grant: SyncGrant): void => {
        grant.release();
        resolve();
      };
      domain.enqueue(set, onGrant, { delivery, label: 'a callback' });
      domain.enqueue(set, onGrant).cancel();
      holder?.release();
    });
  }
}

/** Requests that end without a grant, or are told that they would wait. */
async function useLimits(domain: SyncDomain, name: string): Promise<void> {
  const session = domain.session({ label: 'a session' });
  const holder = await session.acquire({ exclusive: name });
  const controller = new AbortController();
  const { signal } = controller;
  const failures = [
    domain.acquire({ shared: name }, { timeoutMs: 0 }),
    domain.acquire({ exclusive: name }, { timeoutMs: 1000, signal }),
    domain.acquire({ exclusive: name }, { holding: holder }),
    domain.acquire({ exclusive: name }, { locked: 'fail' }),
  ];
  await domain.tryAcquire({ exclusive: name });
  domain.tryAcquireSync({ shared: name });
  controller.abort();
  domain.querySync();
  await session.close();
  for (const failure of failures) await failure.then(release, () => {});
}

/** Grants that are stolen, abandoned, or end with their caller. */
async function useEnds(domain: SyncDomain, name: string): Promise<void> {
  const set = { exclusive: [name, 'config'] };
  const revoked = await domain.acquire(set);
  revoked.signal.addEventListener('abort', () => {});
  const stolen = await domain.acquire(set, { steal: true });
  stolen.abandon('half written');
  await domain.run(set, () => Promise.reject(new Error('failed'))).catch(() => {});
  await domain.run(set, (grant) => grant.recovered.length);
}

async function useUnits(domain: SyncDomain): Promise<void> {
  const some = await domain.acquire({ units: { gpu: 2, port: 1 }, shared: 'config' });
  const waiting = domain.acquire({ units: { gpu: 3 } });
  some.downgrade({ units: { gpu: 1 } });
  (await waiting).release();
  some.release();
  domain.acquireSync({ exclusive: 'gpu' }).release();
}

function release(grant: SyncGrant): void {
  grant.release();
}
