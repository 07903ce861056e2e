import { parentPort, workerData } from 'node:worker_threads';
import { openThreadsDomain } from 'kds/threads';

const domain = openThreadsDomain(workerData, { label: 'worker' });
parentPort.postMessage('ready');
const { token } = domain.acquireSync({ exclusive: 'a' });
parentPort.postMessage({ token });
// Holds it until it is terminated.
setInterval(() => undefined, 1000);
