/**
 * A connection by way of ioredis, or of iovalkey, its twin.
 *
 * Nothing is sent while the client is not connected, as its own queue would keep it and send it
 * later: the backend retries by itself. What the client sends again after a reconnect is harmless.
 */

import { UnavailableError } from '../../api/errors.ts';
import type { RedisConnection, RedisReply } from './connection.ts';
import { onReady } from './reconnects.ts';

/** What is used of an ioredis or iovalkey client. */
export interface IoredisClient {
  readonly status: string;
  readonly options: object;
  readonly isCluster?: boolean;
  call(command: string, ...args: string[]): Promise<unknown>;
  duplicate(options?: object): IoredisSubscriber;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

interface IoredisSubscriber {
  readonly status: string;
  subscribe(channel: string): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** States in which a command is written at once, or makes the client connect. */
const open: ReadonlySet<string> = new Set(['ready', 'wait']);

export function connectIoredis(client: IoredisClient): RedisConnection {
  const { keyPrefix = '' } = client.options as { readonly keyPrefix?: string };
  const listeners: (() => void)[] = [];
  const channels = new Map<string, (text: string) => void>();
  const notifyReady = (): void => {
    for (const listener of listeners) listener();
  };
  let subscriber: IoredisSubscriber | undefined;

  const subscribeAgain = async (): Promise<void> => {
    // After the client's own, so that nothing is missed from here on.
    for (const channel of channels.keys()) await subscriber?.subscribe(channel);
    notifyReady();
  };
  const send = async (command: string, args: readonly string[]): Promise<unknown> => {
    if (!open.has(client.status)) throw new UnavailableError(`the client is ${client.status}`);
    return client.call(command, ...args);
  };
  const startSubscriber = (): IoredisSubscriber => {
    // Its own queue keeps a subscription until it is connected, whatever the user wants of his.
    const made = client.duplicate({
      keyPrefix: '',
      lazyConnect: true,
      maxRetriesPerRequest: null,
      enableOfflineQueue: true,
      // No caller could catch a refusal of what the library subscribes by itself.
      autoResubscribe: false,
    });
    made.on('error', () => undefined);
    made.on('message', (channel, text) => channels.get(channel as string)?.(text as string));
    made.on('ready', () => void subscribeAgain().catch(() => undefined));
    return made;
  };
  const stop = onReady(client, notifyReady);

  return {
    send: async (command, ...args) => (await send(command, args)) as RedisReply,
    publish: async (channel, text) => void (await send('PUBLISH', [keyPrefix + channel, text])),
    subscribe: async (channel, onMessage) => {
      subscriber ??= startSubscriber();
      const prefixed = keyPrefix + channel;
      channels.set(prefixed, onMessage);
      await subscriber.subscribe(prefixed);
    },
    renewSubscriptions: async () => {
      subscriber?.disconnect();
      subscriber = startSubscriber();
      for (const channel of channels.keys()) await subscriber.subscribe(channel);
    },
    onReconnect: (listener) => void listeners.push(listener),
    close: async () => {
      stop();
      listeners.length = 0;
      subscriber?.disconnect();
    },
  };
}
