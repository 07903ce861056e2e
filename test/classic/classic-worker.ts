/** Another driver, in a thread of its own: waits for the resources of what it is sent. */

import { parentPort, workerData } from 'node:worker_threads';
import { openThreadsDomain } from '../../src/backends/threads/index.ts';
import {
  classic,
  IS_ERR,
  KDS_WAIT_BLOCKING,
  type kds_resource,
  PTR_ERR,
} from '../../src/recipes/classic/index.ts';

const domain = openThreadsDomain(workerData);
const kds = classic(domain);

parentPort?.on('message', (buffers: readonly { readonly kds: kds_resource }[]) => {
  const list = buffers.map((buffer) => buffer.kds);
  const rset = { value: kds.kds_waitall(list.length, [0b1], list, KDS_WAIT_BLOCKING) };
  if (IS_ERR(rset.value)) {
    parentPort?.postMessage({ errno: PTR_ERR(rset.value) });
    return;
  }
  kds.kds_resource_set_release(rset);
  parentPort?.postMessage({ owned: list.length });
});
parentPort?.postMessage({ agent: domain.agent });
