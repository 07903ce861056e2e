/**
 * Locks on one redis-server, ours and others', each as it is used where several names are wanted:
 * all at once if it can, else one after the other in the order of their names.
 */

import { Redis } from 'ioredis';
import { openRedisDomain } from 'kds/redis';
import { Mutex } from 'redis-semaphore';
import Redlock from 'redlock';
import { IoredisAdapter, LockManager } from 'redlock-universal';

const ttlMs = 30_000;

/** Lets go. */
type Release = () => Promise<unknown>;

/** Waits until all of them are had. The names are in order. */
export type Lock = (names: readonly string[]) => Promise<Release>;

/** A client of its own. */
export type OpenLock = (port: number) => Promise<Lock>;

function connect(port: number): Redis {
  return new Redis({ port });
}

export const kds: OpenLock = async (port) => {
  const domain = await openRedisDomain(connect(port), { name: 'bench' });
  return async (names) => {
    const grant = await domain.acquire({ exclusive: names });
    return () => grant.release() as Promise<void>;
  };
};

export const redlock: OpenLock = async (port) => {
  // By default it gives up after ten tries; it is to wait here.
  const lock = new Redlock([connect(port)], { retryCount: -1 });
  return async (names) => {
    const held = await lock.lock(names, ttlMs);
    return () => held.unlock();
  };
};

export const redisSemaphore: OpenLock = async (port) => {
  const client = connect(port);
  return async (names) => {
    const mutexes = names.map((name) => new Mutex(client, name, { acquireTimeout: ttlMs }));
    for (const mutex of mutexes) await mutex.acquire();
    return () => Promise.all(mutexes.map((mutex) => mutex.release()));
  };
};

export const redlockUniversal: OpenLock = async (port) => {
  const nodes = [new IoredisAdapter(connect(port))];
  const manager = new LockManager({ nodes, defaultTTL: ttlMs, defaultRetryAttempts: 1000 });
  return async (names) => {
    const handles = await manager.acquireBatch([...names]);
    return () => manager.releaseBatch(handles);
  };
};

/** What is written by hand where nobody else wants it: no wait, no check of who lets go. */
export const setAndDelete: OpenLock = async (port) => {
  const client = connect(port);
  return async (names) => {
    for (const name of names) {
      const reply = await client.set(name, 'mine', 'PX', ttlMs, 'NX');
      if (reply !== 'OK') throw new Error(`${name} is taken`);
    }
    return () => client.del(...names);
  };
};

/** Two questions that any server answers at once: as fast as two round trips can be. */
export const roundTrips: OpenLock = async (port) => {
  const client = connect(port);
  return async () => {
    await client.ping();
    return () => client.ping();
  };
};

/** Two scripts that do nothing: what it costs to have the server do more than one thing at once. */
export const emptyScripts: OpenLock = async (port) => {
  const client = connect(port);
  const digest = (await client.script('LOAD', 'return 1')) as string;
  return async () => {
    await client.evalsha(digest, 0);
    return () => client.evalsha(digest, 0);
  };
};
