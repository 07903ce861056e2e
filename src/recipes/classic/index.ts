/**
 * kds.h of 2012, call by call, over any SyncDomain: to port the logic of drivers, and to read the
 * origin of kds. docs/lineage.md lists each difference.
 *
 * Names keep the C's spelling, in this one folder, so that a ported line can be compared with its
 * original. `classic(domain)` binds the domain once, since kds.h has one domain too: so every
 * signature stays the same.
 *
 * A struct that `_init` fills is an object that the caller makes: `{}`, or a part of a larger one.
 * A pointer to write through is an object with a `value`. What the C answers with a negative errno
 * is answered so here; a case of BUG_ON, or of reading invalid memory, throws.
 */

import { Callback } from '../../api/callback.ts';
import type { SyncDomain } from '../../api/domain.ts';
import { InvalidSetError, isKdsError, type KdsErrorCode } from '../../api/errors.ts';
import type { SyncGrant, Waiter } from '../../api/grant.ts';
import type { LockedPolicy } from '../../api/options.ts';
import { describe, type Resource, type ResourceRef, type SetSpec } from '../../api/sets.ts';
import { ERR_PTR, IS_ERR, type kds_resource_set, PTR_ERR, ResourceSet } from './resource-set.ts';

export { ERR_PTR, IS_ERR, type kds_resource_set, PTR_ERR } from './resource-set.ts';

/**
 * Refuses with -EBUSY if a synchronous caller holds or has queued on a resource of the set.
 *
 * @since 0.1.0
 */
export const KDS_FLAG_LOCKED_FAIL = 0;
/**
 * Does not wait for such resources; later sets wait as ever.
 *
 * @since 0.1.0
 */
export const KDS_FLAG_LOCKED_IGNORE = 1;
/**
 * Treats such resources like any.
 *
 * @since 0.1.0
 */
export const KDS_FLAG_LOCKED_WAIT = 2;
/**
 * The bits of the flags that choose one of these three.
 *
 * @since 0.1.0
 */
export const KDS_FLAG_LOCKED_ACTION = 3;

/**
 * As `jiffies_timeout`: no time-out.
 *
 * @since 0.1.0
 */
export const KDS_WAIT_BLOCKING = Number.POSITIVE_INFINITY;
/**
 * Jiffies in a second: here a jiffy is a millisecond.
 *
 * @since 0.1.0
 */
export const HZ = 1000;

/**
 * Negated, the result of `kds_async_waitall` for a set that LOCKED_FAIL refuses.
 *
 * @since 0.1.0
 */
export const EBUSY = 16;
/**
 * Negated, its result when memory or a limit of kds is exhausted.
 *
 * @since 0.1.0
 */
export const ENOMEM = 12;

/**
 * Negated, in an error pointer, the result of a `kds_waitall` that `interrupt` ends.
 *
 * @since 0.2.0
 */
export const ERESTARTSYS = 512;

/**
 * Filled by `kds_resource_init`.
 *
 * @since 0.1.0
 */
export interface kds_resource {
  /**
   * The name of its queue. So the object, or a copy of it, is the same resource in every thread of
   * an arena: put it into the message or the workerData that the buffer is in.
   */
  waiters?: string | undefined;
}

/**
 * Called once all resources of a set are owned.
 *
 * @param callback_parameter - As given to `kds_async_waitall`.
 * @param callback_extra_parameter - As given to `kds_async_waitall`.
 * @since 0.1.0
 */
export type kds_callback_fn<P = unknown, E = unknown> = (
  callback_parameter: P,
  callback_extra_parameter: E,
) => void;

/**
 * Filled by `kds_callback_init`.
 *
 * @since 0.1.0
 */
export interface kds_callback<P = unknown, E = unknown> {
  /** The function that is called. */
  user_cb?: kds_callback_fn<P, E> | undefined;
  /** Delivers the calls, direct ones too. */
  wq?: Callback | undefined;
}

/**
 * Bit i set: resource i is wanted exclusive. Words of 32 bits, the lowest first; or one number.
 *
 * @since 0.1.0
 */
export type kds_bitmap = Uint32Array | readonly number[] | bigint;

