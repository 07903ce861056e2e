/**
 * The scripts, and running them: by their digest, and as a whole where the server does not know
 * them any more (SCRIPT FLUSH, a fail-over). The order of two calls of different scripts may change
 * by that, once; their numbers take care of it (lua/enqueue.lua). A call that is given up after its
 * time limit may yet run.
 */

import { createHash } from 'node:crypto';
import { ProtocolError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RedisConnection, RedisReply } from './connection.ts';
import { text as audit } from './lua/audit.lua';
import { text as blockers } from './lua/blockers.lua';
import { text as change } from './lua/change.lua';
import { text as cycle } from './lua/cycle.lua';
import { text as enqueue } from './lua/enqueue.lua';
import { text as expired } from './lua/expired.lua';
import { text as heartbeat } from './lua/heartbeat.lua';
import { text as query } from './lua/query.lua';
import { text as revoke } from './lua/revoke.lua';
import { text as rule } from './lua/rule.lua';
import { text as state } from './lua/state.lua';
import { errorOf } from './refusals.ts';

export type ScriptName = 'enqueue' | 'change' | 'heartbeat' | 'audit' | 'query';

/** Fragments by the names that a script lists after `--- @lazy`. */
const fragments: Readonly<Record<string, string>> = { blockers, cycle, expired, revoke };

/** Each script with the fragments that it needs, as the server is given it. */
export const scriptTexts: Readonly<Record<ScriptName, string>> = {
  enqueue: [state, rule, lazyOf(enqueue), enqueue].join('\n'),
  change: [state, rule, lazyOf(change), change].join('\n'),
  heartbeat: [state, rule, expired, heartbeat].join('\n'),
  audit: [state, rule, audit].join('\n'),
  query: [state, query].join('\n'),
};

const digests: Readonly<Record<ScriptName, string>> = {
  enqueue: digestOf(scriptTexts.enqueue),
  change: digestOf(scriptTexts.change),
  heartbeat: digestOf(scriptTexts.heartbeat),
  audit: digestOf(scriptTexts.audit),
  query: digestOf(scriptTexts.query),
};

/**
 * The fragments of which most runs of a script call nothing: `lazy()` has their functions. To make
 * a function is cheap, but each run of a script makes all that are not within another one.
 */
function lazyOf(script: string): string {
  const names = /^--- @lazy (.*)$/m.exec(script)?.[1]?.split(', ') ?? [];
  const body = names.map((name) => fragments[name]).join('\n');
  const functions = [...body.matchAll(/^local function (\w+)/gm)].map(([, name]) => name);
  const made = functions.map((name) => `${name} = ${name}`).join(', ');
  return `local function lazy()\n${body}\nreturn { ${made} }\nend`;
}

/** The answer of a script (lua/state.lua). */
export interface ScriptReply {
  readonly answer: readonly RedisReply[];
  /** Notifications of the caller, a line each; '' for none. */
  readonly notifications: string;
  /** '' or the first key found to be damaged. */
  readonly damage: string;
  /** Queues are left that are to move on: a heartbeat is due. */
  readonly isUnfinished: boolean;
}

/** Time, ms, in which answers are read that arrived while the event loop was blocked. */
const readMs = 20;

interface Call {
  /** Grows with each call. */
  readonly number: number;
  readonly sinceMs: number;
  readonly reject: (error: Error) => void;
}

export class Scripts {
  readonly #connection: RedisConnection;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #limitMs: number;
  /** Those without an answer, in the order in which they were made. */
  readonly #calls = new Set<Call>();
  #numberLast = 0;
  /** Of the latest call that has been answered, and when an answer came last. */
  #answered = { number: 0, atMs: Number.NEGATIVE_INFINITY };
  #isTimerSet = false;

  /**
   * `limitMs`: time limit of a call. The server answers in order, so the limit of a call behind
   * others counts from the last answer: many calls at once may take longer together.
   */
  constructor(connection: RedisConnection, clock: Clock, root: string, limitMs: number) {
    this.#connection = connection;
    this.#clock = clock;
    this.#key = `${root}seq`;
    this.#limitMs = limitMs;
  }

