/**
 * Conversions between fences and sets, for programs that use one of the two. (Linux:
 * DMA_BUF_IOCTL_EXPORT_SYNC_FILE and _IMPORT_SYNC_FILE.)
 *
 * A set becomes a fence that ends when the present conflicts of the set have ended (`exportFence`),
 * or when one grant ends (`doneFence`). A fence becomes a set that is held until the fence ends
 * (`importFence`). If that fence fails, the set gets the recovered flag; later owners do not fail.
 */

import type { Domain } from '../../api/domain.ts';
import { UnsupportedError, WaitTimeoutError } from '../../api/errors.ts';
import type { Grant, Waiter } from '../../api/grant.ts';
import { checkIsObject, checkLabel, checkTimeout, readOptions } from '../../api/options.ts';
import { describe, type PreparedSet, type SetSpec } from '../../api/sets.ts';
import type { Timer } from '../../runtime/timer.ts';
import type { FenceCallback } from './callback-list.ts';
import { Fence } from './fence.ts';
import { startTimer } from './timer.ts';

/**
 * Options of {@link exportFence}.
 *
 * @since 0.1.0
 */
export interface ExportOptions {
  /** Label of the fence, used in errors. At most 1024 code units. */
  readonly label?: string | undefined;
  /** Ends the wait: the fence fails with `signal.reason` itself. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a fence of all that conflicts with a set *now*, held or waiting: it ends when those
 * requests have ended, whatever arrives later. Holds nothing and blocks no other caller. The fence
 * fails as `domain.settled` rejects: DomainClosedError, UnavailableError, the signal's reason.
 *
 * @param domain - A domain with the capability 'settled', or a session of it.
 * @param set - The set, with the modes that conflict.
 * @param options - The fence's label, and a signal that ends the wait.
 * @throws {@link InvalidSetError} if the set is invalid.
 * @throws {@link LimitError} if the set or the label is too long.
 * @throws {@link DomainClosedError} if the domain is closed.
 * @throws {@link UnsupportedError} if the domain lacks the capability 'settled'.
 * @throws TypeError if the domain or an option is invalid.
 * @waits Never. Await the fence.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { exportFence } from 'kds/fences';
 *
 * const domain = createDomain();
 * const writer = await domain.acquire({ exclusive: 'frame' });
 * const written = exportFence(domain, { shared: 'frame' });
 * writer.release();
 * await written;
 * ```
 * @since 0.1.0
 */
export function exportFence(
  domain: Domain,
  set: SetSpec | PreparedSet,
  options: ExportOptions = {},
): Fence {
  checkDomain(domain);
  const { label, signal } = readOptions(options);
  if (!domain.capabilities.has('settled')) {
    throw new UnsupportedError(
      "this domain cannot wait until a set is settled: it lacks the capability 'settled'",
    );
  }
  const prepared = domain.prepare(set);
  const fence = new Fence({ label });
  domain.settled(prepared, { signal }).then(
    () => fence.signal(),
    (error: unknown) => fence.fail(error),
  );
  return fence;
}

/**
 * Options of {@link importFence}.
 *
 * @since 0.1.0
 */
export interface ImportOptions {
  /**
   * Time limit of waiting and holding, ms, from the call on: 0 or more, and finite. Then a waiting
   * request is cancelled, and a held set is abandoned: its exclusive resources get the recovered
   * flag.
   */
  readonly limitMs: number;
  /** Label of the request, and of the fence that is returned. At most 1024 code units. */
  readonly label?: string | undefined;
}

/**
 * Requests a set, and holds it until a fence ends: later requests, which know nothing of fences,
 * wait for that. Never longer than `limitMs`.
 *
 * If the fence fails, the set is abandoned: later owners are granted all the same, and find its
 * exclusive resources in their `recovered`. If the fence ends ok before the set is granted, the
 * request is cancelled.
 *
 * @param domain - The domain of the set, or a session of it.
 * @param set - The set to hold.
 * @param fence - The fence that ends it.
 * @param options - The time limit, and a label.
 * @returns A fence that ends when the set is released: ok, with the fence's error, with
 * WaitTimeoutError after `limitMs`, or with the reason why the grant was lost or the request
 * refused.
 * @throws TypeError if an argument is invalid.
 * @throws RangeError if `limitMs` is out of its bounds.
 * @throws {@link InvalidSetError} if the set is invalid.
 * @throws {@link LimitError} if the set or the label is too long.
 * @throws {@link DomainClosedError} if the domain is closed.
 * @waits Never. Await the fence.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { Fence, importFence } from 'kds/fences';
 *
 * const domain = createDomain();
 * const drawn = new Fence();
 * importFence(domain, { exclusive: 'surface' }, drawn, { limitMs: 1000 });
 * const reading = domain.acquire({ shared: 'surface' });
 * drawn.signal();
 * (await reading).release();
 * ```
 * @since 0.1.0
 */
export function importFence(
  domain: Domain,
  set: SetSpec | PreparedSet,
  fence: Fence,
  options: ImportOptions,
): Fence {
  checkDomain(domain);
  if (!(fence instanceof Fence)) throw new TypeError(`this is no fence: ${describe(fence)}`);
  checkIsObject(options);
  const { limitMs, label } = options;
  checkTimeout(limitMs, 'limitMs');
  if (limitMs === Number.POSITIVE_INFINITY) {
    throw new RangeError(
      'limitMs is finite: a fence that is never signalled must not hold its set for ever',
    );
  }
  if (label !== undefined) checkLabel(label);
  const prepared = domain.prepare(set);
  const over = new Fence({ label, onDeadline: (atMs) => fence.hintDeadline(atMs) });
  if (fence.status === 'ok') over.signal();
  else new Import(domain, fence, over, limitMs).start(prepared, label);
  return over;
}

/** A set that waits, or is held, for a fence. `over` ends with it. */
class Import {
  readonly #domain: Domain;
  readonly #fence: Fence;
  readonly #over: Fence;
  readonly #limitMs: number;
  #waiter: Waiter | undefined = undefined;
  #grant: Grant | undefined = undefined;
  #callback: FenceCallback | null = null;
  #timer: Timer | undefined = undefined;
  #isOver = false;

