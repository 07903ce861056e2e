/** The rows of Redis: all subjects of an experiment on one server, by clients of one library. */

import { setTimeout as pause } from 'node:timers/promises';
import * as locks from './redis-locks.ts';
import { startRedis } from './redis-server.ts';
import { keepAlive, loopSubject, type Subject } from './sampling.ts';

const lockOf: Readonly<Record<string, locks.OpenLock>> = {
  kds: locks.kds,
  redlock: locks.redlock,
  'redis-semaphore': locks.redisSemaphore,
  'redlock-universal': locks.redlockUniversal,
};

/** Acquire and release so many names that are free, at once or one after the other. */
export async function freeInRedis(nameCount: number): Promise<Subject[]> {
  const port = await startRedis();
  const subjects: Subject[] = [];
  const openers = {
    ...lockOf,
    'SET NX + DEL': locks.setAndDelete,
    'two bare PINGs': locks.roundTrips,
    'two empty scripts': locks.emptyScripts,
  };
  for (const [subject, open] of Object.entries(openers)) {
    const lock = await open(port);
    keepAlive(await lock([`kept by ${subject}`]));
    const names = namesOf(subject, nameCount);
    const loop = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) {
        const release = await lock(names);
        await release();
      }
    };
    subjects.push(await loopSubject(`${subject}, ${nameCount}`, loop));
  }
  return subjects;
}

/** From one client's release to the other's grant, at any moment of the other's wait. */
export async function handOverInRedis(): Promise<Subject[]> {
  const port = await startRedis();
  const subjects: Subject[] = [];
  for (const [subject, open] of Object.entries(lockOf)) {
    const pair = [await open(port), await open(port)] as const;
    for (const [side, lock] of pair.entries()) {
      keepAlive(await lock([`kept by ${subject} ${side}`]));
    }
    subjects.push({ name: subject, sample: () => handingOver(pair, namesOf(subject, 1)) });
  }
  const bare = await locks.roundTrips(port);
  subjects.push({ name: 'two bare PINGs', sample: () => goingTwiceThere(bare) });
  return subjects;
}

const handOverCount = 4;
/** Longer than some of the pauses between two looks, so that none is hit at the same moment. */
const holdMsMax = 50;

async function handingOver(
  [one, other]: readonly [locks.Lock, locks.Lock],
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
    await pause(5 + Math.random() * holdMsMax);
    const startMs = performance.now();
    await release();
    const releaseNext = await next;
    ms += endMs - startMs;
    await releaseNext();
  }
  return (ms / handOverCount) * 1e6;
}

/** After a pause as long, in which everybody falls asleep as those who wait do. */
async function goingTwiceThere(bare: locks.Lock): Promise<number> {
  let ms = 0;
  for (let index = 0; index < handOverCount; index++) {
    await pause(5 + Math.random() * holdMsMax);
    const startMs = performance.now();
    await (await bare([]))();
    ms += performance.now() - startMs;
  }
  return (ms / handOverCount) * 1e6;
}

const clientCount = 64;
const nameCount = 16;
const sectionCount = 512;

/** Many clients, each of which wants one of a few names after the other: the time a section. */
export async function sectionsInRedis(): Promise<Subject[]> {
  const port = await startRedis();
  const subjects: Subject[] = [];
  for (const [subject, open] of Object.entries(lockOf)) {
    const clients = await Promise.all(Array.from({ length: clientCount }, () => open(port)));
    keepAlive(await clients[0]?.([`kept by ${subject}`]));
    const names = namesOf(subject, nameCount);
    subjects.push({ name: subject, sample: () => runningSections(clients, names) });
  }
  return subjects;
}

async function runningSections(
  clients: readonly locks.Lock[],
  names: readonly string[],
): Promise<number> {
  let leftCount = sectionCount;
  const startMs = performance.now();
  const run = async (lock: locks.Lock): Promise<void> => {
    while (leftCount > 0) {
      leftCount--;
      const release = await lock([names[Math.floor(Math.random() * names.length)] as string]);
      await release();
    }
  };
  await Promise.all(clients.map(run));
  return ((performance.now() - startMs) / sectionCount) * 1e6;
}

/** In the order in which locks are to be taken. */
function namesOf(subject: string, count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `${subject} ${String(index).padStart(2, '0')}`,
  );
}
