/**
 * Messages to one client, in order. They are encoded at once, and written together when a chunk of
 * frames has been handled, or in the next microtask.
 *
 * One call may have messages for a hundred thousand requests: a resize, or the end of a grant that
 * these wait behind. What it decides is atomic, and known at once; of its messages the first ones
 * are encoded within it, and the others in slices, between which other clients are served. An
 * outbox with such messages keeps all further ones behind them.
 */

import { Fifo } from '../../../runtime/fifo.ts';
import { setRealImmediate } from '../../../runtime/real-time.ts';
import { inSlices, itemsPerStep } from '../../../runtime/slices.ts';
import { encodeFrame } from '../wire/frames.ts';
import { unreadBytesMax } from '../wire/limits.ts';
import type { BrokerMessage } from '../wire/messages.ts';

/** Number of messages that one call encodes: more than a chunk of frames has requests. */
const messagesPerCall = 2000;
/** What a message that is not encoded yet is taken to cost in memory. */
const messageBytes = 256;

/** A frame in parts that are bytes already. */
type Parts = readonly (string | Buffer)[];
/** A message, or a function that makes it as it is encoded; undefined: nothing is left to send. */
type Unsent = BrokerMessage | (() => BrokerMessage | undefined) | Parts;

/** The slices of all outboxes of a broker. */
export class Pace {
  /** Messages encoded in the present call. */
  #count = 0;
  readonly #behind = new Set<Outbox>();
  #isRunning = false;

  /** A call begins: other clients have been served since the one before. */
  begin(): void {
    this.#count = 0;
  }

  /** Whether the present call encodes one more message. */
  hasRoom(): boolean {
    this.#count++;
    return this.#count <= messagesPerCall;
  }

  /** An outbox has messages that are to be encoded in slices. */
  add(outbox: Outbox): void {
    this.#behind.add(outbox);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setRealImmediate(() => void inSlices(this.#encodeAll()));
  }

  /** In turns: no client waits for all the messages of another one. */
  *#encodeAll(): Generator<void, void> {
    for (let [outbox] = this.#behind; outbox !== undefined; [outbox] = this.#behind) {
      this.#behind.delete(outbox);
      if (outbox.encodeNext(itemsPerStep)) this.#behind.add(outbox);
      yield;
    }
    this.#isRunning = false;
  }
}

/** Writes to the socket; `drop` is called at too much that is unsent. */
interface Sink {
  write(parts: Parts): void;
  drop(): void;
}

export class Outbox {
  readonly #pace: Pace;
  readonly #sink: Sink;
  #frames: string[] = [];
  #byteCount = 0;
  #later = new Fifo<Unsent>();
  #isFlushDue = false;
  #isOpen = true;

  constructor(pace: Pace, sink: Sink) {
    this.#pace = pace;
    this.#sink = sink;
  }

  add(message: Unsent): void {
    if (!this.#isOpen) return;
    if (this.#later.size === 0 && this.#pace.hasRoom()) {
      this.#encode(message);
    } else {
      this.#later.push(message);
      this.#byteCount += messageBytes;
      this.#pace.add(this);
    }
    // Many short requests with long answers, in one chunk.
    if (this.#byteCount > unreadBytesMax) this.#sink.drop();
    else this.#flushSoon();
  }

  /** Encodes the next messages, and writes them. Returns whether more are left. */
  encodeNext(count: number): boolean {
    for (let left = count; left > 0; left--) {
      const message = this.#later.shift();
      if (message === undefined) break;
      this.#byteCount -= messageBytes;
      this.#encode(message);
    }
    this.flush();
    return this.#later.size > 0;
  }

  /** Writes what has been encoded. */
  flush(): void {
    this.#isFlushDue = false;
    if (this.#frames.length === 0) return;
    const frames = this.#frames.length === 1 ? (this.#frames[0] as string) : this.#frames.join('');
    this.#frames = [];
    this.#byteCount = this.#later.size * messageBytes;
    this.#sink.write([frames]);
  }

  /** Writes all, without a pause. */
  flushAll(): void {
    this.encodeNext(Number.POSITIVE_INFINITY);
  }

  /** What is unsent never is, and nothing more. */
  close(): void {
    this.#isOpen = false;
    this.#frames = [];
    this.#later = new Fifo();
    this.#byteCount = 0;
  }

  #encode(message: Unsent): void {
    const made = typeof message === 'function' ? message() : message;
    if (made === undefined) return;
    if (!('is' in made)) {
      this.flush();
      this.#sink.write(made);
      return;
    }
    const frame = encodeFrame(made);
    this.#frames.push(frame);
    this.#byteCount += frame.length;
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => this.flush());
  }
}
