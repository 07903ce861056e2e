/** Brokers of another version of the protocol, as a client meets them. */

import { createServer, type Server } from 'node:net';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, expect, it } from 'vitest';
import { protocolVersion } from '../../src/backends/broker/wire/limits.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

let server: Server | undefined;

afterEach(() => {
  server?.close();
});

afterAll(removePlaces);

/** A broker that answers each frame with this one. */
async function serveFrame(frame: object): Promise<string> {
  const path = freshSocketPath();
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(`${JSON.stringify(frame)}\n`));
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return path;
}

const refusal = `this broker speaks version 1, the client ${protocolVersion}: end all clients`;

const refusals: readonly [what: string, frame: object][] = [
  ['answers by its own hello', { is: 'hello', version: 1, client: 1, pid: 1, graceMs: 0 }],
  ['refuses the hello', { is: 'error', version: 1, code: 'KDS_PROTOCOL', message: refusal }],
];

it.each(refusals)('one of version 1 that %s is refused by both versions', async (_, frame) => {
  const socket = await serveFrame(frame);
  const opening = openBrokerDomain({ socket, start: false });
  await expect(opening).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
  await expect(opening).rejects.toThrow(/version 1\b/);
  await expect(opening).rejects.toThrow(new RegExp(`\\b${protocolVersion}: (close|end) all`));
});
