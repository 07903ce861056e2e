/** What goes on in a shop, some of it in each other's way: its page has something to show. */

import type { SetSpec, SyncDomain } from 'kds';
import { randomFrom } from '../stress/random.ts';

interface Trade {
  readonly label: string;
  /** How many of them are at work at the same time. */
  readonly count: number;
  set(random: () => number): SetSpec;
  readonly holdMs: number;
  readonly restMs: number;
}

const between = (random: () => number, count: number): number => Math.floor(random() * count);

const trades: readonly Trade[] = [
  {
    label: 'web',
    count: 24,
    set: (random) => ({ shared: ['prices', 'stock'], exclusive: `order ${between(random, 40)}` }),
    holdMs: 60,
    restMs: 250,
  },
  {
    label: 'payments',
    count: 8,
    set: (random) => ({
      exclusive: [`account ${between(random, 12)}`, `order ${between(random, 40)}`],
    }),
    holdMs: 120,
    restMs: 500,
  },
  {
    label: 'warehouse',
    count: 3,
    set: () => ({ exclusive: 'stock', shared: 'prices' }),
    holdMs: 80,
    restMs: 1200,
  },
  {
    label: 'reports',
    count: 2,
    set: (random) => ({
      shared: [
        'prices',
        'stock',
        ...[0, 1, 2].map((more) => `account ${between(random, 4) + more * 4}`),
      ],
    }),
    holdMs: 700,
    restMs: 2000,
  },
  {
    label: 'price list',
    count: 1,
    set: () => ({ exclusive: 'prices' }),
    holdMs: 400,
    restMs: 6000,
  },
];

export class Business {
  readonly #domain: SyncDomain;
  readonly #random = randomFrom(42);
  #isOpen = true;

  constructor(domain: SyncDomain) {
    this.#domain = domain;
    for (const trade of trades) {
      for (let index = 1; index <= trade.count; index++) void this.#work(trade, index);
    }
  }

  /** Resolves after that time, and as soon then as somebody waits. */
  async run(ms: number): Promise<void> {
    await this.#pause(ms);
    while ((await this.#domain.query()).pending.length < 12) await this.#pause(5);
  }

  stop(): void {
    this.#isOpen = false;
  }

  async #work(trade: Trade, index: number): Promise<void> {
    const session = this.#domain.session({ label: trade.label });
    await this.#pause(this.#random() * trade.restMs);
    while (this.#isOpen) {
      const options = { label: `${trade.label} ${index}` };
      const hold = () => this.#pause(trade.holdMs * (0.5 + this.#random()));
      await session.run(trade.set(this.#random), options, hold).catch(() => undefined);
      await this.#pause(trade.restMs * (0.5 + this.#random()));
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