/**
 * The C's `struct kds_resource_set **`.
 *
 * @since 0.1.0
 */
export interface kds_resource_set_pointer {
  /** The set that it points to, an error, or null. */
  value: kds_resource_set | null;
}

/**
 * The calls of kds.h: the result of {@link classic}.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { classic, type kds_resource, KDS_WAIT_BLOCKING } from 'kds/classic';
 *
 * const kds = classic(createDomain());
 * const buffer: kds_resource = {};
 * kds.kds_resource_init(buffer);
 * const rset = { value: kds.kds_waitall(1, 0b1n, [buffer], KDS_WAIT_BLOCKING) };
 * kds.kds_resource_set_release(rset);
 * console.log(kds.kds_resource_term(buffer)); // 0
 * ```
 * @since 0.1.0
 */
export interface Kds {
  /**
   * Makes a resource that this object stands for, and copies of it in other threads of the arena.
   *
   * @param resource - The object to fill.
   * @throws TypeError if it is initialised already, or no object.
   * @throws {@link DomainClosedError} if the domain is closed.
   * @waits Never.
   */
  kds_resource_init(resource: kds_resource): void;

  /**
   * Ends a resource; returns 0. It can be initialised again. Once for all threads: copies of the
   * object must not be used any more.
   *
   * @param resource - An initialised resource.
   * @throws {@link ResourceBusyError} while a set holds it or waits for it.
   * @throws TypeError if it is not initialised.
   * @waits Never.
   */
  kds_resource_term(resource: kds_resource): number;

  /**
   * Makes a callback, to be used by any number of requests; returns 0.
   *
   * @param cb - The object to fill.
   * @param direct - True: it runs within the call that causes the grant. False: from a queue.
   * @param user_cb - The function.
   * @throws TypeError if `cb` is initialised already, or `user_cb` is no function.
   * @waits Never.
   */
  kds_callback_init<P, E>(
    cb: kds_callback<P, E>,
    direct: boolean | number,
    user_cb: kds_callback_fn<P, E>,
  ): number;

  /**
   * Runs the due calls of a callback, then ends it. It can be initialised again.
   *
   * @param cb - An initialised callback.
   * @throws {@link ResourceBusyError} while requests wait with it.
   * @throws TypeError if it is not initialised.
   * @waits Never.
   */
  kds_callback_term<P, E>(cb: kds_callback<P, E>): void;

  /**
   * Requests `number_resources` resources of a list. `user_cb` of `cb` is called with the two
   * parameters once all of them are owned, which may be before this returns. `pprset` points to the
   * set from before that call until it is released.
   *
   * @param pprset - Receives the set.
   * @param flags - One of `KDS_FLAG_LOCKED_*`.
   * @param cb - The callback.
   * @param callback_parameter - Passed to `user_cb`.
   * @param callback_extra_parameter - Passed to `user_cb`.
   * @param number_resources - Number of resources, 0 to the length of the list.
   * @param exclusive_access_bitmap - The resources that are wanted exclusive.
   * @param resource_list - Initialised resources.
   * @returns 0, -EBUSY or -ENOMEM; if not 0, nothing has happened, and `pprset` is as it was.
   * @throws {@link InvalidSetError} if the list or the bitmap is too short, or a resource is not
   * initialised or of another domain.
   * @throws RangeError if the flags are invalid.
   * @throws TypeError if the pointer, callback or list is invalid.
   * @throws {@link DomainClosedError} if the domain is closed.
   * @waits Never.
   */
  kds_async_waitall<P, E>(
    pprset: kds_resource_set_pointer,
    flags: number,
    cb: kds_callback<P, E>,
    callback_parameter: P,
    callback_extra_parameter: E,
    number_resources: number,
    exclusive_access_bitmap: kds_bitmap,
    resource_list: readonly kds_resource[],
  ): number;

