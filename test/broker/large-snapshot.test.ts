/** A snapshot of many who wait at a broker: others are served meanwhile, and it is right. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, expect, it, vi } from 'vitest';
import { type RunningBroker, serveDomain } from '../../src/backends/broker/server/broker.ts';
import { protocolVersion } from '../../src/backends/broker/wire/limits.ts';
import { createServedDomain } from '../../src/backends/process/domain.ts';
import { sliceCountMin, slicesOf } from '../local/stops.ts';
import { until } from './programs.ts';
import { owned, RawClient, shared } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

vi.mock(import('../../src/runtime/real-time.ts'), async (original) => {
  const { countingTurns } = await import('../local/stops.ts');
  return countingTurns(original);
});

afterAll(removePlaces);

async function serveHere() {
  const socketPath = freshSocketPath();
  const domain = createServedDomain();
  const options = { socketPath, idleMs: Number.POSITIVE_INFINITY, graceMs: 0 };
  const broker = (await serveDomain(domain, options)) as RunningBroker;
  /** Takes a and b, and lets so many wait for them: reads what it is told, and heeds none of it. */
  const crowd = async (count: number): Promise<Socket> => {
    const socket = connect(socketPath).resume();
    const said: object[] = [{ do: 'hello', version: protocolVersion, label: 'crowd' }];
    for (let id = 1; id <= count + 1; id++) {
      const set = id % 2 === 1 ? owned('a', 'b') : shared('b');
      said.push({ do: 'acquire', id, label: `number ${id}`, ...set });
    }
    socket.write(said.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
    return socket;
  };
  const arePending = (count: number) =>
    until(() => domain.querySync().pending.length === count, `${count} wait`);
  return { broker, socketPath, crowd, arePending };
}

/** The bytes of the next frame, which are many. */
async function nextFrame(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    chunks.push(chunk);
    if (chunk.at(-1) === 10) return Buffer.concat(chunks);
  }
}

it('of 100,000 is made and written in slices, between which others work', async () => {
  const { broker, socketPath, crowd, arePending } = await serveHere();
  const crowds = [await crowd(50_000), await crowd(50_000)];
  await arePending(100_001);
  const looker = connect(socketPath);
  looker.write('{"do":"hello","version":2}\n');
  await nextFrame(looker);
  let frame: Buffer = Buffer.alloc(0);
  const sliceCount = await slicesOf(async () => {
    looker.write('{"do":"query","id":5}\n');
    frame = await nextFrame(looker);
  });
  console.info(`${sliceCount} slices`);
  // Five times to read them (test/local), and twice to write them.
  expect(sliceCount).toBeGreaterThanOrEqual(7 * sliceCountMin(100_001));
  const { is, id, held, pending } = JSON.parse(frame.toString());
  expect({ is, id }).toEqual({ is: 'snapshot', id: 5 });
  expect(held).toMatchObject([{ label: 'number 1', client: { label: 'crowd' } }]);
  expect(pending).toHaveLength(100_001);
  expect(pending[0]).toMatchObject({ label: 'number 2', waitingFor: [held[0].id] });
  for (const socket of [...crowds, looker]) socket.destroy();
  await broker.close();
});

it('lets others be served, is of the moment when it was begun, and is shared', async () => {
  const { broker, socketPath, crowd, arePending } = await serveHere();
  const socket = await crowd(20_000);
  await arePending(20_000);
  const [one, two] = [await RawClient.greeted(socketPath), await RawClient.greeted(socketPath)];
  one.say({ do: 'query', id: 1 }, { do: 'try', id: 2, ...owned('c') });
  expect(await one.next('granted')).toMatchObject({ id: 2 });
  two.say({ do: 'query', id: 1 }, { do: 'query', id: 2 });
  const first = await one.next('snapshot');
  expect(first).toMatchObject({ id: 1, held: [{ label: 'number 1' }] });
  // Asked while that was made, so of a later moment; and of the same one.
  const [second, third] = [await two.next('snapshot'), await two.next('snapshot')];
  expect(second).toMatchObject({
    id: 1,
    held: [{ label: 'number 1' }, { parts: [['c', 'all']] }],
  });
  expect(third).toEqual({ ...second, id: 2 });
  for (const each of [socket, one.socket, two.socket]) each.destroy();
  await broker.close();
});

it('is refused to who asks a thousand times before the first answer', async () => {
  const { broker, socketPath, crowd, arePending } = await serveHere();
  const socket = await crowd(5000);
  await arePending(5000);
  const eager = await RawClient.greeted(socketPath);
  eager.say(...Array.from({ length: 1001 }, (_, index) => ({ do: 'query', id: index + 1 })));
  expect(await eager.next('refused')).toMatchObject({ id: 1001, code: 'KDS_LIMIT' });
  socket.destroy();
  eager.socket.destroy();
  await broker.close();
});
