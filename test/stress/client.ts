/**
 * A client under stress: requests random sets, in every way, and writes into a journal that all
 * clients append to when it begins to hold a set, and when it is about to let go. It may be killed
 * at any time. After `stop` it requests nothing more, and ends when it holds and awaits nothing.
 */

import { openSync, writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { Domain, Grant } from '../../src/index.ts';
import type { NamedSets } from './journal.ts';
import { randomFrom } from './random.ts';

export interface StressOptions {
  readonly domain: Domain;
  readonly journalPath: string;
  readonly seed: number;
  /** Its name in the journal. */
  readonly client: string;
  /** What is done at the beginning and at the end of a section, besides passing the time. */
  readonly inSection?: (grant: Grant, set: NamedSets) => Promise<void>;
  /** Errors that requests may end with, by their codes, besides a time-out. */
  readonly mayEndWith?: readonly string[];
  /** Some sets are held for up to that time, ms. Default 1500. */
  readonly longMsMax?: number;
}

export class StressClient {
  readonly #options: StressOptions;
  readonly #journal: number;
  readonly #random: () => number;
  #count = 0;
  #isStopping = false;

  constructor(options: StressOptions) {
    this.#options = options;
    this.#journal = openSync(options.journalPath, 'a');
    this.#random = randomFrom(options.seed);
  }

  /** Runs until the parent process sends `stop`; up to `requesterCount` requests at a time. */
  async run(requesterCount: number): Promise<void> {
    process.on('message', (message) => {
      if (message === 'stop') this.#isStopping = true;
    });
    process.send?.('ready');
    const requesters = Array.from({ length: requesterCount }, () => this.#keepRequesting());
    try {
      await Promise.all([this.#keepHolding(), ...requesters]);
    } catch (error) {
      this.#write({ do: 'failed', error: inspect(error) });
      throw error;
    }
    await this.#options.domain.close();
    this.#write({ do: 'done', count: this.#count });
  }

  async #keepRequesting(): Promise<void> {
    while (!this.#isStopping) await this.#request();
  }

  /** Holds for long, so that faults of the host come meanwhile. */
  async #keepHolding(): Promise<void> {
    const { domain, longMsMax = 1500 } = this.#options;
    while (!this.#isStopping) {
      const set = this.#randomSet(['x', 'y', 'z']);
      await domain.acquire(set).then((grant) => this.#hold(grant, set, longMsMax), this.#end);
    }
  }

  async #request(): Promise<void> {
    const { domain } = this.#options;
    const set = this.#randomSet(['a', 'b', 'c', 'd', 'e']);
    const way = this.#random();
    if (way < 0.2) {
      const grant = await domain.tryAcquire(set).catch(this.#end);
      if (grant) await this.#hold(grant, set);
    } else if (way < 0.4) {
      await new Promise<void>((resolve) => {
        const onGrant = (grant: Grant): void => void this.#hold(grant, set).then(resolve);
        const onRefused = (error: unknown): void => {
          this.#end(error);
          resolve();
        };
        const waiter = domain.enqueue(set, onGrant, { onRefused });
        setTimeout(() => {
          if (waiter.cancel()) resolve();
        }, this.#random() * 20);
      });
    } else {
      const limit = way < 0.6 ? { timeoutMs: this.#random() * 10 } : {};
      await domain.acquire(set, limit).then((grant) => this.#hold(grant, set), this.#end);
    }
  }

  async #hold(grant: Grant, set: NamedSets, msMax = 4): Promise<void> {
    this.#count++;
    const id = `${this.#options.client}.${this.#count}`;
    this.#write({ do: 'begin', id, token: grant.token, set });
    grant.signal.addEventListener('abort', () => this.#write({ do: 'lost', id }));
    await this.#options.inSection?.(grant, set);
    const ms = this.#random() * msMax;
    if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
    await this.#options.inSection?.(grant, set);
    this.#write({ do: 'end', id });
    if (this.#random() < 0.1) void grant.abandon();
    else void grant.release();
  }

  /** @throws what no request may end with. */
  readonly #end = (error: unknown): void => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'KDS_WAIT_TIMEOUT') return;
    if (!this.#options.mayEndWith?.includes(code)) throw error;
  };

  #randomSet(names: readonly string[]): NamedSets {
    const exclusive: string[] = [];
    const shared: string[] = [];
    for (const name of names) {
      const part = this.#random();
      if (part < 0.2) exclusive.push(name);
      else if (part < 0.45) shared.push(name);
    }
    return { exclusive, shared };
  }

  #write(line: object): void {
    const { client } = this.#options;
    writeSync(this.#journal, `${JSON.stringify({ client, ...line })}\n`);
  }
}
