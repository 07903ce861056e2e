/** Whether a resource is in use at the server. */

import { ResourceBusyError } from '../../api/errors.ts';
import { quote } from '../../runtime/escape.ts';
import { nameOf } from './names.ts';
import type { Scripts } from './scripts.ts';

/** @throws ResourceBusyError if it is held or waited for. */
export async function checkUnused(scripts: Scripts, root: string, keyName: string): Promise<void> {
  const keys = [`${root}t:${keyName}`, `${root}w:${keyName}`];
  if (Number(await scripts.send('EXISTS', ...keys)) === 0) return;
  throw new ResourceBusyError(
    `resource ${quote(nameOf(keyName))} is held or waited for: release or cancel first`,
  );
}
