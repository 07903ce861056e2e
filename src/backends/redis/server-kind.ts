/** Whether a server can keep a domain: refused early, and with the reason. */

import { ProtocolError, UnsupportedError } from '../../api/errors.ts';
import { clusterError } from './cluster-error.ts';
import type { Scripts } from './scripts.ts';

/** The oldest that is known to work: its scripts replicate their effects, and may read the time. */
const versionMin = [6, 2] as const;

/** @throws UnsupportedError, UnavailableError */
export async function checkServer(scripts: Scripts): Promise<void> {
  const { isCluster, version } = await askServer(scripts);
  if (isCluster) throw clusterError();
  if (version === undefined) return;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > versionMin[0] || (major === versionMin[0] && minor >= versionMin[1])) return;
  throw new UnsupportedError(
    `redis ${major}.${minor} is too old: kds needs ${versionMin.join('.')} or later`,
  );
}

interface ServerKind {
  readonly isCluster: boolean;
  readonly version: string | undefined;
}

/** By whichever command the user may run. */
async function askServer(scripts: Scripts): Promise<ServerKind> {
  for (const ask of [() => scripts.send('INFO', 'server'), () => scripts.send('HELLO')]) {
    try {
      const words = wordsOf(await ask());
      const fieldOf = (name: string): string | undefined => {
        const at = words.indexOf(name);
        return at < 0 ? undefined : words[at + 1];
      };
      const mode = fieldOf('redis_mode') ?? fieldOf('mode');
      const version = fieldOf('redis_version') ?? fieldOf('version');
      return { isCluster: mode === 'cluster', version };
    } catch (error) {
      // A user without the right to ask is answered by the next command, or by the first script.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  return { isCluster: false, version: undefined };
}

/** Of a text of `name:value` lines, a list of names and values, or a map. */
function wordsOf(reply: unknown): readonly string[] {
  if (typeof reply === 'string') return reply.split(/[:\r\n]+/);
  if (Buffer.isBuffer(reply)) return wordsOf(reply.toString());
  if (Array.isArray(reply)) return reply.map(String);
  if (reply instanceof Map) return [...reply].flat().map(String);
  if (typeof reply === 'object' && reply !== null) return Object.entries(reply).flat().map(String);
  return [];
}
