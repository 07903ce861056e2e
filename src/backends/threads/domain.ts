/** Domains in an arena: one for each thread, or more. */

import type { SyncDomain } from '../../api/domain.ts';
import { describe } from '../../api/sets.ts';
import {
  applyOptions,
  type DomainOptions,
  declareCapacities,
  type ReadDomainOptions,
  readDomainOptions,
  requestsOf,
} from '../../local/domain-options.ts';
import { LocalSession } from '../../local/session.ts';
import { SessionScope } from '../../session/session-tree.ts';
import { openInner } from '../process/inner-domain.ts';
import { type Arena, controlOf } from './arena.ts';
import { ThreadsBackend } from './backend.ts';
import { type AttachableWorker, attachWorker } from './death.ts';

/**
 * A domain whose sets exclude those of every other domain in the same arena. Each call takes the
 * arena's lock, which threads hold for some µs; if it is not free within 5 s (50 ms in the main
 * thread of a browser, for calls that answer at once), the call throws UnavailableError.
 *
 * @example
 * ```ts
 * import { createArena, openThreadsDomain, type ThreadsDomain } from 'kds/threads';
 *
 * const arena = createArena();
 * const one: ThreadsDomain = openThreadsDomain(arena);
 * const other: ThreadsDomain = openThreadsDomain(arena); // as a rule, in another thread
 * using grant = one.acquireSync({ exclusive: 'buffer 0' });
 * console.log(other.tryAcquireSync({ shared: 'buffer 0' })); // null
 * ```
 * @since 0.1.0
 */
export interface ThreadsDomain extends SyncDomain {
  /**
   * The number of this domain in the arena, for `interrupt`: from 0. A number is used again once
   * its domain is closed.
   */
  readonly agent: number;
  /**
   * The arena in which the domain was opened.
   *
   * @since 0.2.0
   */
  readonly arena: Arena;
  /**
   * Resolves when requests can be granted: at once, except in a worker or frame of a browser whose
   * page has called `attachWorker`. There it takes some ms, as the end of the thread cannot be
   * detected before: requests that return promises, and `enqueue`, wait for it; calls that answer
   * at once, as `acquireSync`, throw UnavailableError until then. Rejects with UnavailableError (no
   * Web Locks), LimitError or DomainClosedError if the domain never is ready, and with
   * CapacityError if the option `capacity` is refused: then the domain is closed.
   *
   * @example
   * ```ts
   * import { createArena, openThreadsDomain } from 'kds/threads';
   *
   * const domain = openThreadsDomain(createArena());
   * await domain.ready;
   * domain.acquireSync({ exclusive: 'buffer 0' }).release();
   * await domain.close();
   * ```
   * @since 0.2.0
   */
  readonly ready: Promise<void>;
  /**
   * Releases what the domains of a worker in the arena hold or wait for when the worker ends: its
   * exclusive resources are `recovered`, after every kind of end. Call it once for each worker, in
   * the thread that made it, before the worker can open a domain. Effective until this domain is
   * closed.
   *
   * @param worker - The worker, or the window of a frame.
   * @throws TypeError if it is no object.
   * @waits Never.
   * @example
   * ```ts no-run
   * import { Worker } from 'node:worker_threads';
   * import { createArena, openThreadsDomain } from 'kds/threads';
   *
   * const arena = createArena();
   * const domain = openThreadsDomain(arena);
   * const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: arena });
   * domain.attachWorker(worker);
   * ```
   */
  attachWorker(worker: AttachableWorker): void;
  /**
   * Makes the `acquireSync` in which an agent is blocked throw {@link InterruptedError}.
   *
   * @param agent - The number of the domain whose thread is blocked: its `agent`, an integer from 0
   * to `agentsMax` - 1 of the arena.
   * @returns False if there is no such agent, it is not blocked, or is granted its set at this
   * moment.
   * @throws TypeError if `agent` is no number.
   * @throws RangeError if it is out of its bounds.
   * @throws {@link UnavailableError} if the arena's lock is not free in time.
   * @waits Never.
   */
  interrupt(agent: number): boolean;
}

/**
 * Opens a domain in an arena, in the calling thread. Requests that wait keep the process alive; a
 * domain or a held grant does not.
 *
 * @param arena - Made by {@link createArena}, in this thread or another one.
 * @param options - Nesting, reports of long holds, label, and capacities. Default: none of them. A
 * capacity outlives the domain: it lasts as long as the arena, or until another one is declared.
 * @throws TypeError if the value is no arena; TypeError or RangeError if an option is invalid.
 * @throws {@link ProtocolError} if the arena is damaged, or of another version of kds.
 * @throws {@link LimitError} if `agentsMax` domains are open, the label is too long, or the arena
 * has no memory for the capacities.
 * @throws {@link CapacityError} if names of units of a resource that is in use are to change.
 * @throws {@link UnavailableError} if the arena's lock is not free in time.
 * @throws {@link UnsupportedError} for a `nested` that needs a missing AsyncLocalStorage,
 * and in a page that is not cross-origin isolated.
 * @waits Blocks the thread only while another one holds the arena's lock, at most 5 s.
 * @example
 * ```ts
 * import { createArena, openThreadsDomain } from 'kds/threads';
 *
 * const arena = createArena(); // give it to workers: new Worker(url, { workerData: arena })
 * const domain = openThreadsDomain(arena, { label: 'main' });
 * const grant = domain.acquireSync({ exclusive: 'buffer 0' }, { timeoutMs: 1000 });
 * grant.release();
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export function openThreadsDomain(arena: Arena, options: DomainOptions = {}): ThreadsDomain {
  const control = controlOf(arena);
  const own = readDomainOptions(options);
  const backend = new ThreadsBackend(control, own.label);
  try {
    applyOptions(backend.operations, own, openInner);
    return new ThreadsSession(backend, own, arena);
  } catch (error) {
    backend.close();
    throw error;
  }
}

class ThreadsSession extends LocalSession implements ThreadsDomain {
  readonly #backend: ThreadsBackend;
  readonly arena: Arena;
  readonly ready: Promise<void>;

  /** @throws CapacityError, LimitError, UnavailableError */
  constructor(backend: ThreadsBackend, own: ReadDomainOptions, arena: Arena) {
    const { operations } = backend;
    super(requestsOf(operations, own), SessionScope.ofDomain(operations, own.label));
    this.#backend = backend;
    this.arena = arena;
    if (backend.joined === undefined) {
      declareCapacities(this.requests, own);
      this.ready = backend.ready;
    } else {
      // Before requests of the caller, which wait for longer.
      this.ready = backend.ready.then(() => this.#declareInTime(own));
      this.ready.catch(() => undefined);
    }
  }

  get agent(): number {
    return this.#backend.agent.number;
  }

  attachWorker(worker: AttachableWorker): void {
    if (typeof worker !== 'object' || worker === null) {
      throw new TypeError(`attachWorker takes a Worker, not ${describe(worker)}`);
    }
    attachWorker(this.#backend, worker);
  }

  interrupt(agent: number): boolean {
    return this.#backend.interrupt(agent);
  }

  /** If the capacities are refused, the domain is closed. */
  async #declareInTime(own: ReadDomainOptions): Promise<void> {
    try {
      declareCapacities(this.requests, own);
    } catch (error) {
      const again = this.#backend.retries.again(error, () => this.#declareInTime(own));
      await again.catch(() => this.close());
      return again;
    }
  }
}
