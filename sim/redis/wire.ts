/** Texts as a server has them, bytes, a character each (latin1), and as a client has them. */

import type { RedisReply } from '../../src/backends/redis/connection.ts';
import { type Reply, Status } from './lua.ts';

export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function fromBytes(reply: Reply): RedisReply {
  if (typeof reply === 'string') return Buffer.from(reply, 'latin1').toString('utf8');
  if (reply instanceof Status) return reply.text;
  if (reply === null || typeof reply === 'number') return reply;
  return reply.map(fromBytes);
}
