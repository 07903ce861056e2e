/**
 * An arena: shared memory that domains in several threads lock in. A plain object, so it goes
 * through workerData and postMessage.
 */

import { ProtocolError } from '../../api/errors.ts';
import { describe } from '../../api/sets.ts';
import { checkCanShareMemory, isSharedMemory } from '../../api/shared-memory.ts';
import {
  dropIntent,
  endOfSlots,
  layJournal,
  Memory,
  recordArrival,
  recordEnd,
} from '../../core/index.ts';
import { stateOf } from './agents.ts';
import * as C from './control.ts';
import { isLaidOut, layRoot } from './root.ts';

/**
 * An arena: shared memory in which domains of several threads lock. Made by {@link createArena}; a
 * plain object, which goes through `workerData` and `postMessage`.
 *
 * @since 0.1.0
 */
export interface Arena {
  /** Identifies the object as an arena. */
  readonly kind: 'kds-arena';
  /** The version of the layout: all threads use one version of kds. */
  readonly version: number;
  /** The memory. Its words are for kds only. */
  readonly buffer: SharedArrayBuffer;
}

/**
 * Options of {@link createArena}.
 *
 * @since 0.1.0
 */
export interface ArenaOptions {
  /**
   * Size limit, bytes: an integer from 2^16 to 2^30. Default 2^26. Four ninths are for sets and
   * names (a waiting set of two takes 96 bytes of them), the rest is for undoing. Unused memory
   * costs addresses only. A request that finds no memory is a {@link LimitError}.
   */
  readonly bytesMax?: number | undefined;
  /** Domains that may be open in the arena at one time: an integer from 2 to 1024. Default 64. */
  readonly agentsMax?: number | undefined;
}

const magic = 0x6b647361;
/** Of the layout: of control.ts, root.ts, names.ts, labels.ts, unit-names.ts, and of core. */
const version = 5;
const bytesMaxDefault = 2 ** 26;
const bytesMinLimit = 2 ** 16;
const bytesMaxLimit = 2 ** 30;
const bytesAtFirst = 2 ** 18;
/** Of an agent, with its share of the journal. */
const inboxBytes = 80;

/**
 * Makes an arena. Send it to each thread, and open a domain in it there.
 *
 * @param options - Size and number of domains, at most.
 * @throws TypeError or RangeError if an option is invalid; RangeError if the system lacks memory.
 * @throws {@link UnsupportedError} in a page that is not cross-origin isolated, by the headers COOP
 * and COEP.
 * @waits Never.
 * @example
 * ```ts
 * import { createArena, openThreadsDomain } from 'kds/threads';
 *
 * const arena = createArena({ bytesMax: 2 ** 20 }); // new Worker(url, { workerData: arena })
 * const domain = openThreadsDomain(arena);
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export function createArena(options: ArenaOptions = {}): Arena {
  checkCanShareMemory();
  const { bytesMax = bytesMaxDefault, agentsMax = C.agentCountMaxDefault } = options;
  checkCount('bytesMax', bytesMax, bytesMinLimit, bytesMaxLimit);
  checkCount('agentsMax', agentsMax, 2, C.agentCountLimit);
  const controlBytes = C.controlWordsFor(agentsMax) * 4;
  const bytes = Math.max(bytesMax, controlBytes + agentsMax * inboxBytes + bytesMinLimit / 2) & ~7;
  const buffer = allocate(bytes, Math.min(bytes, Math.max(bytesAtFirst, controlBytes * 2)));
  const control = new Int32Array(buffer, 0, controlBytes / 4);
  control[C.VERSION] = version;
  control[C.WORD_COUNT] = (buffer.byteLength - controlBytes) >> 2;
  control[C.WORD_COUNT_MAX] = (bytes - controlBytes) >> 2;
  control[C.AGENT_COUNT_MAX] = agentsMax;
  globalThis.crypto.getRandomValues(fresh).forEach((word, index) => {
    control[index === 0 ? C.SEED : C.ID + index - 1] = word;
  });
  new Float64Array(buffer, C.EPOCH * 4, 1)[0] = Date.now();
  const words = new Int32Array(buffer, controlBytes, control[C.WORD_COUNT]);
  layRoot(words, agentsMax);
  layJournal(words, endOfSlots(words.length));
  // Last: what is not whole is no arena.
  Atomics.store(control, C.MAGIC, magic);
  return { kind: 'kds-arena', version, buffer };
}

const fresh = new Int32Array(3);

/** Where the runtime can, only what is used is there; elsewhere the system sees to that. */
function allocate(bytesMax: number, bytes: number): SharedArrayBuffer {
  const canGrow = 'grow' in SharedArrayBuffer.prototype;
  return canGrow
    ? new SharedArrayBuffer(bytes, { maxByteLength: bytesMax })
    : new SharedArrayBuffer(bytesMax);
}

