/**
 * A display: a swap chain of buffers, a resource each (kds.txt, "Buffer publish/vsync").
 *
 * A flip requests its buffer, shared, as soon as it is presented; the producer's job is ahead of it
 * in that queue, so the grant means that rendering has ended. At a vsync one ready flip is latched;
 * at the next one it is on the screen, and the buffer before it is released. For one period the
 * display holds both. Decisions fall at vsyncs and grants only; there is no timer, so the only
 * clock is that of the vsync.
 */

import type { Domain } from '../../api/domain.ts';
import { DomainClosedError, LimitError } from '../../api/errors.ts';
import type { Grant } from '../../api/grant.ts';
import { checkIsObject } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import type { Snapshot } from '../../api/snapshot.ts';
import { captureContext, detectContext, runInContext } from '../../runtime/async-context.ts';
import { throwUncaught } from '../../runtime/uncaught.ts';
import {
  type AcquireBufferOptions,
  type DisplayOptions,
  readDisplayOptions,
  type ShownFrame,
} from './display-options.ts';
import { FirstFree } from './first-free.ts';
import {
  type DisplayBuffer,
  type Flip,
  type FlipFailure,
  QueuedFlip,
  releaseQuietly,
} from './flip.ts';
import { findFlipDeadlock } from './flip-deadlock.ts';
import { type Latencies, LatencyHistogram } from './latencies.ts';
import type { Vsync, VsyncEvent } from './vsync.ts';

/**
 * Counts and latencies since the display was made.
 *
 * @since 0.1.0
 */
export interface DisplayStatistics {
  /** Calls of `present` that requested their buffer, also those then refused. */
  readonly presented: number;
  /** Frames that were put on the screen. */
  readonly shown: number;
  /** Flips that ended as 'dropped'. */
  readonly dropped: number;
  /** Flips that ended as 'expired'. */
  readonly expired: number;
  /** Flips that ended as 'failed'. */
  readonly failed: number;
  /** Flips that ended as 'cancelled'. */
  readonly cancelled: number;
  /** Flips that ended as 'refused', and requests of `present` that threw. */
  readonly refused: number;
  /** Vsyncs that were handled. */
  readonly vsyncs: number;
  /** Vsyncs at which the old frame stayed because flips were pending and no flip was ready. */
  readonly missed: number;
  /** Vsyncs that passed while the event loop was busy. */
  readonly skipped: number;
  /** From the grant of a flip, which is the end of the rendering, to its latch. */
  readonly toLatch: Latencies;
  /** From the grant of a flip to its vsync on the screen. */
  readonly toScreen: Latencies;
}

/**
 * A swap chain of buffers, each with its resource, and a screen that shows one after the other.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createDisplay, manualVsync } from 'kds/display';
 *
 * const vsync = manualVsync();
 * const buffers = [{ resource: 'F0' }, { resource: 'F1' }];
 * const display = createDisplay(createDomain(), { buffers, vsync });
 * const { buffer, grant } = await display.acquireBuffer();
 * const flip = display.present(buffer, { number: 7 });
 * grant.release(); // drawn
 * vsync.tick(); // latched
 * vsync.tick(); // on the screen
 * console.log(await flip.outcome, display.shown?.number); // shown 7
 * await display.close();
 * ```
 * @since 0.1.0
 */
export interface Display<B extends DisplayBuffer, G extends Grant = Grant> {
  /** The swap chain, in the order of the options. */
  readonly buffers: readonly B[];
  /** The frame on the screen; undefined before the first one, and after `close`. */
  readonly shown: ShownFrame<B, G> | undefined;

