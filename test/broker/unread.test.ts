/** Clients that do not read what they are told: they cost little, and for a short time. */

import { connect, type Socket } from 'node:net';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, serveDomain } from '../../src/backends/broker/server/broker.ts';
import { protocolVersion } from '../../src/backends/broker/wire/limits.ts';
import { createServedDomain } from '../../src/backends/process/domain.ts';
import { bundleBroker, bundleProgram, heard, removePrograms, startClient } from './programs.ts';
import { owned, RawClient, shared } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const manyNames = Array.from({ length: 60 }, (_, index) => `${index}`.padEnd(60_000, 'x'));
let stalledClient = '';

beforeAll(async () => {
  await bundleBroker();
  stalledClient = await bundleProgram(new URL('./stalled-client.ts', import.meta.url));
});
afterAll(() => {
  removePrograms();
  removePlaces();
});

/** A broker in this process, and someone who holds so much that a snapshot has 3.6 MB. */
async function serveHere(unreadMsMax?: number, idleMs = Number.POSITIVE_INFINITY) {
  const socketPath = freshSocketPath();
  const options = { socketPath, idleMs, graceMs: 0 };
  const broker = (await serveDomain(
    createServedDomain(),
    unreadMsMax === undefined ? options : { ...options, unreadMsMax },
  )) as RunningBroker;
  const honest = await RawClient.greeted(socketPath);
  honest.say({ do: 'acquire', id: 1, ...shared(...manyNames) });
  await honest.next('granted');
  return { broker, socketPath, honest };
}

/** Someone who says all that, and reads nothing. */
async function silent(socketPath: string, ...frames: readonly object[]): Promise<Socket> {
  const socket = connect(socketPath).pause();
  socket.on('error', () => undefined);
  const said = [{ do: 'hello', version: protocolVersion }, ...frames].map(
    (frame) => `${JSON.stringify(frame)}\n`,
  );
  await new Promise((resolve) => socket.write(said.join(''), resolve));
  return socket;
}

/** When the broker has read what was said before, of everybody. */
async function read(socketPath: string): Promise<void> {
  const other = await RawClient.greeted(socketPath);
  other.say({ do: 'try', id: 1, parts: [] }, { do: 'end', id: 2 });
  await other.next('ended');
  other.socket.destroy();
}

const take = { do: 'acquire', id: 1, ...owned('x') };
const ask = { do: 'query', id: 2 };

describe('a client that has more than 1 MiB to read', () => {
  it('and does not, is cut off in time, and the next one has what it held', async () => {
    const { broker, socketPath, honest } = await serveHere(200);
    const stalled = await silent(socketPath, take, ask);
    await read(socketPath);
    honest.say({ do: 'acquire', id: 2, ...owned('x') });
    expect(await honest.next('granted')).toMatchObject({ id: 2, recovered: ['x'] });
    stalled.destroy();
    await broker.close();
  });

  it('and does in the end, goes on', async () => {
    const { broker, socketPath, honest } = await serveHere();
    const late = await RawClient.greeted(socketPath);
    late.socket.pause();
    late.say(take, ask);
    await read(socketPath);
    honest.say({ do: 'acquire', id: 2, ...owned('x') });
    await honest.next('waiting');
    late.socket.resume();
    await late.next('snapshot');
    late.say({ do: 'release', id: 1 });
    expect(await honest.next('granted')).not.toHaveProperty('recovered');
    await broker.close();
  });

  it('and breaks the protocol too, does not keep the broker from ending', async () => {
    const { broker, socketPath, honest } = await serveHere(200, 0);
    const stalled = await silent(socketPath, ask, { do: 'nothing that there is' });
    await read(socketPath);
    honest.socket.destroy();
    await broker.ended;
    stalled.destroy();
  });

  it('and is killed while it is stopped, lets go at once; the broker goes on', async () => {
    const socket = freshSocketPath();
    const domain = await openBrokerDomain({ socket });
    const { brokerPid } = domain;
    const many = await domain.acquire({ shared: manyNames });
    const stalled = startClient(stalledClient, socket);
    expect(await heard(stalled)).toBe('asked');
    await domain.query();
    stalled.kill('SIGSTOP');
    const next = domain.acquire({ exclusive: ['x', 'y'] });
    expect((await domain.query()).pending).toHaveLength(1);
    stalled.kill('SIGKILL');
    expect((await next).recovered).toEqual(['x', 'y']);
    expect(domain.brokerPid).toBe(brokerPid);
    expect((await domain.query()).held).toHaveLength(2);
    await many.release();
    await domain.close();
  });

  it('is cut off at once, if it has the most where all of them have too much', async () => {
    const { broker, socketPath, honest } = await serveHere();
    const names = ['1', '2', '3', '4', '5', '6'];
    const stalled: Socket[] = [];
    for (const name of names) {
      // 17 snapshots have 58 MiB, of the 64 that a client may leave: four such fit into 256.
      const asks = Array.from({ length: 17 }, () => ask);
      stalled.push(await silent(socketPath, { ...take, ...owned(name) }, ...asks));
      await read(socketPath);
    }
    honest.say({ do: 'query', id: 9 });
    const { held } = await honest.next('snapshot');
    expect(held, 'the honest one, and four of the six').toHaveLength(5);
    for (const socket of stalled) socket.destroy();
    await broker.close();
  });
});
