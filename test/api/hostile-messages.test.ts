/** Names and labels of others in messages: on every backend none is shown as it is. */

import { Redis } from 'ioredis';
import { createDomain, type DeadlockError, type Domain, KdsError, WaitTimeoutError } from 'kds';
import { openBrokerDomain } from 'kds/broker';
import { openEtcdDomain } from 'kds/etcd';
import { openRedisDomain } from 'kds/redis';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { jsonText, printable, quote } from '../../src/runtime/escape.ts';
import { bundleBroker, removePrograms } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { EtcdCluster, hasEtcd } from '../etcd/server.ts';
import { hostileNames, unsafe } from '../inspect/hostile-names.ts';
import { describeWithRedis, startRedisServer } from '../redis/server.ts';

/** Redis and etcd keep what is Unicode; and names of 65,536 units need no request of their own. */
const names = [...hostileNames.filter((name) => name.length < 1000), '\u{e0041}\ufeff\u061c\u200f'];

function expectSafe(error: unknown, code: string): void {
  expect(error).toMatchObject({ code });
  const { message, stack = '' } = error as Error;
  expect(message).not.toMatch(unsafe);
  expect(message).not.toContain('\n');
  expect(stack).not.toMatch(unsafe);
}

function errorOf(promise: unknown): Promise<unknown> {
  return Promise.resolve(promise).then(
    () => undefined,
    (error: unknown) => error,
  );
}

function testMessages(open: () => Promise<Domain>): void {
  it.each(names.map((name) => [JSON.stringify(name), name]))('%s', async (_, name) => {
    const label = `label ${name}`;
    const exclusive = `name ${name}`;
    const holding = await open();
    const waiting = await open();
    const session = holding.session({ label });
    const held = await session.acquire({ exclusive });
    const late = errorOf(waiting.acquire({ exclusive }, { timeoutMs: 10, label }));
    expectSafe(await late, 'KDS_WAIT_TIMEOUT');
    expectSafe(await errorOf(waiting.acquire({ exclusive }, { timeoutMs: 0 })), 'KDS_WAIT_TIMEOUT');
    expectSafe(
      await errorOf(waiting.settled({ exclusive }, { timeoutMs: 10 })),
      'KDS_WAIT_TIMEOUT',
    );
    expectSafe(
      await errorOf((async () => waiting.resource(exclusive).close())()),
      'KDS_RESOURCE_BUSY',
    );
    const wrong = { exclusive, [name === '' ? '\u202e' : name]: 'a' };
    expectSafe(await errorOf(waiting.acquire(wrong)), 'KDS_INVALID_SET');

    const mine = await waiting.acquire({ exclusive: `b ${name}` }, { label });
    const asked = errorOf(holding.acquire({ exclusive: `b ${name}` }, { label, holding: held }));
    const also = errorOf(waiting.acquire({ exclusive }, { label, holding: mine }));
    // Either of the two may be the one that closes the circle; the other one goes on waiting.
    const refused = await Promise.race([asked, also]);
    expectSafe(refused, 'KDS_DEADLOCK');
    const { cycle } = refused as DeadlockError;
    const told = cycle.flatMap(({ set }) => set.exclusive);
    if (told.length > 0) expect(told).toContain(exclusive);
    await holding.close();
    await waiting.close();
  });
}

describe('in messages of one event loop', () => {
  const domain = createDomain();
  testMessages(async () => domain.session() as Domain);

  it('of a synchronous caller', async () => {
    for (const name of names) {
      const own = createDomain();
      own.acquireSync({ exclusive: name }, { label: name });
      const refused = own.acquire({ shared: name }, { locked: 'fail' });
      expectSafe(await errorOf(refused), 'KDS_LOCKED');
    }
  });
});

describe('in messages of threads', () => {
  let arena = createArena();
  afterEach(() => {
    arena = createArena();
  });
  testMessages(async () => openThreadsDomain(arena));
});

describe('in messages of a broker', () => {
  let socket = '';
  beforeAll(async () => {
    await bundleBroker();
    socket = freshSocketPath();
  });
  afterAll(() => {
    removePrograms();
    removePlaces();
  });
  testMessages(() => openBrokerDomain({ socket }));
});

describe.skipIf(!hasEtcd)(hasEtcd ? 'in messages of etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());
  testMessages(() => openEtcdDomain(cluster.hosts, { name: 'messages', leaseSeconds: 60 }));
});

describeWithRedis('in messages of redis', () => {
  let server: Awaited<ReturnType<typeof startRedisServer>>;
  const clients: Redis[] = [];
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
  });
  testMessages(() => {
    const client = new Redis({ port: server.port, host: '127.0.0.1' });
    clients.push(client);
    return openRedisDomain(client, { name: 'messages', leaseMs: 60_000 });
  });
});

describe('printable texts', () => {
  it('are escaped in every error of ours, whatever it was made of', () => {
    const error = new WaitTimeoutError('a\x9b31m\u202eb\ud800\u2028');
    expect(error).toBeInstanceOf(KdsError);
    expect(error.message).toBe('a\\u009b31m\\u202eb\\ud800\\u2028');
  });

  it('keep what people write', () => {
    for (const text of ['naïve', '日本', '🙂', 'a-b/c:d', 'x y']) {
      expect(quote(text)).toBe(`"${text}"`);
      expect(JSON.parse(jsonText({ text }))).toEqual({ text });
    }
  });

  it('are not cut within a character', () => {
    for (const length of [1, 2, 3, 4, 5]) {
      expect(quote('🙂🙂🙂🙂', length)).not.toContain('\\ud8');
      expect(printable('🙂🙂🙂🙂', length)).not.toContain('\\ud8');
    }
  });

  it('stand in JSON as the same value', () => {
    for (const name of [...names, '\u{e0041}']) {
      const text = jsonText({ [name]: [name] });
      expect(text).not.toMatch(unsafe);
      expect(JSON.parse(text)).toEqual({ [name]: [name] });
    }
  });
});