  /**
   * Shows a buffer when its producer has ended. Call it as soon as the render job is enqueued: the
   * request comes after that job, so its grant means that rendering has ended.
   *
   * @param buffer - One of the display's buffers.
   * @param options - `number` identifies the frame: a safe integer, by default one more than the
   * last; the first is 0.
   * @throws TypeError if the buffer is not in the chain, or the number is no safe integer.
   * @throws {@link DeadlockError} if it could never be shown, as far as that is known now.
   * @throws {@link InvalidSetError} if the domain refuses its resource.
   * @throws {@link LimitError} if 1024 flips wait.
   * @throws {@link DomainClosedError} if the display or the domain is closed.
   * @waits Never. Await {@link Flip.outcome}.
   */
  present(buffer: B, options?: { readonly number?: number }): Flip<B>;

  /**
   * Chooses the buffer to draw the next frame into: in turn, with preference for buffers that the
   * display does not have. Requests nothing: declare the buffer as written by the render job.
   *
   * @waits Never.
   */
  nextBuffer(): B;

  /**
   * Acquires the first buffer that is free, exclusive, to draw into: for producers that must not
   * wait for one buffer while another is free. Release the grant when the frame is drawn.
   *
   * @param options - A limit of the wait, and a label.
   * @throws {@link WaitTimeoutError} if `timeoutMs` has passed.
   * @throws {@link DomainClosedError} if the display or the domain is closed, also while it waits.
   * @throws {@link UnavailableError} if the backend is unavailable.
   * @throws TypeError, RangeError or {@link LimitError} if an option is invalid.
   * @throws The reason of `signal`.
   * @waits Resolves when a buffer is free, rejects after `timeoutMs`.
   */
  acquireBuffer(options?: AcquireBufferOptions): Promise<{ readonly buffer: B; readonly grant: G }>;

  /**
   * Returns counts and latencies since the display was made.
   *
   * @waits Never.
   */
  statistics(): DisplayStatistics;

  /**
   * Stops the vsyncs, refuses the calls of {@link acquireBuffer} that wait, cancels the flips that
   * are not on the screen yet, and releases the frame that is. A buffer that `acquireBuffer` has
   * granted stays with its producer, and the domain stays open.
   *
   * @waits Resolves at once on local backends, after one round trip on others. Never rejects: a
   * release that cannot be sent to a remote backend takes effect as the session ends there.
   */
  close(): Promise<void>;
  /**
   * Calls {@link close}.
   *
   * @waits Resolves as {@link close}.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

const flipCountMax = 1024;
/** A label also has the flip's number. */
const nameLengthMax = 900;

/**
 * Makes a display over a domain, of any backend, and starts its vsync.
 *
 * @param domain - The domain of the buffers' resources, or a session of it.
 * @param options - The swap chain, the source of vsyncs, the mode and a time limit of producers.
 * @throws TypeError if the domain or an option is invalid.
 * @throws RangeError if there are not 2 to 16 buffers, or `deadlineMs` is out of its bounds.
 * @throws {@link LimitError} if `label` is longer than 1024 code units.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createDisplay, manualVsync } from 'kds/display';
 * import { createJobQueue } from 'kds/jobs';
 *
 * const domain = createDomain();
 * const buffers = [{ resource: 'front' }, { resource: 'back' }];
 * const vsync = manualVsync();
 * const display = createDisplay(domain, { buffers, vsync });
 * const queue = createJobQueue(domain);
 *
 * queue.submit({ writes: 'back', run: () => console.log('draws') });
 * const flip = display.present(buffers[1]); // at once: the job is ahead of it
 * await queue.drain();
 * vsync.tick(); // latched
 * vsync.tick(); // on the screen
 * console.log(await flip.outcome); // shown
 * await display.close();
 * ```
 * @since 0.1.0
 */
export function createDisplay<B extends DisplayBuffer, G extends Grant = Grant>(
  domain: Domain<G>,
  options: DisplayOptions<B, G>,
): Display<B, G> {
  if (typeof domain?.enqueue !== 'function') {
    throw new TypeError(`a display works in a domain, not ${describe(domain)}`);
  }
  return new SwapChain(domain, readDisplayOptions(options));
}

type Counted = 'shown' | FlipFailure;

class SwapChain<B extends DisplayBuffer, G extends Grant> implements Display<B, G> {
  readonly buffers: readonly B[];
  readonly #domain: Domain<G>;
  readonly #vsync: Vsync;
  readonly #isMailbox: boolean;
  readonly #deadlineMs: number;
  readonly #onShown: ((frame: ShownFrame<B, G>) => void) | undefined;
  /** Context of the call that made the display. */
  readonly #context = captureContext();
  readonly #name: string;
  readonly #stop: () => void;
  /** Pending and ready flips, in the order of `present`. */
  #queue: QueuedFlip<B, G>[] = [];
  /** Calls of `acquireBuffer` that wait. */
  readonly #acquiring = new Set<FirstFree<B, G>>();
  #latched: QueuedFlip<B, G> | undefined;
  #onScreen: QueuedFlip<B, G> | undefined;
  #shown: ShownFrame<B, G> | undefined;
  /** The last flip of each buffer. */
  readonly #presented = new Map<B, number>();
  #isOpen = true;
  /** Resolves when it is closed. */
  #closed: Promise<void> | undefined;
  #idLast = 0;
  #numberLast = -1;
  #vsyncLast: number | undefined;
  readonly #counts: Record<Counted, number> = {
    shown: 0,
    dropped: 0,
    expired: 0,
    failed: 0,
    cancelled: 0,
    refused: 0,
  };
  #vsyncs = 0;
  #missed = 0;
  #skipped = 0;
  readonly #toLatch = new LatencyHistogram();
  readonly #toScreen = new LatencyHistogram();

