/** Whether a server can keep a domain: refused early, and with the reason. */

import { ProtocolError, UnsupportedError } from '../../domain/errors.ts';
import type { Scripts } from './scripts.ts';

/** The oldest that is known to do: scripts replicate what they did, and may ask for the time. */
const versionMin = [6, 2] as const;

/** @throws UnsupportedError, UnavailableError */
export async function checkServer(scripts: Scripts): Promise<void> {
  let info: string;
  try {
    info = String(await scripts.send('INFO', 'server'));
  } catch (error) {
    // Who may not ask is none the wiser.
    if (error instanceof ProtocolError) return;
    throw error;
  }
  if (/^redis_mode:cluster/m.test(info)) throw clusterError();
  const version = /^redis_version:(\d+)\.(\d+)/m.exec(info);
  if (version === null) return;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major > versionMin[0] || (major === versionMin[0] && minor >= versionMin[1])) return;
  throw new UnsupportedError(
    `redis ${major}.${minor} is too old: kds needs ${versionMin.join('.')} or later`,
  );
}

export function clusterError(): UnsupportedError {
  return new UnsupportedError(
    'a cluster cannot be used: a script is not rolled back, and one that meets a slot on its way ' +
      'to another node would be stopped halfway. Give a client of one server that is no part of ' +
      'a cluster, with replicas if you like',
  );
}
