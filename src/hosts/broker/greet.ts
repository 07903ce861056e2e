/** The first exchange of a connection: who comes, and whether both speak one version. */

import type { Socket } from 'node:net';
import { ProtocolError, UnavailableError } from '../../domain/errors.ts';
import { Deadline } from '../../event-loop/deadline.ts';
import { encodeFrame, type Frame, FrameDecoder } from './frames.ts';
import { frameBytesMax, helloMsMax, protocolVersion } from './limits.ts';
import type { Hello } from './messages.ts';
import { errorReceived } from './wire-errors.ts';

/** The broker ended before it had answered: as it was idle. Another one can be reached. */
export class NotGreetedError extends Error {
  override readonly name = 'NotGreetedError';
}

/**
 * Says hello, and returns when that is answered. Nothing more comes until something is asked.
 *
 * @throws ProtocolError if the other side speaks otherwise; UnavailableError if it says nothing;
 * NotGreetedError if it ended meanwhile.
 */
export async function greet(socket: Socket, hello: Hello): Promise<void> {
  const decoder = new FrameDecoder(frameBytesMax);
  try {
    await new Promise<void>((resolve, reject) => {
      const deadline = new Deadline(helloMsMax, () => {
        reject(new UnavailableError(`the broker has not answered within ${helloMsMax} ms`));
      });
      const end = (error?: unknown): void => {
        deadline.cancel();
        if (error === undefined) resolve();
        else reject(error);
      };
      socket.on('error', () => undefined);
      socket.on('close', () => end(new NotGreetedError('the broker ended before it had answered')));
      socket.on('data', (chunk) => {
        try {
          decoder.push(chunk, (frame) => end(faultOf(frame)));
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
