/** The first exchange of a connection: who comes, and whether both speak one version. */

import type { Socket } from 'node:net';
import { ProtocolError, UnavailableError } from '../../../api/errors.ts';
import { Deadline } from '../../../runtime/deadline.ts';
import { errorReceived } from '../wire/errors.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../wire/frames.ts';
import { frameBytesMax, helloMsMax, protocolVersion } from '../wire/limits.ts';
import type { Hello } from '../wire/messages.ts';
import { BrokerGoneError } from './connect.ts';

/**
 * Says hello, and returns the answer. Nothing more comes until something is asked.
 *
 * @throws ProtocolError if the other side speaks otherwise; UnavailableError if it says nothing;
 * BrokerGoneError if it ended meanwhile.
 */
export async function greet(socket: Socket, hello: Hello): Promise<Frame> {
  const decoder = new FrameDecoder(frameBytesMax);
  try {
    return await new Promise<Frame>((resolve, reject) => {
      const late = (): void => {
        reject(new UnavailableError(`the broker has not answered within ${helloMsMax} ms`));
      };
      const deadline = new Deadline(helloMsMax, late, { isReal: true });
      const end = (error: unknown): void => {
        deadline.cancel();
        reject(error);
      };
      const hear = (frame: Frame): void => {
        const fault = faultOf(frame);
        if (fault !== undefined) end(fault);
        deadline.cancel();
        resolve(frame);
      };
      socket.on('error', () => undefined);
      socket.on('close', () => end(new BrokerGoneError('the broker ended before it had answered')));
      socket.on('data', (chunk) => {
        try {
          decoder.push(chunk, hear);
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

/** What is wrong with the answer; undefined if nothing is. */
function faultOf(frame: Frame): Error | undefined {
  if (frame['is'] === 'error') return errorReceived(frame);
  if (frame['is'] === 'hello' && frame['version'] === protocolVersion) return undefined;
  return new ProtocolError(
    `whoever serves there does not speak version ${protocolVersion} of the broker's protocol`,
  );
}
