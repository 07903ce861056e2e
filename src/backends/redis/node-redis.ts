/**
 * A connection by way of node-redis (the package `redis`): of `createClient`, or of
 * `createSentinel`, which finds the server that can be written to.
 *
 * Nothing is sent while the client is not connected, as its own queue would keep it and send it
 * later: the backend retries by itself.
 */

import { UnavailableError } from '../../api/errors.ts';
import type { RedisConnection, RedisReply } from './connection.ts';
import { onReady } from './reconnects.ts';

/** What is used of a client of node-redis, of version 4 or later. */
export interface NodeRedisClient {
  readonly isReady: boolean;
  sendCommand(args: string[], options?: object): Promise<unknown>;
  duplicate(options?: object): NodeRedisSubscriber;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What is used of one made by `createSentinel`. */
export interface NodeRedisSentinel {
  readonly isReady: boolean;
  getSentinelNode(): unknown;
  sendCommand(isReadonly: boolean, args: string[], options?: object): Promise<unknown>;
  duplicate(options?: object): NodeRedisSubscriber;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

interface NodeRedisSubscriber {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  destroy?(): unknown;
  disconnect?(): Promise<void>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Texts are wanted as texts, whatever the user's commands return. */
const plainReplies = { typeMapping: {} };

export function connectNodeRedis(client: NodeRedisClient | NodeRedisSentinel): RedisConnection {
  const listeners: (() => void)[] = [];
  const channels = new Map<string, (text: string) => void>();
  const notifyReady = (): void => {
    for (const listener of listeners) listener();
  };
  let subscriber: NodeRedisSubscriber | undefined;
  const stop = onReady(client, notifyReady);
  const send = sendOf(client);

  const startSubscriber = async (): Promise<NodeRedisSubscriber> => {
    const made = client.duplicate();
    subscriber = made;
    made.on('error', () => undefined);
    await made.connect();
    // It has subscribed anew by then.
    made.on('ready', notifyReady);
    return made;
  };

  return {
    send: async (command, ...args) => {
      if (!client.isReady) throw new UnavailableError('the client is not connected');
      return (await send([command, ...args])) as RedisReply;
    },
    publish: async (channel, text) => {
      if (!client.isReady) throw new UnavailableError('the client is not connected');
      await send(['PUBLISH', channel, text]);
    },
    subscribe: async (channel, onMessage) => {
      const made = subscriber ?? (await startSubscriber());
      channels.set(channel, onMessage);
      await made.subscribe(channel, onMessage);
    },
    renewSubscriptions: async () => {
      end(subscriber);
      const made = await startSubscriber();
      for (const [channel, onMessage] of channels) await made.subscribe(channel, onMessage);
    },
    onReconnect: (listener) => void listeners.push(listener),
    close: async () => {
      stop();
      listeners.length = 0;
      end(subscriber);
    },
  };
}

function sendOf(client: NodeRedisClient | NodeRedisSentinel): (args: string[]) => Promise<unknown> {
  if ('getSentinelNode' in client) {
    // Not to a replica, whatever the command is.
    return (args) => client.sendCommand(false, args, plainReplies);
  }
  return (args) => client.sendCommand(args, plainReplies);
}

/** At once, and whatever state its connection is in. */
function end(subscriber: NodeRedisSubscriber | undefined): void {
  if (subscriber === undefined) return;
  const ended = async (): Promise<void> => {
    if (subscriber.destroy !== undefined) await subscriber.destroy();
    else await subscriber.disconnect?.();
  };
  ended().catch(() => undefined);
}
