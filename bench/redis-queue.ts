/**
 * Very many who wait for one name in Redis: what a step costs the server, by its own count of the
 * time that it spends in scripts, and what a waiter takes of its memory.
 */

import { Redis } from 'ioredis';
import type { Domain, Grant } from 'kds';
import { openRedisDomain } from 'kds/redis';
import { startRedis } from './redis-server.ts';
import type { Subject } from './sampling.ts';

const stepCount = 200;
/** Asked for at once, so that no answer is long in coming. */
const batchCount = 500;
/** While this process has its hands full, nobody is to take it for dead. */
const leaseMs = 600_000;
const queueKey = '{kds:bench}:w:a';

/** The time of the server's that a hand-over takes, while so many wait. */
export async function stepsInRedis(counts: readonly number[]): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const count of counts) {
    const queue = await Queue.of(count);
    const name = `kds, ${count.toLocaleString('en')} wait`;
    subjects.push({ name, sample: () => queue.serverNsOfStep() });
  }
  return subjects;
}

export async function memoryInRedis(name: string, count: number): Promise<Subject[]> {
  const { bytesOfWaiter } = await Queue.of(count);
  return [{ name, sample: () => bytesOfWaiter }];
}

/** So many that wait behind one another; who has had a turn waits again. */
class Queue {
  bytesOfWaiter = 0;
  readonly #redis: Redis;
  readonly #domain: Domain;
  #kept: Grant;
  #leftCount = 0;
  #end: () => void = () => undefined;

  private constructor(redis: Redis, domain: Domain, kept: Grant) {
    this.#redis = redis;
    this.#domain = domain;
    this.#kept = kept;
  }

  static async of(count: number): Promise<Queue> {
    const port = await startRedis();
    const redis = new Redis({ port });
    const domain = await openRedisDomain(new Redis({ port }), { name: 'bench', leaseMs });
    const queue = new Queue(redis, domain, await domain.acquire({ exclusive: 'a' }));
    await queue.#fill(count);
    return queue;
  }

  async serverNsOfStep(): Promise<number> {
    const beforeUs = await this.#told('commandstats', /cmdstat_evalsha:calls=\d+,usec=(\d+)/);
    this.#leftCount = stepCount;
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      void this.#kept.release();
    });
    const afterUs = await this.#told('commandstats', /cmdstat_evalsha:calls=\d+,usec=(\d+)/);
    return ((afterUs - beforeUs) / stepCount) * 1000;
  }

  async #fill(count: number): Promise<void> {
    const before = await this.#told('memory', /used_memory:(\d+)/);
    for (let made = 0; made < count; ) {
      for (const end = made + batchCount; made < end; made++) this.#wait();
      while ((await this.#redis.zcard(queueKey)) < made);
    }
    this.bytesOfWaiter = ((await this.#told('memory', /used_memory:(\d+)/)) - before) / count;
  }

  #wait(): void {
    const onGrant = (grant: Grant): void => {
      this.#wait();
      this.#leftCount--;
      if (this.#leftCount > 0) {
        void grant.release();
      } else {
        this.#kept = grant;
        this.#end();
      }
    };
    this.#domain.enqueue({ exclusive: 'a' }, onGrant, { delivery: 'direct' });
  }

  /** What the server says of itself. */
  async #told(section: string, what: RegExp): Promise<number> {
    return Number(what.exec(await this.#redis.info(section))?.[1]);
  }
}
