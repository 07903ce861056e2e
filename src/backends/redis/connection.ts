/**
 * The part of a client library that this backend uses: commands, messages of a channel, and
 * notifications of a new connection. ioredis.ts and node-redis.ts make it of a user's client.
 */

/** A server's answer, as far as the scripts use it. */
export type RedisReply = string | number | null | readonly RedisReply[];

export interface RedisConnection {
  /**
   * Sends a command; commands arrive in the order in which they were sent by way of one
   * connection. Rejects with the server's error, which is an `Error` whose message is the server's
   * text; or, if the connection is lost or is not there, with any other error, after which the
   * command may or may not have run, or may yet run. May stay pending for ever.
   */
  send(command: string, ...args: readonly string[]): Promise<RedisReply>;
  /** Sends a message to the subscribers of a channel. Rejects as {@link send} does. */
  publish(channel: string, text: string): Promise<void>;
  /** Resolves when the server has it. Holds across reconnects, during which messages are lost. */
  subscribe(channel: string, onMessage: (text: string) => void): Promise<void>;
  /**
   * Gives up the connection for messages, though it may not be known to be lost, and makes another.
   * Resolves when all subscriptions hold on that one; messages were lost meanwhile.
   */
  renewSubscriptions(): Promise<void>;
  /** `listener` is called each time that commands, or messages, get through again. */
  onReconnect(listener: () => void): void;
  /** Ends the subscriptions, and nothing else of the user. */
  close(): Promise<void>;
}