  /**
   * Takes the resources as a synchronous caller.
   *
   * @param number_resources - Number of resources, 0 to the length of the list.
   * @param exclusive_access_bitmap - The resources that are wanted exclusive.
   * @param resource_list - Initialised resources.
   * @param jiffies_timeout - Time limit, ms: 0 or more, or KDS_WAIT_BLOCKING.
   * @returns The set; null if it timed out; or ERR_PTR(-ERESTARTSYS) if `interrupt` of another
   * thread's domain ended the wait: check with `IS_ERR` before the set is released.
   * @throws {@link WaitTimeoutError} for KDS_WAIT_BLOCKING on a backend that cannot block if the
   * set is not free.
   * @throws {@link LimitError} if memory or a limit of kds is exhausted.
   * @throws RangeError if the time-out is invalid; else as `kds_async_waitall`.
   * @waits Blocks the thread until the set is owned, at most `jiffies_timeout`. A backend that
   * cannot block times out at once, as no other code could release anything meanwhile.
   */
  kds_waitall(
    number_resources: number,
    exclusive_access_bitmap: kds_bitmap,
    resource_list: readonly kds_resource[],
    jiffies_timeout: number,
  ): kds_resource_set | null;

  /**
   * Releases the set that `pprset` points to, or cancels it if its callback has not begun: then
   * that never runs. Nulls the pointer first. Does nothing if it is null, or the set was released
   * before through another pointer.
   *
   * @param pprset - The pointer.
   * @throws TypeError if it is no pointer to a set, or one to an error.
   * @waits Never.
   */
  kds_resource_set_release(pprset: kds_resource_set_pointer): void;
}

/**
 * Returns the calls of kds.h, for this domain. They may be taken apart: none of them uses `this`.
 *
 * @param domain - A synchronous domain: of one event loop, or of threads.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { classic, KDS_FLAG_LOCKED_WAIT, type kds_callback } from 'kds/classic';
 *
 * const kds = classic(createDomain());
 * const buffer = { pixels: new Uint8Array(64), kds: {} };
 * kds.kds_resource_init(buffer.kds);
 *
 * const rset = { value: null };
 * const cb: kds_callback<typeof buffer, string> = {};
 * kds.kds_callback_init(cb, true, (target, color) => {
 *   target.pixels.fill(color.length);
 *   kds.kds_resource_set_release(rset);
 * });
 * kds.kds_async_waitall(rset, KDS_FLAG_LOCKED_WAIT, cb, buffer, 'red', 1, [1], [buffer.kds]);
 *
 * kds.kds_callback_term(cb);
 * kds.kds_resource_term(buffer.kds);
 * ```
 * @since 0.1.0
 */
export function classic(domain: SyncDomain): Kds {
  return {
    kds_resource_init: (resource) => initResource(domain, resource),
    kds_resource_term: (resource) => termResource(domain, resource),
    kds_callback_init: initCallback,
    kds_callback_term: termCallback,
    kds_async_waitall: (pprset, flags, cb, parameter, extraParameter, count, bitmap, list) => {
      checkPointer(pprset);
      const callback = deliveryOf(cb, parameter, extraParameter);
      const locked = policyOf(flags);
      return request(domain, pprset, setOf(domain, count, bitmap, list), locked, callback);
    },
    kds_waitall: (count, bitmap, list, jiffies) =>
      take(domain, setOf(domain, count, bitmap, list), jiffies),
    kds_resource_set_release: release,
  };
}

interface BoundCallback {
  readonly delivery: Callback;
  run(): void;
}

const errnos: Partial<Record<KdsErrorCode, number>> = { KDS_LOCKED: -EBUSY, KDS_LIMIT: -ENOMEM };

function request(
  domain: SyncDomain,
  pprset: kds_resource_set_pointer,
  set: SetSpec,
  locked: LockedPolicy,
  { delivery, run }: BoundCallback,
): number {
  const rset = new ResourceSet();
  const before = pprset.value;
  // A callback that runs inside of enqueue must see it already.
  pprset.value = rset;
  let waiter: Waiter;
  try {
    const onGrant = (grant: SyncGrant): void => {
      if (rset.granted(grant)) run();
    };
    waiter = domain.enqueue(set, onGrant, { delivery, locked });
  } catch (error) {
    pprset.value = before;
    const errno = isKdsError(error) ? errnos[error.code] : undefined;
    if (errno === undefined) throw error;
    return errno;
  }
  rset.placed(waiter);
  return 0;
}

