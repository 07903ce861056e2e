/** A worker that has `x`, may wait for `y`, and ends as it is told. */

import { parentPort, workerData } from 'node:worker_threads';
import { openThreadsDomain } from '../../src/backends/threads/index.ts';

export type Ending =
  | 'exits'
  | 'exits with 0'
  | 'fails'
  | 'rejects unhandled'
  | 'has no more to do'
  | 'fails in a callback of ours'
  | 'closes its domain'
  | 'holds several sets';

const { arena, ending } = workerData as { arena: never; ending: Ending };
const domain = openThreadsDomain(arena, { label: ending });
domain.acquireSync({ exclusive: 'x' });
if (ending === 'holds several sets') {
  for (const name of ['one', 'two', 'three']) domain.acquireSync({ exclusive: name });
}

parentPort?.postMessage('ready');

if (ending === 'fails in a callback of ours') {
  domain.enqueue({ exclusive: 'free' }, () => {
    throw new Error('on purpose');
  });
} else if (ending !== 'has no more to do') {
  domain.enqueue({ shared: 'y' }, () => {});
  parentPort?.once('message', () => {
    if (ending === 'fails') throw new Error('on purpose');
    if (ending === 'rejects unhandled') void Promise.reject(new Error('on purpose'));
    else if (ending === 'closes its domain') void domain.close();
    else process.exit(ending === 'exits' ? 7 : 0);
  });
}
