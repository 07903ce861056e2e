/** Reaching a broker, while brokers come and go. */

import type { Socket } from 'node:net';
import { KdsError, UnavailableError } from '../../../api/errors.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Hello } from '../wire/messages.ts';
import { type BrokerAddress, connectToBroker } from './connect.ts';
import { handshake } from './handshake.ts';

/** Time limit of reaching a broker, ms: what waits is refused then. */
const connectMsMax = 10_000;
/** Pause between two attempts, ms: it doubles each time. */
const pauseMsMin = 5;
const pauseMsMax = 200;

export interface ReachedBroker {
  /** A connection on which both have sent hello. */
  readonly socket: Socket;
  readonly pid: number;
}

/**
 * `hello` is made for each attempt. While no broker serves, what is held is granted to nobody: so
 * if `isAgain`, one refusal ends nothing.
 *
 * @throws UnavailableError, ProtocolError
 */
export async function reachBroker(
  address: BrokerAddress,
  hello: () => Hello,
  clock: Clock,
  isAgain: boolean,
): Promise<ReachedBroker> {
  const untilMs = clock.nowMs() + connectMsMax;
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      const socket = await connectToBroker(address, clock);
      const { pid } = await handshake(socket, hello(), clock);
      return { socket, pid: Number(pid) };
    } catch (error) {
      const mayPass = isAgain && error instanceof UnavailableError;
      if (error instanceof KdsError && !mayPass) throw error;
      if (error instanceof TypeError) throw error;
      if (clock.nowMs() > untilMs) {
        const why = error instanceof Error ? error.message : String(error);
        throw new UnavailableError(`no broker has answered for ${connectMsMax} ms: ${why}`);
      }
    }
    const options = { keepsAlive: true, isReal: true };
    await new Promise<void>((resolve) => clock.after(pauseMs, resolve, options));
  }
}