function take(domain: SyncDomain, set: SetSpec, jiffies: number): ResourceSet | null {
  const rset = new ResourceSet();
  try {
    rset.granted(domain.acquireSync(set, { timeoutMs: jiffies }));
    return rset;
  } catch (error) {
    if (isKdsError(error, 'KDS_WAIT_TIMEOUT') && jiffies !== KDS_WAIT_BLOCKING) return null;
    if (isKdsError(error, 'KDS_INTERRUPTED')) return ERR_PTR(-ERESTARTSYS);
    throw error;
  }
}

function release(pprset: kds_resource_set_pointer): void {
  checkPointer(pprset);
  const rset = pprset.value;
  if (rset === null) return;
  if (!(rset instanceof ResourceSet)) {
    throw new TypeError(`a pointer to a kds_resource_set holds one or null, not ${describe(rset)}`);
  }
  if (IS_ERR(rset)) {
    throw new TypeError(`the pointer is an error, ${PTR_ERR(rset)}, and no kds_resource_set`);
  }
  pprset.value = null;
  rset.end();
}

/** Of what was initialised in this thread. */
const handles = new WeakMap<
  kds_resource,
  { handle: Resource; arena: SharedArrayBuffer | undefined }
>();

function initResource(domain: SyncDomain, resource: kds_resource): void {
  if (nameOf(resource) !== undefined) {
    throw new TypeError('the kds_resource is initialised already: kds_resource_term() it first');
  }
  const name = `kds_resource ${randomHex()}`;
  handles.set(resource, { handle: domain.resource(name), arena: arenaOf(domain) });
  resource.waiters = name;
}

function termResource(domain: SyncDomain, resource: kds_resource): number {
  const name = nameOf(resource);
  if (name === undefined) {
    throw new TypeError('the kds_resource is not initialised: kds_resource_init() it first');
  }
  // Not a promise where the state is within reach, as it is in a SyncDomain.
  (handles.get(resource)?.handle ?? domain.resource(name)).close();
  handles.delete(resource);
  resource.waiters = undefined;
  return 0;
}

/**
 * What to request: the handle, which its domain knows for its own; or the name, in another domain
 * of the same arena, and for an object that has come from another thread.
 */
function refOf(domain: SyncDomain, resource: kds_resource, name: string): ResourceRef {
  const known = handles.get(resource);
  const isShared = known?.arena !== undefined && known.arena === arenaOf(domain);
  return known === undefined || isShared ? name : known.handle;
}

/** The memory that a domain of `kds/threads` shares. */
function arenaOf(domain: SyncDomain & { readonly arena?: { readonly buffer: SharedArrayBuffer } }) {
  return domain.arena?.buffer;
}

function nameOf(resource: kds_resource): string | undefined {
  if (typeof resource !== 'object' || resource === null) {
    throw new TypeError(`a kds_resource is an object, not ${describe(resource)}`);
  }
  const { waiters } = resource;
  if (waiters === undefined || typeof waiters === 'string') return waiters;
  throw new TypeError(
    `waiters of a kds_resource is the name of its queue, not ${describe(waiters)}`,
  );
}

/** Of 128 bits, so that no two threads choose the same. */
function randomHex(): string {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');
}

function initCallback<P, E>(
  cb: kds_callback<P, E>,
  direct: boolean | number,
  user_cb: kds_callback_fn<P, E>,
): number {
  if (typeof cb !== 'object' || cb === null) {
    throw new TypeError(`a kds_callback is an object, not ${describe(cb)}`);
  }
  if (cb.wq !== undefined) {
    throw new TypeError('the kds_callback is initialised already: kds_callback_term() it first');
  }
  if (typeof user_cb !== 'function') {
    throw new TypeError(`a kds_callback calls a function, not ${describe(user_cb)}`);
  }
  cb.wq = new Callback({ delivery: direct ? 'direct' : 'queued' });
  cb.user_cb = user_cb;
  return 0;
}

function termCallback<P, E>(cb: kds_callback<P, E>): void {
  const { wq } = initialised(cb);
  wq.close();
  cb.wq = undefined;
  cb.user_cb = undefined;
}

