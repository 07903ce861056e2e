/**
 * A connection by way of node-redis (the package `redis`).
 *
 * Nothing is sent while the client is not connected, as its own queue would keep it and send it
 * later: the host asks anew by itself.
 */

import { UnavailableError } from '../../domain/errors.ts';
import type { RedisConnection, RedisReply } from './connection.ts';
import { onReady } from './reconnects.ts';

/** What is used of a client of node-redis, of version 4 or later. */
export interface NodeRedisClient {
  readonly isReady: boolean;
  sendCommand(args: string[], options?: object): Promise<unknown>;
  duplicate(options?: object): NodeRedisSubscriber;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

interface NodeRedisSubscriber {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  destroy?(): void;
  disconnect?(): Promise<void>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Texts are wanted as texts, whatever the user's commands return. */
const plainReplies = { typeMapping: {} };

export function connectNodeRedis(client: NodeRedisClient): RedisConnection {
  const listeners: (() => void)[] = [];
  const tellReady = (): void => {
    for (const listener of listeners) listener();
  };
  let subscriber: NodeRedisSubscriber | undefined;
  const stop = onReady(client, tellReady);

  const startSubscriber = async (): Promise<NodeRedisSubscriber> => {
    const made = client.duplicate();
    subscriber = made;
    made.on('error', () => undefined);
    await made.connect();
    // It has subscribed anew by then.
    made.on('ready', tellReady);
    return made;
  };

  return {
    send: async (command, ...args) => {
      if (!client.isReady) throw new UnavailableError('the client is not connected');
      return (await client.sendCommand([command, ...args], plainReplies)) as RedisReply;
    },
    subscribe: async (channel, onMessage) => {
      const made = subscriber ?? (await startSubscriber());
      await made.subscribe(channel, onMessage);
    },
    onReconnect: (listener) => void listeners.push(listener),
    close: async () => {
      stop();
      listeners.length = 0;
      if (subscriber?.destroy !== undefined) subscriber.destroy();
      else await subscriber?.disconnect?.();
    },
  };
}
