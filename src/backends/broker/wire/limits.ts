/**
 * Limits of the broker, on all that comes over a socket. What they bound is memory: a client that
 * is wrong, or ill-willed, is refused or cut off, and costs the others nothing.
 */

/** Of the protocol that is spoken here: docs/protocol.md. */
export const protocolVersion = 2;

/** What to do about another version. */
export const restart =
  'close all domains at this broker, so that it ends, and use one version of kds for all clients';

/** Bytes of a frame that a client sends, at most, without the line feed. */
export const frameBytesMax = 4 * 2 ** 20;

/** Bytes of a frame that the broker sends, at most: only a snapshot comes near to it. */
export const replyBytesMax = 32 * 2 ** 20;

/** Connections, at most; fewer where the limit on open files is lower. */
export const connectionCountMax = 8192;

/** Time limit, ms, in which a client that is turned away for lack of room disconnects. */
export const turnAwayMsMax = 1000;

/** Sets that wait or are held through one connection, at most. */
export const requestCountMax = 100_000;

/** Bytes that what waits or is held is taken to cost, at most: of one connection, of all. */
export const liveBytesMax = 128 * 2 ** 20;
export const allLiveBytesMax = 512 * 2 ** 20;
/** Bytes for each set, and for each resource in it, besides those of the request's frame. */
export const requestBytes = 512;
export const resourceBytes = 256;

/** Declared capacities of a broker, at most, and bytes of their names and those of units. */
export const capacityCountMax = 10_000;
export const capacityBytesMax = 8 * 2 ** 20;

/** Queries that have not been answered yet, of one connection, at most. */
export const queryCountMax = 1000;

/** Sessions of one connection, at most, and its resources without a name. */
export const sessionCountMax = 10_000;
export const privateCountMax = 65_536;

/** Unread bytes of a client beyond which nothing more is read from it. */
export const unreadBytesPaused = 2 ** 20;
/** Unread bytes beyond which it is cut off; time limit, ms, of reading them. */
export const unreadBytesMax = 64 * 2 ** 20;
export const unreadMsMax = 30_000;
/** Unread bytes of all clients beyond which the client with the most is cut off. */
export const allUnreadBytesMax = 256 * 2 ** 20;

/** Time limit of a connection's hello, ms. */
export const helloMsMax = 10_000;

/** Length of the command in a client's hello, at most, in code units. */
export const commandLengthMax = 1024;

/** A token that a client claims to hold, at most: tokens count µs since 1970, so the year 2112. */
export const tokenMax = 2 ** 52;

/** Tokens of a broker begin no later than this, whatever the clock is set to: the year 2103. */
export const tokenStartMax = 2 ** 52 - 2 ** 48;

/** Length of the socket's path, at most, in bytes: the kernel's limit, less 11 (server/term.ts). */
export const socketPathBytesMax = 96;