function deliveryOf<P, E>(cb: kds_callback<P, E>, parameter: P, extraParameter: E): BoundCallback {
  const { wq, user_cb } = initialised(cb);
  return { delivery: wq, run: () => user_cb(parameter, extraParameter) };
}

function initialised<P, E>(
  cb: kds_callback<P, E>,
): {
  readonly wq: Callback;
  readonly user_cb: kds_callback_fn<P, E>;
} {
  if (typeof cb !== 'object' || cb === null) {
    throw new TypeError(`a kds_callback is an object, not ${describe(cb)}`);
  }
  const { wq, user_cb } = cb;
  if (wq === undefined || user_cb === undefined) {
    throw new TypeError('the kds_callback is not initialised: kds_callback_init() it first');
  }
  return { wq, user_cb };
}

function checkPointer(pprset: kds_resource_set_pointer): void {
  if (typeof pprset !== 'object' || pprset === null || !('value' in pprset)) {
    throw new TypeError(`a pointer to a set is an object { value: null }, not ${describe(pprset)}`);
  }
}

function policyOf(flags: number): LockedPolicy {
  if (flags === KDS_FLAG_LOCKED_FAIL) return 'fail';
  if (flags === KDS_FLAG_LOCKED_IGNORE) return 'ignore';
  if (flags === KDS_FLAG_LOCKED_WAIT) return 'wait';
  throw new RangeError(`flags are one of KDS_FLAG_LOCKED_*, not ${describe(flags)}`);
}

function setOf(
  domain: SyncDomain,
  count: number,
  bitmap: kds_bitmap,
  list: readonly kds_resource[],
): SetSpec {
  if (!Array.isArray(list)) {
    throw new TypeError(`a resource list is an array, not ${describe(list)}`);
  }
  if (!Number.isInteger(count) || count < 0 || count > list.length) {
    throw new InvalidSetError(
      `number_resources is ${describe(count)}, of a list of ${list.length} resource(s)`,
    );
  }
  const words = wordsOf(bitmap, count);
  const exclusive: ResourceRef[] = [];
  const shared: ResourceRef[] = [];
  for (let index = 0; index < count; index++) {
    const resource = list[index];
    const name = resource?.waiters;
    if (resource === undefined || typeof name !== 'string') {
      throw new InvalidSetError(
        `resource ${index} of the list is not initialised: kds_resource_init() it first`,
      );
    }
    const isExclusive = (((words[index >>> 5] as number) >>> (index & 31)) & 1) === 1;
    (isExclusive ? exclusive : shared).push(refOf(domain, resource, name));
  }
  return { exclusive, shared };
}

/** At least `count` bits. */
function wordsOf(bitmap: kds_bitmap, count: number): ArrayLike<number> {
  const wordCount = Math.ceil(count / 32);
  if (typeof bitmap === 'bigint') {
    if (bitmap < 0n) throw new InvalidSetError('a bitmap is 0n or more');
    const words: number[] = [];
    for (let rest = bitmap; words.length < wordCount; rest >>= 32n) {
      words.push(Number(BigInt.asUintN(32, rest)));
    }
    return words;
  }
  if (!Array.isArray(bitmap) && !(bitmap instanceof Uint32Array)) {
    throw new InvalidSetError(
      `a bitmap is a Uint32Array, an array of 32-bit words or a bigint, not ${describe(bitmap)}`,
    );
  }
  if (bitmap.length < wordCount) {
    throw new InvalidSetError(
      `a bitmap of ${bitmap.length} word(s) is too short for ${count} resource(s), ` +
        `which need ${wordCount}`,
    );
  }
  for (let index = 0; index < wordCount; index++) {
    const word: unknown = bitmap[index];
    if (isWord(word)) continue;
    throw new InvalidSetError(`word ${index} of the bitmap is ${describe(word)}, not 32 bits`);
  }
  return bitmap;
}

/** Also as `1 << 31` gives it, which is negative. */
function isWord(word: unknown): word is number {
  return Number.isInteger(word) && (word as number) >= -(2 ** 31) && (word as number) < 2 ** 32;
}
