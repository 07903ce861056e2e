/** Clients that are wrong, or ill-willed: each gets its error or is cut off; no other notices. */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type BrokerDomain, openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { protocolVersion } from '../../src/backends/broker/wire/limits.ts';
import { bundleBroker, removePrograms, until } from './programs.ts';
import { owned, RawClient, shared } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const frameBytesMax = 4 * 2 ** 20;
let socket = '';
let domain: BrokerDomain;

beforeAll(async () => {
  await bundleBroker();
  socket = freshSocketPath();
  domain = await openBrokerDomain({ socket });
});

/** The honest client sees the same broker, with nothing in it. */
beforeEach(() => {
  const { brokerPid } = domain;
  return async () => {
    await until(async () => (await domain.query()).held.length === 0, 'nothing is held');
    expect(await domain.query()).toEqual({ held: [], pending: [] });
    expect(domain.brokerPid).toBe(brokerPid);
    expect(brokerBytes(brokerPid)).toBeLessThan(600 * 2 ** 20);
  };
});

afterAll(async () => {
  await domain.close();
  removePrograms();
  removePlaces();
});

function brokerBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

describe('an invalid frame is reported, and its sender is cut off', () => {
  const frames: readonly [what: string, bytes: string | Buffer][] = [
    ['a line that is no JSON', 'GET / HTTP/1.1\r\n'],
    ['a list', '[]\n'],
    ['a number', '5\n'],
    ['null', 'null\n'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a])],
    ['binary rubbish', Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256))],
    ['a frame without an end', 'x'.repeat(frameBytesMax + 1)],
    ['JSON that is too deep', `${'['.repeat(200_000)}\n`],
  ];
  it.each(frames)('%s', async (_, bytes) => {
    const client = await RawClient.connect(socket);
    client.write(bytes);
    expect(await client.next('error')).toMatchObject({
      code: 'KDS_PROTOCOL',
      version: protocolVersion,
    });
    await client.closed();
  });
});

describe('an invalid message is reported, and its sender is cut off', () => {
  const acquire = { do: 'acquire', id: 1, parts: [] };
  const frames: readonly [what: string, frame: object][] = [
    ['a verb that there is not', { do: 'destroy', id: 1 }],
    ['no verb', {}],
    ['hello again', { do: 'hello', version: protocolVersion }],
    ['no id', { do: 'acquire', parts: [] }],
    ['an id of 0', { ...acquire, id: 0 }],
    ['an id that is no whole number', { ...acquire, id: 1.5 }],
    ['an id beyond what a double tells apart', { ...acquire, id: 2 ** 53 }],
    [
      'names that are none',
      {
        ...acquire,
        parts: [
          ['a', 'all'],
          [null, 'all'],
        ],
      },
    ],
    ['no list of parts', { ...acquire, parts: 'a' }],
    ['no parts', { do: 'acquire', id: 1 }],
    ['units of nothing', { ...acquire, parts: [['a']] }],
    ['units that this version does not have', { ...acquire, parts: [['a', 2]] }],
    ['a session that there is not', { ...acquire, session: 5 }],
    ['a time-out below 0', { ...acquire, timeoutMs: -1 }],
    ['a policy that there is not', { ...acquire, locked: 'perhaps' }],
    ['a label that is no text', { ...acquire, label: 5 }],
    ['holding what is no list', { ...acquire, holding: 1 }],
    ['a token that nobody can have', { do: 'reclaim', id: 1, parts: [], token: 2 ** 53 }],
    ['a part of nothing', { do: 'release', part: ['a'] }],
    ['ids of nothing', { do: 'cancel', ids: ['1'] }],
  ];
  it.each(frames)('%s', async (_, frame) => {
    const client = await RawClient.greeted(socket);
    client.say({ do: 'acquire', id: 7, ...owned('held') });
    await client.next('granted');
    client.say(frame, { do: 'acquire', id: 8, ...owned('after') });
    expect(await client.next('error')).toMatchObject({ code: 'KDS_PROTOCOL' });
    await client.closed();
    const grant = await domain.acquire({ exclusive: ['held', 'after'] });
    expect(grant.recovered, 'what it held').toEqual(['held']);
    await grant.release();
  });

  it('an id that is used already', async () => {
    const client = await RawClient.greeted(socket);
    client.say({ ...acquire, ...owned('a') }, { ...acquire, ...owned('b') });
    expect(await client.next('error')).toMatchObject({ code: 'KDS_PROTOCOL' });
    await client.closed();
    await domain.run({ exclusive: 'a' }, ({ recovered }) => expect(recovered).toEqual(['a']));
  });

  it('a part that is not held', async () => {
    const client = await RawClient.greeted(socket);
    client.say({ ...acquire, ...owned('a') }, { do: 'release', id: 1, part: ['a', 'b'] });
    expect(await client.next('error')).toMatchObject({ code: 'KDS_PROTOCOL' });
    await client.closed();
    await domain.run({ exclusive: 'a' }, ({ recovered }) => expect(recovered).toEqual(['a']));
  });

  it('a version that is not spoken here', async () => {
    const client = await RawClient.connect(socket);
    client.say({ do: 'hello', version: 1 });
    expect(await client.next('error')).toMatchObject({
      code: 'KDS_PROTOCOL',
      version: protocolVersion,
      message: expect.stringMatching(
        /client is of version 1, .* uses version 2: close all domains/,
      ),
    });
    await client.closed();
  });

  it('more resources without a name than may be, wherever they are named', async () => {
    for (const named of [{ do: 'release', id: 1 }, { do: 'downgrade', id: 1 }, undefined]) {
      const client = await RawClient.greeted(socket);
      client.say({ ...acquire, ...owned('a') });
      for (let start = 0; start < 65_536; start += 4096) {
        const numbers = Array.from({ length: 4096 }, (_, index) => start + index);
        client.say(
          { do: 'try', id: 2 + start, ...shared(...numbers) },
          { do: 'release', id: 2 + start },
        );
      }
      if (named === undefined) client.say({ do: 'close', id: 9e6, resource: 70_000 });
      else client.say({ ...named, part: [70_000] });
      expect(await client.next('error')).toMatchObject({ code: 'KDS_LIMIT' });
      await client.closed();
      await domain.run({ exclusive: 'a' }, ({ recovered }) => expect(recovered).toEqual(['a']));
    }
  });

  it('anything before hello', async () => {
    const client = await RawClient.connect(socket);
    client.say({ ...acquire, ...owned('a') });
    expect(await client.next('error')).toMatchObject({ code: 'KDS_PROTOCOL' });
    await client.closed();
  });
});

