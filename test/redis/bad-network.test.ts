/** Tests of the bad network of the chaos run, with a real server and a bare client. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { RedisProcess } from './chaos/redis-process.ts';
import { CommandReader, commandBytes } from './resp.ts';
import { describeWithRedis } from './server.ts';

describe('commands taken out of a stream', () => {
  const stream = Buffer.concat([
    commandBytes('SET', 'a', ''),
    commandBytes('EVAL', 'return 1\r\n*1\r\n$1\r\nx\r\n', '0'),
    commandBytes('GET', 'ü'),
  ]);

  it('are the same wherever the stream is cut in two', () => {
    for (let at = 0; at <= stream.length; at++) {
      const reader = new CommandReader();
      const commands = [stream.subarray(0, at), stream.subarray(at)].flatMap((part) =>
        reader.read(part),
      );
      expect(commands.map(({ words }) => words.map(String))).toEqual([
        ['SET', 'a', ''],
        ['EVAL', 'return 1\r\n*1\r\n$1\r\nx\r\n', '0'],
        ['GET', 'ü'],
      ]);
      expect(reader.restLength).toBe(0);
    }
  });

  it('are not there before they are whole, and what is none is refused', () => {
    const reader = new CommandReader();
    expect(reader.read(stream.subarray(0, 20))).toEqual([]);
    expect(() => new CommandReader().read(Buffer.from('PING\r\n'))).toThrow('is missing at 0');
  });
});

describeWithRedis('a network that is bad', () => {
  let server: RedisProcess;
  let network: BadNetwork;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    server = await RedisProcess.inMemory();
  });
  afterAll(() => server.remove());
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await network.close();
  });

  async function client(): Promise<Client> {
    const socket = connect(network.port, '127.0.0.1');
    await once(socket, 'connect');
    sockets.push(socket);
    return new Client(socket);
  }

  it('passes on requests and answers', async () => {
    network = await BadNetwork.before(server.socketPath);
    const one = await client();
    expect(await one.asks('SET', 'carried', 'yes')).toBe('+OK\r\n');
    expect(await one.asks('GET', 'carried')).toBe('$3\r\nyes\r\n');
    expect(network.connectionCount).toBe(1);
  });

  it('holds bytes back and keeps their order', async () => {
    network = await BadNetwork.before(server.socketPath);
    const one = await client();
    let pieceCount = 0;
    network.delaysMs = () => (pieceCount++ % 2 === 0 ? 50 : 0);
    const startMs = performance.now();
    one.says('RPUSH', 'order', '1');
    await until(() => pieceCount === 1, 'the first is under way');
    one.says('RPUSH', 'order', '2');
    expect(await one.hears(/:1\r\n:2\r\n/)).toBe(':1\r\n:2\r\n');
    expect(performance.now() - startMs).toBeGreaterThan(45);
    expect(pieceCount).toBeGreaterThan(2);
    expect(await one.asks('LRANGE', 'order', '0', '-1')).toBe('*2\r\n$1\r\n1\r\n$1\r\n2\r\n');
  });

  it('passes nothing on while it is paused, and all of it then', async () => {
    network = await BadNetwork.before(server.socketPath);
    const one = await client();
    network.pause();
    one.says('SET', 'paused', 'no');
    const other = connect(server.socketPath);
    sockets.push(other);
    expect(await new Client(other).asks('EXISTS', 'paused')).toBe(':0\r\n');
    network.resume();
    expect(await one.hears(/OK/)).toBe('+OK\r\n');
  });

  it('cuts before a reply, and the command has run', async () => {
    network = await BadNetwork.before(server.socketPath);
    const one = await client();
    network.cut('before-reply');
    one.says('SET', 'cut', 'run');
    await one.isCut;
    expect(one.heard).toBe('');
    expect(network.cutCount).toBe(1);
    expect(await (await client()).asks('GET', 'cut')).toBe('$3\r\nrun\r\n');
  });

  it('cuts in a command, and it has not run', async () => {
    network = await BadNetwork.before(server.socketPath);
    const one = await client();
    network.cut('in-command');
    one.says('SET', 'half', 'run');
    await one.isCut;
    await until(() => network.connectionCount === 0, 'the connection is gone');
    expect(await (await client()).asks('EXISTS', 'half')).toBe(':0\r\n');
  });

  it('cuts only those that are chosen', async () => {
    network = await BadNetwork.before(server.socketPath);
    const [one, two] = [await client(), await client()];
    await one.asks('PING');
    await two.asks('PING');
    network.cut('now', (index) => index === 0);
    await one.isCut;
    expect(await two.asks('PING')).toBe('+PONG\r\n');
  });

  it('delivers a command once more, and only one client is notified, once', async () => {
    network = await BadNetwork.before(server.socketPath);
    const one = await client();
    network.repeats = ({ words }) => (String(words[0]) === 'INCR' ? 0 : undefined);
    expect(await one.asks('INCR', 'twice')).toMatch(/^:[12]\r\n$/);
    await until(() => network.repeatedCount === 1, 'the copy has arrived');
    expect(await one.asks('GET', 'twice')).toBe('$1\r\n2\r\n');
    expect(network.repeatedCount).toBe(1);
  });

  it('a server that is killed comes back with all that it had answered', async () => {
    network = await BadNetwork.before(server.socketPath);
    const durable = await RedisProcess.durable();
    const before = new Client(connect(durable.socketPath));
    expect(await before.asks('SET', 'kept', 'yes')).toBe('+OK\r\n');
    await durable.kill();
    await durable.start();
    const after = new Client(connect(durable.socketPath));
    expect(await after.asks('GET', 'kept')).toBe('$3\r\nyes\r\n');
    expect(durable.readAppendOnlyFile().toString()).toContain('kept');
    await durable.remove();
  });
});

class Client {
  heard = '';
  readonly isCut: Promise<unknown>;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => {
      this.heard += data.toString();
    });
    socket.on('error', () => undefined);
    this.isCut = new Promise((resolve) => socket.once('close', resolve));
  }

  says(...words: readonly string[]): void {
    this.#socket.write(commandBytes(...words));
  }

  async hears(what: RegExp): Promise<string> {
    while (!what.test(this.heard)) await once(this.#socket, 'data');
    const { heard } = this;
    this.heard = '';
    return heard;
  }

  asks(...words: readonly string[]): Promise<string> {
    this.says(...words);
    return this.hears(/\r\n$/);
  }
}
