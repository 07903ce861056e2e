/**
 * The socket to a broker: frames out and in. Frames of one turn are written in one go, so a release
 * and the next request cost one write; what is due when the process exits is written then, so no
 * release is lost.
 */

import type { Socket } from 'node:net';
import { queueRealMicrotask } from '../../../runtime/real-time.ts';
import { type Frame, FrameDecoder } from '../wire/frames.ts';
import { replyBytesMax } from '../wire/limits.ts';

export interface ConnectionEvents {
  /** May throw: the connection is then of no use, and `onError` receives the error. */
  onFrame(frame: Frame): void;
  /** All frames that have arrived together are through. */
  onRead(): void;
  onError(error: unknown): void;
  onClose(): void;
}

/** Connections with frames to write. */
const dueConnections = new Set<BrokerConnection>();
/** One listener serves all connections that a process ever has. */
let hasExitListener = false;

function flushAtExit(): void {
  if (hasExitListener) return;
  hasExitListener = true;
  process.once('exit', () => {
    for (const connection of dueConnections) connection.flush();
  });
}

export class BrokerConnection {
  readonly #events: ConnectionEvents;
  #socket: Socket | undefined;
  #unsent: string[] = [];
  #isFlushDue = false;
  readonly #flushDue = (): void => this.flush();

  constructor(events: ConnectionEvents) {
    this.#events = events;
    flushAtExit();
  }

  /** Takes a socket on which both sides have sent hello. Frames that were due are dropped. */
  open(socket: Socket): void {
    const decoder = new FrameDecoder(replyBytesMax);
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk, (frame) => this.#events.onFrame(frame));
      } catch (error) {
        this.#events.onError(error);
      }
      this.#events.onRead();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#events.onClose();
    });
    this.#socket = socket;
    this.#unsent = [];
  }

  write(frame: string): void {
    this.#unsent.push(frame);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    dueConnections.add(this);
    queueRealMicrotask(this.#flushDue);
  }

  /** Writes what is due; what fits into the socket's buffer is on its way when this returns. */
  flush(): void {
    this.#isFlushDue = false;
    dueConnections.delete(this);
    if (this.#unsent.length === 0) return;
    const frames = this.#unsent.length === 1 ? (this.#unsent[0] as string) : this.#unsent.join('');
    this.#unsent = [];
    this.#socket?.write(frames);
  }

  /** Whether the socket is to keep the process alive. */
  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.#socket?.ref();
    else this.#socket?.unref();
  }

  /** Without a call of `onClose`. */
  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
