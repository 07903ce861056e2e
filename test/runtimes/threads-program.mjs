/**
 * Two threads in one arena: the main thread holds a set that a worker blocks for, and releases it;
 * then the worker is terminated while it holds another. Prints what was seen as JSON.
 */

import { Worker } from 'node:worker_threads';
import { createArena, openThreadsDomain } from 'kds/threads';

const arena = createArena();
const domain = openThreadsDomain(arena, { label: 'main' });
const first = domain.acquireSync({ exclusive: 'a' });
const worker = new Worker(new URL('./threads-worker.mjs', import.meta.url), { workerData: arena });
domain.attachWorker(worker);
const message = () => new Promise((resolve) => worker.once('message', resolve));

const ready = await message();
const answer = message();
while ((await domain.query()).pending.length === 0) await new Promise((run) => setTimeout(run, 1));
first.release();
const { token } = await answer;
const waiting = domain.acquire({ exclusive: 'a' });
void worker.terminate();
const { recovered } = await waiting;
await domain.close();
console.log(JSON.stringify({ ready, isLater: token > first.token, recovered }));
