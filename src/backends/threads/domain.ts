/** Domains in an arena: one for each thread, or more. */

import type { SyncDomain } from '../../api/domain.ts';
import { describe } from '../../api/sets.ts';
import { applyOptions, type DomainOptions, readDomainOptions } from '../../local/domain-options.ts';
import { LocalRequests } from '../../local/requests.ts';
import { LocalSession } from '../../local/session.ts';
import { SessionScope } from '../../session/session-tree.ts';
import { type Arena, controlOf } from './arena.ts';
import { ThreadsBackend } from './backend.ts';
import { type AttachableWorker, attachWorker } from './death.ts';

/** A domain whose sets exclude those of every other domain in the same arena. */
export interface ThreadsDomain extends SyncDomain {
  /** Its number in the arena: what {@link interrupt} takes. Given again once it is closed. */
  readonly agent: number;
  /** Where the state is: what {@link openThreadsDomain} was called with. */
  readonly arena: Arena;
  /**
   * Resolves when requests can be granted. In a browser, in a worker or frame of a page that has
   * called {@link attachWorker}: some milliseconds after the domain was opened, as the end of the
   * thread cannot be noticed before. Elsewhere: at once. Promises and `enqueue` wait for it; calls
   * that must answer at once, as `acquireSync`, throw UnavailableError until then. Rejects with
   * UnavailableError (no Web Locks), LimitError or DomainClosedError if the domain never is ready.
   *
   * @example
   * import { createArena, openThreadsDomain } from 'kds/threads';
   *
   * const domain = openThreadsDomain(createArena());
   * await domain.ready;
   * domain.acquireSync({ exclusive: 'buffer 0' }).release();
   * await domain.close();
   */
  readonly ready: Promise<void>;
  /**
   * When this worker ends, however it does, what its domains in the arena hold or wait for is
   * released, as by holders who died. Call it once for each worker, from the thread that made it,
   * before that worker can have opened a domain. As long as this domain is open.
   */
  attachWorker(worker: AttachableWorker): void;
  /**
   * Makes the `acquireSync` that this agent is blocked in throw InterruptedError. False if it is
   * not blocked, or is granted its set at this moment.
   */
  interrupt(agent: number): boolean;
}

/**
 * Opens a domain in an arena, in the calling thread. Requests that wait keep the process alive; a
 * domain by itself does not.
 *
 * @throws TypeError for what is no arena; ProtocolError for one of another version, or damaged;
 * LimitError if as many domains are open in it as may be; UnavailableError if its lock cannot be
 * had.
 * @example
 * import { createArena, openThreadsDomain } from 'kds/threads';
 *
 * const arena = createArena(); // give it to workers: new Worker(url, { workerData: arena })
 * const domain = openThreadsDomain(arena, { label: 'main' });
 * const grant = domain.acquireSync({ exclusive: 'buffer 0' }, { timeoutMs: 1000 });
 * grant.release();
 * await domain.close();
 */
export function openThreadsDomain(arena: Arena, options: DomainOptions = {}): ThreadsDomain {
  const control = controlOf(arena);
  const own = readDomainOptions(options);
  const backend = new ThreadsBackend(control, own.label);
  try {
    applyOptions(backend.operations, own);
  } catch (error) {
    backend.close();
    throw error;
  }
  return new ThreadsSession(backend, own.label, arena);
}

class ThreadsSession extends LocalSession implements ThreadsDomain {
  readonly #backend: ThreadsBackend;
  readonly arena: Arena;

  constructor(backend: ThreadsBackend, label: string | undefined, arena: Arena) {
    const { operations } = backend;
    super(new LocalRequests(operations), SessionScope.ofDomain(operations, label));
    this.#backend = backend;
    this.arena = arena;
  }

  get agent(): number {
    return this.#backend.agent.number;
  }

  get ready(): Promise<void> {
    return this.#backend.ready;
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
}
