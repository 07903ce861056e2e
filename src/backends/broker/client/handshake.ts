/** The first exchange of a connection: the client's description, and one protocol version. */

import type { Socket } from 'node:net';
import { ProtocolError, UnavailableError } from '../../../api/errors.ts';
import { versionMismatch } from '../../../api/refusals.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { errorReceived } from '../wire/errors.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../wire/frames.ts';
import { frameBytesMax, helloMsMax, protocolVersion, restart } from '../wire/limits.ts';
import type { Hello } from '../wire/messages.ts';
import { BrokerGoneError } from './connect.ts';

/**
 * Sends hello, and returns the answer. The broker sends nothing more until the next request. A
 * socket whose handshake fails is destroyed.
 *
 * @throws ProtocolError on a protocol mismatch; UnavailableError if no answer comes in time;
 * BrokerGoneError if the broker ended meanwhile.
 */
export async function handshake(socket: Socket, hello: Hello, clock: Clock): Promise<Frame> {
  const decoder = new FrameDecoder(frameBytesMax);
  try {
    return await new Promise<Frame>((resolve, reject) => {
      const late = (): void => {
        reject(new UnavailableError(`the broker has not answered within ${helloMsMax} ms`));
      };
      const stopTimer = clock.after(helloMsMax, late);
      const end = (error: unknown): void => {
        stopTimer();
        reject(error);
      };
      const receive = (frame: Frame): void => {
        const fault = faultOf(frame);
        if (fault !== undefined) end(fault);
        stopTimer();
        resolve(frame);
      };
      socket.on('error', () => undefined);
      socket.on('close', () => end(new BrokerGoneError('the broker ended before it had answered')));
      socket.on('data', (chunk) => {
        try {
          decoder.push(chunk, receive);
        } catch (error) {
          end(error);
        }
      });
      socket.write(encodeFrame(hello));
    });
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.removeAllListeners();
  }
}

/** The error of an answer; undefined for one that is in order. */
function faultOf(frame: Frame): Error | undefined {
  if (frame['is'] === 'error') return errorReceived(frame);
  if (frame['is'] === 'hello' && frame['version'] === protocolVersion) return undefined;
  const { is, version } = frame;
  if (is === 'hello' && typeof version === 'number') {
    return versionMismatch('the broker', version, protocolVersion, restart);
  }
  return new ProtocolError(
    `protocol mismatch: the server there does not speak version ${protocolVersion} of the ` +
      "broker's protocol",
  );
}
