/**
 * An agent in a worker or a process of its own: it takes locks and waits for them as it is told,
 * says when it has one, and never lets go.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { openBrokerDomain } from '../../src/backends/broker/index.ts';
import { type Arena, openThreadsDomain } from '../../src/backends/threads/index.ts';
import { LockManager, type LockOptions } from '../../src/recipes/web-locks/index.ts';

export interface Order {
  readonly name: string;
  readonly options?: LockOptions;
}

export type Saying = 'ready' | { readonly has: string };

const domain =
  parentPort === null
    ? await openBrokerDomain({ socket: process.argv[2], start: false })
    : openThreadsDomain(workerData as Arena);
const locks = new LockManager(domain);

const say = (saying: Saying): void => {
  if (parentPort === null) process.send?.(saying);
  else parentPort.postMessage(saying);
};

const obey = ({ name, options = {} }: Order): void => {
  const done = locks.request(name, options, () => {
    say({ has: name });
    return new Promise(() => {});
  });
  // Its grant may be stolen.
  done.catch(() => {});
};

if (parentPort === null) process.on('message', obey);
else parentPort.on('message', obey);
say('ready');
