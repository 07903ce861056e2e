/**
 * The asynchronous context of a request (AsyncLocalStorage): its callbacks run in that one, and not
 * in the context of the call that grants it. Promises keep their context by themselves.
 *
 * A captured context costs memory and time for each request. So nothing is captured while no
 * AsyncLocalStorage is in use, which the runtime does not report directly. Where AsyncLocalStorage
 * works by promise hooks (Node up to 22), each promise made while one is in use has an async id as
 * a property, so a new promise is checked for it. Elsewhere a context is always captured. Without
 * AsyncLocalStorage, as in browsers, there is nothing to capture.
 */

/** AsyncResource, as far as it is used here. */
interface AsyncContext {
  runInAsyncScope<A>(fn: (argument: A) => unknown, thisArg: unknown, argument: A): unknown;
}

interface AsyncHooks {
  readonly AsyncResource: new (type: string) => AsyncContext;
  readonly AsyncLocalStorage: { readonly prototype: object };
}

/** What {@link captureContext} returns: undefined if no AsyncLocalStorage was in use. */
export type CapturedContext = AsyncContext | undefined;

/** Context of the caller, for the callbacks of its request. */
export function captureContext(): CapturedContext {
  return isContextInUse() && hooks !== undefined
    ? new hooks.AsyncResource(resourceType)
    : undefined;
}

/**
 * Calls a function in a captured context. One that was captured while no AsyncLocalStorage was in
 * use is empty: the stores of the calling code are not visible in it.
 */
export function runInContext<A>(
  context: CapturedContext,
  fn: (argument: A) => unknown,
  argument: A,
  thisArg?: unknown,
): unknown {
  if (context !== undefined) return context.runInAsyncScope(fn, thisArg, argument);
  if (!wasInUse || empty === undefined) return fn.call(thisArg, argument);
  return empty.runInAsyncScope(fn, thisArg, argument);
}

/** To be called before {@link runInContext}, once for any number of calls in one turn. */
export function detectContext(): void {
  if (!wasInUse) isContextInUse();
}

const resourceType = 'KDS';

/** Once an AsyncLocalStorage has been seen in use, it is taken to be so for good. */
let wasInUse = false;
/** Made while none was in use, so it has no stores. */
let empty: AsyncContext | undefined;
/** Undefined until the first call. */
let isInUse: (() => boolean) | undefined;
let hooks: AsyncHooks | undefined;

function isContextInUse(): boolean {
  isInUse ??= load();
  if (wasInUse) return true;
  wasInUse = isInUse();
  if (!wasInUse && hooks !== undefined) empty ??= new hooks.AsyncResource(resourceType);
  return wasInUse;
}

/** How to find out whether any AsyncLocalStorage is in use. */
function load(): () => boolean {
  const builtin = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
  hooks = builtin?.('async_hooks') as AsyncHooks | undefined;
  if (hooks === undefined) return () => false;
  const usesPromiseHooks = '_propagate' in hooks.AsyncLocalStorage.prototype;
  const idKey = Object.getOwnPropertySymbols(new hooks.AsyncResource(resourceType)).find(
    ({ description }) => description === 'async_id_symbol',
  );
  if (!usesPromiseHooks || idKey === undefined) return () => true;
  return () => idKey in newPromise();
}

/** Of the runtime itself, also where a library has replaced the global `Promise`. */
async function newPromise(): Promise<void> {}