  constructor(domain: Domain, fence: Fence, over: Fence, limitMs: number) {
    this.#domain = domain;
    this.#fence = fence;
    this.#over = over;
    this.#limitMs = limitMs;
  }

  start(set: PreparedSet, label: string | undefined): void {
    const onGrant = (grant: Grant): void => this.#hold(grant);
    const onRefused = (reason: unknown): void => this.#end(() => this.#over.fail(reason));
    const options = {
      delivery: 'direct',
      onRefused,
      ...(label !== undefined && { label }),
    } as const;
    this.#waiter = this.#domain.enqueue(set, onGrant, options);
    if (this.#isOver) return;
    this.#timer = startTimer(this.#limitMs, () => this.#expire());
    // Refused if the fence has failed already: then the grant reads its error.
    this.#callback = this.#fence.addCallback(() => this.#proceed());
  }

  #hold(grant: Grant): void {
    if (this.#isOver) {
      void grant.release();
      return;
    }
    this.#grant = grant;
    const { signal } = grant;
    signal.addEventListener('abort', () => this.#end(() => this.#over.fail(signal.reason)));
    this.#proceed();
  }

  /** The fence has ended, or the set is granted, or both. */
  #proceed(): void {
    const { status, error } = this.#fence;
    if (status === 'ok') this.#release();
    else if (status === 'error' && this.#grant !== undefined) this.#abandon(error);
  }

  #release(): void {
    this.#end(() => {
      const grant = this.#grant;
      if (grant === undefined) this.#waiter?.cancel();
      after(grant?.release(), () => this.#over.signal());
    });
  }

  #abandon(error: unknown): void {
    this.#end(() => after(this.#grant?.abandon(error), () => this.#over.fail(error)));
  }

  #expire(): void {
    const which = this.#over.label === undefined ? '' : ` (${describe(this.#over.label)})`;
    const end = this.#grant === undefined ? 'request is cancelled' : 'set is abandoned';
    const error = new WaitTimeoutError(
      `the fence did not end within ${this.#limitMs} ms: the ${end}${which}`,
    );
    if (this.#grant === undefined) this.#waiter?.cancel();
    this.#abandon(error);
  }

  /** Runs once, and leaves no timer and no callback behind. */
  #end(how: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#callback?.remove();
    how();
  }
}

/** In a remote domain a release is a message; if it fails, the end of the session releases. */
function after(done: void | Promise<void>, then: () => void): void {
  if (done === undefined) then();
  else done.then(then, then);
}

function checkDomain(domain: Domain): void {
  if (typeof domain?.enqueue === 'function') return;
  throw new TypeError(`a fence is exported from a domain, or imported, not ${describe(domain)}`);
}