  constructor(domain: Domain<G>, options: DisplayOptions<B, G>) {
    this.#domain = domain;
    this.buffers = options.buffers;
    this.#vsync = options.vsync;
    this.#isMailbox = options.mode === 'mailbox';
    this.#deadlineMs = options.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.#onShown = options.onShown;
    const [number] = globalThis.crypto.getRandomValues(new Uint32Array(1));
    const label = options.label?.slice(0, nameLengthMax) ?? 'display';
    this.#name = `${label} ${number?.toString(36)}`;
    this.#stop = options.vsync.start((event) => this.#onVsync(event));
  }

  get shown(): ShownFrame<B, G> | undefined {
    return this.#shown;
  }

  present(buffer: B, options: { readonly number?: number } = {}): Flip<B> {
    if (!this.#isOpen) throw new DomainClosedError('the display is closed');
    if (!this.buffers.includes(buffer)) {
      throw new TypeError(`present takes one of the display's buffers, not ${describe(buffer)}`);
    }
    checkIsObject(options);
    const { number = this.#numberLast + 1 } = options;
    if (!Number.isSafeInteger(number)) {
      throw new TypeError(`number is a safe integer, not ${describe(number)}`);
    }
    if (this.#queue.length >= flipCountMax) {
      throw new LimitError(`${flipCountMax} flips wait: await their outcome first`);
    }
    const id = ++this.#idLast;
    const label = `${this.#name}, flip ${id}`;
    const flip = new QueuedFlip<B, G>(id, number, buffer, label, (each) => this.#cancel(each));
    this.#request(flip);
    this.#numberLast = number;
    this.#presented.set(buffer, id);
    return flip;
  }

  nextBuffer(): B {
    const turnOf = (buffer: B): number => {
      const isHere = (flip: QueuedFlip<B, G> | undefined): boolean => flip?.buffer === buffer;
      const id = this.#presented.get(buffer) ?? 0;
      const has = [this.#onScreen, this.#latched, ...this.#queue].some(isHere);
      return has ? id : id - this.#idLast - 1;
    };
    return this.buffers.reduce((next, each) => (turnOf(each) < turnOf(next) ? each : next));
  }

  async acquireBuffer(
    options: AcquireBufferOptions = {},
  ): Promise<{ readonly buffer: B; readonly grant: G }> {
    if (!this.#isOpen) throw new DomainClosedError('the display is closed');
    const request = new FirstFree<B, G>(this.#domain);
    this.#acquiring.add(request);
    try {
      return await request.start(this.buffers, options);
    } finally {
      this.#acquiring.delete(request);
    }
  }

  statistics(): DisplayStatistics {
    return {
      presented: this.#idLast,
      ...this.#counts,
      vsyncs: this.#vsyncs,
      missed: this.#missed,
      skipped: this.#skipped,
      toLatch: this.#toLatch.summary(),
      toScreen: this.#toScreen.summary(),
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    // A cancel below may run code that closes it again.
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stop();
    const closed = new DomainClosedError('the display was closed while the request waited');
    for (const request of this.#acquiring) request.refuse(closed);
    // The latest first, so that no flip is granted a buffer just before its end.
    const releases = [...this.#queue].reverse().map((flip) => this.#end(flip, 'cancelled'));
    const [latched, shown] = [this.#latched, this.#onScreen];
    this.#latched = undefined;
    this.#onScreen = undefined;
    this.#shown = undefined;
    if (latched !== undefined) this.#count(latched, 'cancelled');
    await Promise.all([
      ...releases,
      ...[latched, shown].map((flip) => releaseQuietly(flip?.grant)),
    ]);
  }

  // -------------------------------------------------------------------------------------------
  // Requests

  #request(flip: QueuedFlip<B, G>): void {
    const kept = this.#keptBefore();
    this.#queue.push(flip);
    try {
      const waiter = this.#domain.enqueue(
        { shared: flip.buffer.resource },
        (grant) => this.#granted(flip, grant),
        {
          delivery: 'direct',
          label: flip.label,
          holding: kept,
          onRefused: (reason) => void this.#end(flip, 'refused', reason),
        },
      );
      if (flip.state === 'pending') flip.waiter = waiter;
    } catch (error) {
      this.#remove(flip);
      this.#counts.refused++;
      throw error;
    }
    if (this.#isMailbox) flip.sinceMs = this.#vsync.now();
    else this.#beginTurn();
  }

  /**
   * The grant that the display will hold on the screen when the turn of the next flip comes, until
   * that flip is ready; unknown while others are pending.
   */
  #keptBefore(): G | undefined {
    if (this.#queue.some(({ state }) => state === 'pending')) return undefined;
    const before = this.#queue.at(-1) ?? this.#latched ?? this.#onScreen;
    return before?.grant;
  }

  #granted(flip: QueuedFlip<B, G>, grant: G): void {
    flip.waiter = undefined;
    flip.grant = grant;
    // By the end of a request of `acquireBuffer`: the flip is cancelled next.
    if (!this.#isOpen) return;
    // A frame left half drawn is not shown.
    if (grant.recovered.length > 0) {
      void this.#end(flip, 'failed');
      return;
    }
    flip.move('ready');
    flip.readyMs = this.#vsync.now();
    if (this.#isMailbox) this.#dropBefore(flip);
  }

  /** The newest frame wins: older ones would be late. */
  #dropBefore(flip: QueuedFlip<B, G>): void {
    const older = this.#queue.slice(0, this.#queue.indexOf(flip));
    for (const each of older.reverse()) void this.#end(each, 'dropped');
  }

  #cancel(flip: QueuedFlip<B, G>): boolean {
    if (flip.state !== 'pending' && flip.state !== 'ready') return false;
    void this.#end(flip, 'cancelled');
    return true;
  }

  /** Ends a waiting flip: it is never shown. Returns a promise of its release, if that is one. */
  #end(flip: QueuedFlip<B, G>, how: FlipFailure, error?: unknown): Promise<void> | undefined {
    if (!this.#remove(flip)) return undefined;
    const { waiter, grant } = flip;
    flip.waiter = undefined;
    this.#count(flip, how, error);
    waiter?.cancel();
    return releaseQuietly(grant);
  }

  #remove(flip: QueuedFlip<B, G>): boolean {
    const at = this.#queue.indexOf(flip);
    if (at !== -1) this.#queue.splice(at, 1);
    return at !== -1;
  }

  #count(flip: QueuedFlip<B, G>, how: Counted, error?: unknown): void {
    flip.move(how, error);
    this.#counts[how]++;
  }

  // -------------------------------------------------------------------------------------------
  // Vsyncs

  #onVsync({ timeMs, number }: VsyncEvent): void {
    if (!this.#isOpen) return;
    this.#vsyncs++;
    if (this.#vsyncLast !== undefined) this.#skipped += number - this.#vsyncLast - 1;
    this.#vsyncLast = number;
    const nowMs = this.#vsync.now();
    if (this.#latched !== undefined) this.#scanOut(this.#latched, timeMs, nowMs);
    this.#expire(nowMs);
    const flip = this.#nextToLatch();
    if (flip !== undefined) this.#latch(flip, nowMs);
    else if (this.#queue.length > 0) this.#miss();
    this.#beginTurn();
  }

  #scanOut(flip: QueuedFlip<B, G>, timeMs: number, nowMs: number): void {
    const before = this.#onScreen;
    const { number, buffer, grant } = flip as QueuedFlip<B, G> & { readonly grant: G };
    this.#latched = undefined;
    this.#onScreen = flip;
    this.#shown = { number, buffer, grant, timeMs };
    this.#toScreen.add(nowMs - flip.readyMs);
    this.#count(flip, 'shown');
    before?.move('replaced');
    void releaseQuietly(before?.grant);
    const onShown = this.#onShown;
    if (onShown === undefined) return;
    detectContext();
    try {
      runInContext(this.#context, onShown, this.#shown);
    } catch (error) {
      throwUncaught(error);
    }
  }

  #expire(nowMs: number): void {
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return;
    if (this.#isMailbox) {
      for (const flip of [...this.#queue]) this.#expireIfLate(flip, nowMs);
      return;
    }
    const [first] = this.#queue;
    if (first !== undefined) this.#expireIfLate(first, nowMs);
  }

  /** In a fifo the time limit of a flip starts with its turn. */
  #beginTurn(): void {
    const [first] = this.#queue;
    if (first !== undefined && Number.isNaN(first.sinceMs)) first.sinceMs = this.#vsync.now();
  }

  #expireIfLate(flip: QueuedFlip<B, G>, nowMs: number): void {
    if (flip.state !== 'pending' || nowMs - flip.sinceMs < this.#deadlineMs) return;
    void this.#end(flip, 'expired');
  }

  /** In a mailbox at most one flip is ready: older ones were dropped. */
  #nextToLatch(): QueuedFlip<B, G> | undefined {
    if (this.#isMailbox) return this.#queue.find(({ state }) => state === 'ready');
    const [first] = this.#queue;
    return first?.state === 'ready' ? first : undefined;
  }

  #latch(flip: QueuedFlip<B, G>, nowMs: number): void {
    this.#remove(flip);
    flip.move('latched');
    this.#latched = flip;
    this.#toLatch.add(nowMs - flip.readyMs);
  }

  /** The old frame stays. A flip that waits for that frame's release is refused. */
  #miss(): void {
    const shown = this.#onScreen;
    if (shown === undefined) return;
    this.#missed++;
    const [first] = this.#queue;
    if (first?.state !== 'pending' || first.checkedAgainst === shown) return;
    first.checkedAgainst = shown;
    const { token } = shown.grant as G;
    const check = (snapshot: Snapshot): void => {
      if (this.#queue[0] !== first || this.#onScreen !== shown) return;
      const deadlock = findFlipDeadlock(snapshot, first.label, token);
      if (deadlock !== undefined) void this.#end(first, 'refused', deadlock);
    };
    const domain = this.#domain as Domain<G> & { querySync?(): Snapshot };
    if (domain.querySync !== undefined) check(domain.querySync());
    // A query fails when the backend does: then the flip's own request is refused.
    else domain.query().then(check, () => {});
  }
}