describe('what is too much is refused, and its sender can go on', () => {
  it('names that are too long, and sets that are too large', async () => {
    const client = await RawClient.greeted(socket);
    client.say({ do: 'acquire', id: 1, ...owned('x'.repeat(65_537)) });
    expect(await client.next('refused')).toMatchObject({ id: 1, code: 'KDS_LIMIT' });
    client.say({ do: 'acquire', id: 2, ...shared(...Array(65_537).keys()) });
    expect(await client.next('refused')).toMatchObject({ id: 2, code: 'KDS_LIMIT' });
    client.say({ do: 'acquire', id: 3, ...owned('a'), label: 'x'.repeat(1025) });
    expect(await client.next('refused')).toMatchObject({ id: 3, code: 'KDS_LIMIT' });
    client.say({ do: 'acquire', id: 4, ...owned('a') });
    await client.next('granted');
    client.say({ do: 'end', id: 5 });
    await client.next('ended');
    client.socket.destroy();
  });

  it('a set of a million is over the limit of a frame, and of a set', async () => {
    const names = Array.from({ length: 1_000_000 }, (_, index) => `resource ${index}`);
    const asking = domain.acquire({ exclusive: names });
    await expect(asking).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    const long = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(65_000, 'x'));
    await expect(domain.acquire({ shared: long })).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    const client = await RawClient.greeted(socket);
    client.say({ do: 'acquire', id: 1, parts: names.map((name) => [name, 'all']) });
    await client.closed();
  });

  it('sets whose names take more memory than a client may have', async () => {
    const client = await RawClient.greeted(socket);
    const name = 'x'.repeat(60_000);
    const set = owned(...Array.from({ length: 60 }, (_, index) => `${index}${name}`));
    for (let id = 1; id <= 40; id++) client.say({ do: 'acquire', id, ...set });
    expect(await client.next('refused')).toMatchObject({ code: 'KDS_LIMIT' });
    client.say({ do: 'end', id: 99 });
    await client.next('ended');
    client.socket.destroy();
  });

  it('more sets than a client may have', async () => {
    const client = await RawClient.greeted(socket);
    const frames = Array.from(
      { length: 100_001 },
      (_, index) => `{"do":"acquire","id":${index + 1},"parts":[]}\n`,
    );
    client.write(frames.join(''));
    expect(await client.next('refused')).toMatchObject({ id: 100_001, code: 'KDS_LIMIT' });
    client.say({ do: 'end', id: 200_000 });
    await client.next('ended');
    client.socket.destroy();
  });
});

describe('who does half of a thing', () => {
  it('half a frame and an end is nothing, and gives back', async () => {
    const client = await RawClient.greeted(socket);
    client.say({ do: 'acquire', id: 1, ...shared('a') });
    await client.next('granted');
    client.write('{"do":"acquire","id":2,"parts":[["b","all"]]');
    client.socket.end();
    await client.closed();
  });

  it('a frame that comes byte by byte is one', async () => {
    const client = await RawClient.greeted(socket);
    for (const byte of Buffer.from('{"do":"try","id":1,"parts":[["ä\\ud800",1]]}\n')) {
      client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.next('granted');
    client.say({ do: 'release', id: 1 });
    client.socket.end();
  });

  it('a client that asks at once for more than it may have unread is cut off', async () => {
    const name = 'x'.repeat(60_000);
    const grant = await domain.acquire({
      shared: Array.from({ length: 60 }, (_, at) => at + name),
    });
    const client = await RawClient.greeted(socket);
    client.write('{"do":"query","id":1}\n'.repeat(2000));
    await client.closed();
    await grant.release();
  });

  it('a client that never reads is not read from any more, and costs no memory', async () => {
    const silent = connect(socket);
    silent.on('error', () => undefined);
    await new Promise((resolve) => silent.once('connect', resolve));
    silent.pause();
    silent.write('{"do":"hello","version":2}\n{"do":"acquire","id":1,"parts":[["a",1]]}\n');
    const query = '{"do":"query","id":2}\n'.repeat(10_000);
    let writtenBytes = 0;
    let isFull = false;
    while (!isFull && writtenBytes < 2 ** 30) {
      isFull = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), 1500);
        silent.write(query, () => {
          clearTimeout(timer);
          resolve(false);
        });
      });
      writtenBytes += query.length;
    }
    expect(isFull, 'whether it is held up').toBe(true);
    expect(brokerBytes(domain.brokerPid)).toBeLessThan(400 * 2 ** 20);
    await domain.run({ shared: 'a' }, () => undefined);
    silent.destroy();
  });
});
