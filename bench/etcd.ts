/** What etcd is measured with: sets of ours, and etcd3's own locks, on the same server. */

import { setTimeout as pause } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { openEtcdDomain } from 'kds/etcd';
import { startEtcd } from './etcd-server.ts';
import { keepAlive, loopSubject, type Subject } from './sampling.ts';

/** Takes these names; returns what lets go of them. */
type Lock = (names: readonly string[]) => Promise<() => Promise<unknown>>;

const leaseSeconds = 60;
/** etcd3's lock fails if somebody has it: whoever waits tries again so often. */
const retryMs = 10;

async function kds(url: string): Promise<Lock> {
  const domain = await openEtcdDomain(url, { name: 'bench', leaseSeconds });
  return async (names) => {
    const grant = await domain.acquire({ exclusive: names });
    return async () => grant.release();
  };
}

/** One lock a name, in order, each with a lease of its own, as `lock()` has it. */
async function etcd3(url: string): Promise<Lock> {
  const etcd = new Etcd3({ hosts: url });
  return async (names) => {
    const held: { release(): Promise<void> }[] = [];
    for (const name of names) {
      for (;;) {
        const lock = etcd.lock(name).ttl(leaseSeconds);
        try {
          await lock.acquire();
          held.push(lock);
          break;
        } catch {
          await pause(retryMs);
        }
      }
    }
    return () => Promise.all(held.map((lock) => lock.release()));
  };
}

const lockOf = { kds, 'etcd3 lock()': etcd3 };

/** Acquire and release so many names that are free. */
export async function freeInEtcd(nameCount: number): Promise<Subject[]> {
  const url = await startEtcd();
  const names = namesOf(nameCount);
  const subjects: Subject[] = [];
  for (const [subject, open] of Object.entries(lockOf)) {
    const lock = await open(url);
    keepAlive(await lock(['kept']));
    const loop = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await (await lock(names))();
    };
    subjects.push(await loopSubject(`${subject}, ${nameCount}`, loop));
  }
  const etcd = new Etcd3({ hosts: url });
  const twoPuts = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      await etcd.put('bare').value('1');
      await etcd.delete().key('bare');
    }
  };
  subjects.push(await loopSubject(`a bare put and delete, ${nameCount}`, twoPuts));
  return subjects;
}

/** From one client's release to the other's grant, at any moment of the other's wait. */
export async function handOverInEtcd(): Promise<Subject[]> {
  const url = await startEtcd();
  const subjects: Subject[] = [];
  for (const [name, open] of Object.entries(lockOf)) {
    const pair = [await open(url), await open(url)] as const;
    keepAlive(await pair[0](['kept']), await pair[1](['kept too']));
    subjects.push({ name, sample: () => handingOver(pair, namesOf(1)) });
  }
  return subjects;
}

const handOverCount = 4;

async function handingOver(
  [one, other]: readonly [Lock, Lock],
  names: readonly string[],
): Promise<number> {
  let ms = 0;
  for (let index = 0; index < handOverCount; index++) {
    const release = await one(names);
    let endMs = 0;
    const next = other(names).then((releaseNext) => {
      endMs = performance.now();
      return releaseNext;
    });
    await pause(5 + Math.random() * 2 * retryMs);
    const startMs = performance.now();
    await release();
    const releaseNext = await next;
    ms += endMs - startMs;
    await releaseNext();
  }
  return (ms / handOverCount) * 1e6;
}

const clientCount = 100;

/** All wait for one name, each in a client of its own that sees all that happens: a hand-over. */
export async function fanOutInEtcd(): Promise<Subject[]> {
  const url = await startEtcd();
  const subjects: Subject[] = [];
  for (const count of [2, clientCount]) {
    const locks = await Promise.all(Array.from({ length: count }, () => kds(url)));
    const sample = async (): Promise<number> => {
      const startMs = performance.now();
      const through = async (lock: Lock): Promise<void> => {
        for (let round = 0; round < clientCount / count; round++) await (await lock(['a']))();
      };
      await Promise.all(locks.map(through));
      return ((performance.now() - startMs) / clientCount) * 1e6;
    };
    subjects.push({ name: `${count} clients`, sample });
  }
  return subjects;
}

/** In the order in which locks are to be taken. */
function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `name ${String(index).padStart(2, '0')}`);
}
