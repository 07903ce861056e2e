/**
 * How many clients a broker lets in. One that let in as many as come would run out of descriptors,
 * and could then neither report that nor write its record.
 */

import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { UnavailableError } from '../../../api/errors.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { errorSent } from '../wire/errors.ts';
import { encodeFrame } from '../wire/frames.ts';
import { connectionCountMax, protocolVersion, turnAwayMsMax } from '../wire/limits.ts';

/** For the broker's own files, and for clients that are turned away. */
const descriptorsReserved = 24;

/**
 * Connections, at most, that the limit on open files leaves room for.
 *
 * @throws UnavailableError if it leaves none.
 */
export function connectionsPossible(): number {
  const limits = readLimits();
  if (limits === undefined) return connectionCountMax;
  const { filesMax, fileCount } = limits;
  const possible = filesMax - fileCount - descriptorsReserved;
  if (possible >= 1) return Math.min(possible, connectionCountMax);
  throw new UnavailableError(
    `a broker may have ${filesMax} files open here, and needs ` +
      `${fileCount + descriptorsReserved + 1}: raise the limit (ulimit -n)`,
  );
}

/** Closes a connection for which there is no room, and sends the reason. */
export function turnAway(socket: Socket, connectionsMax: number, clock: Clock): void {
  const error = new UnavailableError(
    `the broker, process ${process.pid}, has ${connectionsMax} clients, as many as it may have ` +
      'files open for: end some of them, or start it with a higher limit (ulimit -n)',
  );
  socket.on('error', () => undefined);
  // Its frames are dropped; the time to read the reason is limited.
  socket.resume();
  const stopTimer = clock.after(turnAwayMsMax, () => socket.destroy());
  socket.on('close', stopTimer);
  socket.end(encodeFrame({ is: 'error', version: protocolVersion, ...errorSent(error) }));
}

/** Undefined where the system has no such file. */
function readLimits(): { filesMax: number; fileCount: number } | undefined {
  try {
    const [, soft] =
      /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    if (soft === undefined) return undefined;
    return { filesMax: Number(soft), fileCount: readdirSync('/proc/self/fd').length };
  } catch {
    return undefined;
  }
}