/** @throws TypeError, RangeError */
export function checkCount(name: string, value: number, min: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number, not ${describe(value)}`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} is a whole number from ${min} to ${max}, not ${value}`);
  }
}

/**
 * The words that {@link Arena.buffer} begins with.
 *
 * @throws TypeError for what is no arena; ProtocolError for one of another version, or damaged.
 */
export function controlOf(arena: Arena): Int32Array {
  const { kind, buffer } = (arena ?? {}) as Partial<Arena>;
  if (kind !== 'kds-arena' || !isSharedMemory(buffer)) {
    checkCanShareMemory();
    throw new TypeError(`an arena is made by createArena(), and this is ${describe(arena)}`);
  }
  if (buffer.byteLength < C.controlWordsFor(0) * 4) throw damaged('it is too short');
  const start = new Int32Array(buffer, 0, C.controlWordsFor(0));
  if (Atomics.load(start, C.MAGIC) !== magic) throw damaged('it does not begin as an arena does');
  const found = start[C.VERSION];
  if (found !== version) {
    throw new ProtocolError(
      `the arena is of version ${found}, and this copy of kds works on version ${version}: ` +
        'use one version of kds in all threads',
    );
  }
  const agentsMax = start[C.AGENT_COUNT_MAX];
  const controlWords = C.controlWordsFor(agentsMax);
  const wordCount = Atomics.load(start, C.WORD_COUNT);
  const isSound =
    agentsMax >= 2 &&
    agentsMax <= C.agentCountLimit &&
    wordCount > 0 &&
    wordCount <= start[C.WORD_COUNT_MAX] &&
    (controlWords + wordCount) * 4 <= buffer.byteLength;
  if (!isSound) throw damaged('its sizes do not fit');
  const control = new Int32Array(buffer, 0, controlWords);
  checkAgents(control);
  const words = new Int32Array(buffer, controlWords * 4, wordCount);
  if (!isLaidOut(words, agentsMax, endOfSlots(wordCount))) throw damaged('it is not laid out');
  return control;
}

/** Without the lock, so others may come and go meanwhile. */
function checkAgents(control: Int32Array): void {
  const lock = Atomics.load(control, C.LOCK);
  let isAnybodyThere = false;
  for (let agent = 0; agent < (control[C.AGENT_COUNT_MAX] as number); agent++) {
    const state = stateOf(control, agent);
    if (state > C.JOINING) throw damaged(`agent ${agent} is in no state`);
    if (state !== C.FREE) isAnybodyThere = true;
  }
  // An owner who had come meanwhile, or gone, would have changed the word.
  const isNobodys = lock !== 0 && !isAnybodyThere && Atomics.load(control, C.LOCK) === lock;
  if (isNobodys) throw damaged('its lock is taken by nobody');
}

export function damaged(what: string): ProtocolError {
  return new ProtocolError(`the arena is damaged: ${what}. Make a new one with createArena()`);
}

/** In hexadecimal digits: identifies an arena. */
export function idOf(control: Int32Array): string {
  const words = [...control.subarray(C.ID, C.ID + 2)];
  return words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Core's words in an arena. Only the owner of the arena's lock may read, use or grow them. */
export class ArenaMemory extends Memory {
  override readonly intents = { recordArrival, recordEnd, dropIntent };
  readonly #control: Int32Array;

  constructor(control: Int32Array) {
    super({ wordsMin: 0, wordsMax: 0 });
    this.#control = control;
    this.refresh();
  }

  /** Another thread may have made it larger. */
  get isStale(): boolean {
    return this.words.length !== this.#control[C.WORD_COUNT];
  }

  /** All that there is now, and the journal where it belongs. */
  refresh(): void {
    const control = this.#control;
    const { buffer, byteLength } = control;
    const wordCount = control[C.WORD_COUNT];
    this.words = new Int32Array(buffer, byteLength, wordCount);
    this.doubles = new Float64Array(buffer, byteLength, wordCount >> 1);
    this.end = endOfSlots(wordCount);
  }

  /** Doubles it, between operations. False if it is as large as it may be, or as memory allows. */
  enlarge(): boolean {
    const control = this.#control;
    const buffer = control.buffer as SharedArrayBuffer;
    const wordCount = control[C.WORD_COUNT];
    const wordCountNext = Math.min(wordCount * 2, control[C.WORD_COUNT_MAX]);
    if (wordCountNext === wordCount) return false;
    const bytes = control.byteLength + wordCountNext * 4;
    try {
      if (bytes > buffer.byteLength) buffer.grow(bytes);
    } catch {
      return false;
    }
    // First this, then the journal: a thread that finds only the first lays the journal again.
    Atomics.store(control, C.WORD_COUNT, wordCountNext);
    this.refresh();
    layJournal(this.words, this.end);
    return true;
  }

  /** Not within an operation: its journal is in the way. The backend enlarges, and begins again. */
  override grow(): boolean {
    return false;
  }

  /** What other threads use is not given back. */
  override shrink(): void {}
}
