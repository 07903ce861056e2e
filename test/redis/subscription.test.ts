import { describe, expect, it } from 'vitest';
import type { RedisConnection } from '../../src/backends/redis/connection.ts';
import { checksPerLease, SubscriptionCheck } from '../../src/backends/redis/subscription-check.ts';
import { MovedClock } from '../runtime/moved-clock.ts';
import { libraries } from './clients.ts';
import { soon, withRedisServer } from './opened.ts';
import { describeWithRedis } from './server.ts';
import { SilentNetwork } from './silent-network.ts';

const leaseMs = 6000;

/** A check whose messages come, or do not, as the test wants. */
class Checked {
  readonly clock = new MovedClock();
  isSilent = false;
  isUp = true;
  publishes = true;
  renewCount = 0;
  isRenewable = true;
  readonly check: SubscriptionCheck;

  constructor() {
    this.check = new SubscriptionCheck({
      connection: {
        publish: async (_channel: string, text: string) => {
          if (!this.publishes) throw new Error('not answered');
          if (!this.isSilent) this.check.take(text);
        },
        renewSubscriptions: async () => {
          this.renewCount++;
          if (!this.isRenewable) throw new Error('not connected');
          this.isSilent = false;
        },
        close: async () => undefined,
      } as unknown as RedisConnection,
      clock: this.clock,
      channel: 'c',
      leaseMs,
      isUp: () => this.isUp,
      inTime: (reply) => reply,
      onRenewed: () => undefined,
    });
    this.check.start();
  }

  /** Goes on by some ms, and lets what is promised happen on the way. */
  async move(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= 50) {
      this.clock.move(Math.min(50, leftMs));
      await new Promise(setImmediate);
    }
  }
}

describe('the check of a subscription', () => {
  it('notices a silent death within a third of the lease, whenever that is', async () => {
    for (let atMs = 0; atMs < leaseMs / checksPerLease; atMs += 100) {
      const checked = new Checked();
      await checked.move(leaseMs + atMs);
      checked.isSilent = true;
      await checked.move(leaseMs / 3 + 50);
      expect([atMs, checked.renewCount]).toEqual([atMs, 1]);
    }
  });

  it('leaves a connection alone whose messages come', async () => {
    const checked = new Checked();
    await checked.move(10 * leaseMs);
    expect(checked.renewCount).toBe(0);
  });

  it('concludes nothing while the server does not answer', async () => {
    const checked = new Checked();
    await checked.move(leaseMs);
    checked.isSilent = true;
    checked.publishes = false;
    await checked.move(leaseMs);
    checked.publishes = true;
    checked.isUp = false;
    await checked.move(leaseMs);
    expect(checked.renewCount).toBe(0);
  });

  it('tries again if the new connection cannot be made', async () => {
    const checked = new Checked();
    checked.isSilent = true;
    checked.isRenewable = false;
    await checked.move(leaseMs);
    expect(checked.renewCount).toBeGreaterThan(2);
    checked.isRenewable = true;
    await checked.move(leaseMs / checksPerLease + 50);
    const { renewCount } = checked;
    await checked.move(leaseMs);
    expect(checked.renewCount).toBe(renewCount);
  });
});

describeWithRedis('a subscription that falls silent', () => {
  const redis = withRedisServer();

  // At once, as each waits two checks long.
  it('is made anew with each library, and messages come again', async () => {
    await Promise.all(
      Object.entries(libraries).map(async ([library, make]) => {
        const network = await SilentNetwork.before(redis.server.port);
        redis.atEnd(() => network.close());
        const { client, end } = await make(network.port);
        redis.atEnd(end);
        const name = `${redis.name} ${library}`;
        // Heartbeats are too seldom to stand in for a message, and checks come each 2 s.
        const domain = await redis.open(client, { name, leaseMs: 12_000 });
        const holder = await redis.open(redis.client(), { name });
        const countIs = (count: number): Promise<void> =>
          expect.poll(() => [library, network.subscriptionCount], soon).toEqual([library, count]);
        await countIs(1);
        network.silenceSubscriptions();
        expect(network.subscriptionCount).toBe(0);
        await countIs(1);
        for (let round = 0; round < 3; round++) {
          const grant = await holder.acquire({ exclusive: 'a' });
          const next = domain.acquire({ exclusive: 'a' });
          await domain.query();
          await grant.release();
          await (await next).release();
        }
        await domain.close();
        await countIs(0);
      }),
    );
  });
});