  /**
   * @throws ProtocolError if the server refuses for good: damaged keys, no permission; LimitError
   * if its memory is at its end; UnavailableError if it cannot be reached in time, or not now: the
   * call may have been done, or may yet be.
   */
  async run(name: ScriptName, args: readonly string[]): Promise<ScriptReply> {
    return readReply(await this.inTime(this.#evaluate(name, args)));
  }

  /**
   * Has the server load what it does not know: of two calls by digest, the second may be done first
   * if the server knows its script alone.
   *
   * @throws UnavailableError
   */
  async load(): Promise<void> {
    const names = Object.keys(scriptTexts) as ScriptName[];
    try {
      const known = await this.send('SCRIPT', 'EXISTS', ...names.map((name) => digests[name]));
      const isKnown = (index: number): boolean =>
        Array.isArray(known) && Number(known[index]) === 1;
      const missing = names.filter((_, index) => !isKnown(index));
      await Promise.all(missing.map((name) => this.send('SCRIPT', 'LOAD', scriptTexts[name])));
    } catch (error) {
      // A user without that right: the first call of each script loads it.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  /** A command, with the time limit and the errors of a call. */
  async send(command: string, ...args: readonly string[]): Promise<RedisReply> {
    return this.inTime(this.#connection.send(command, ...args));
  }

  async #evaluate(name: ScriptName, args: readonly string[]): Promise<RedisReply> {
    const connection = this.#connection;
    try {
      return await connection.send('EVALSHA', digests[name], '1', this.#key, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      // This loads it too.
      return connection.send('EVAL', scriptTexts[name], '1', this.#key, ...args);
    }
  }

  /** The answer, or its error in terms of kds; UnavailableError if none comes in time. */
  inTime<T>(reply: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#numberLast++;
      const call: Call = { number: this.#numberLast, sinceMs: this.#clock.nowMs(), reject };
      this.#calls.add(call);
      if (this.#calls.size === 1) this.#setTimer(this.#limitMs);
      reply.then(
        (value) => {
          this.#noteAnswer(call);
          resolve(value);
        },
        (error) => {
          this.#noteAnswer(call);
          reject(errorOf(error));
        },
      );
    });
  }

  #noteAnswer(call: Call): void {
    this.#calls.delete(call);
    const number = Math.max(call.number, this.#answered.number);
    this.#answered = { number, atMs: this.#clock.nowMs() };
  }

  /** One timer for all of them: a timer each would cost as much as all else. */
  #setTimer(delayMs: number, isLast = false): void {
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    this.#clock.after(delayMs, () => {
      this.#isTimerSet = false;
      const nowMs = this.#clock.nowMs();
      for (const call of this.#calls) {
        const leftMs = this.#leftMs(call, nowMs);
        if (leftMs > 0 || !isLast) {
          if (leftMs > 0) this.#setTimer(Math.ceil(leftMs));
          else this.#setTimer(readMs, true);
          return;
        }
        this.#calls.delete(call);
        call.reject(new UnavailableError(`redis has not answered for ${this.#limitMs} ms`));
      }
    });
  }

  /** One that the server has passed over gets no answer any more, whatever comes later. */
  #leftMs({ number, sinceMs }: Call, nowMs: number): number {
    const { number: answered, atMs } = this.#answered;
    const fromMs = number < answered ? sinceMs : Math.max(sinceMs, atMs);
    return fromMs + this.#limitMs - nowMs;
  }
}

function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

function readReply(reply: RedisReply): ScriptReply {
  if (Array.isArray(reply)) {
    const [answer, notifications, damage, unfinished] = reply;
    const areTexts = typeof notifications === 'string' && typeof damage === 'string';
    if (Array.isArray(answer) && areTexts) {
      return { answer, notifications, damage, isUnfinished: unfinished === 'more' };
    }
  }
  throw strangeAnswer();
}

export function strangeAnswer(): ProtocolError {
  return new ProtocolError('redis answered a script of kds with something else');
}
