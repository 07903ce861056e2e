/**
 * One broker at a time, and what it leaves to the next, although any of them can be killed at any
 * step and Node has no locks on files.
 *
 * A broker first listens on a socket with a name of its own, never used again; then claims the next
 * term by a symbolic link `<socket>.term-N` to it, which only one can make. A term is over when its
 * socket refuses connections: that is the kernel's word, and is never taken back. A broker that
 * finds the highest term over claims the next one; one that finds a higher one after its claim had
 * been paused too long, and withdraws. The highest link is never removed but by a higher term, so
 * two can never both find theirs to be the highest. At last `<socket>` leads to the winner.
 *
 * The files can be deleted while a broker serves. So the winner puts up a sign
 * (abstract-sockets.ts), and only then reads the signs of others: of two winners at least the later
 * one sees the other, and withdraws. The one that serves puts its files back (docs/decisions/0008,
 * 0014).
 */

import { chmodSync, type FSWatcher, watch } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { KdsError, UnavailableError } from '../../../api/errors.ts';
import type { Clock } from '../../../runtime/clock.ts';
import {
  call,
  findSigns,
  isListed,
  type OwnSign,
  putUpSign,
  type Sign,
} from '../wire/abstract-sockets.ts';
import {
  attemptsMax,
  checkSocketPath,
  codeOf,
  isNobodyThere,
  unusable,
} from '../wire/socket-path.ts';
import { isFull, TermFiles } from './term-files.ts';
import { bootName, fingerprint, readRecord, type TermRecord, writeRecord } from './term-record.ts';

/** Time limit, ms, within which a broker that serves restores its files. */
const putBackMsMax = 3000;
/** Between two attempts, in ms. */
const pauseMs = 30;
/** Between a change in the directory, or a call, and the check of the files, ms. */
const renewPauseMs = 10;

interface Heritage {
  /** Tokens of earlier terms are not beyond this. */
  readonly tokensBefore: number;
  /** The term before ended while somebody was connected, who may come and claim what is held. */
  readonly hasSurvivingClients: boolean;
}

/** The term of a broker that serves, from its claim to its end. */
export class Term implements Heritage {
  readonly tokensBefore: number;
  readonly hasSurvivingClients: boolean;
  /** Reported in hello; two terms never have the same. */
  readonly name: string;
  readonly #files: TermFiles;
  readonly #admit: (socket: Socket) => void;
  readonly #clock: Clock;
  #number: number;
  #server: Server;
  /** Of the socket's file, as it was made. */
  #socket: string | undefined;
  #sign: OwnSign | undefined;
  #folderEvents: FSWatcher | undefined;
  /** Identity of the directory that {@link #folderEvents} reports on. */
  #folderIdentity: string | undefined;
  #record: TermRecord | undefined;
  /** Of the record's file, as it was written; undefined while it could not be. */
  #recordWritten: string | undefined;
  #isOpen = true;
  #renewal: Promise<boolean> | undefined;
  #stopRenewal: (() => void) | undefined;
  #onOver: () => void = () => undefined;
  #isNeeded: () => boolean = () => true;

  constructor(begun: Begun, heritage: Heritage) {
    const { files, number, server, sign, admit, clock } = begun;
    this.#files = files;
    this.#number = number;
    this.#server = server;
    this.#sign = sign;
    this.#admit = admit;
    this.#clock = clock;
    this.name = files.socketName;
    this.tokensBefore = heritage.tokensBefore;
    this.hasSurvivingClients = heritage.hasSurvivingClients;
    this.#socket = files.socketIdentity();
    begun.onCall = () => this.#renewSoon();
    // First, as that makes room on a full disk.
    files.sweep(number);
    files.publish();
    this.#observeFolder();
  }

  /**
   * `onOver` runs when another term has begun instead of this one; or when files are gone that no
   * client needs, as it ends without one: then it is not put back what was deleted on purpose.
   */
  whenOver(onOver: () => void, isNeeded: () => boolean): void {
    this.#onOver = onOver;
    this.#isNeeded = isNeeded;
  }

  /**
   * From now on the next term will give no token up to this one. What cannot be written now is
   * written as soon as it can be; without it the next term begins with a time of grace.
   */
  noteTokens(tokens: number, isClean = false): void {
    this.#record = { tokens, isClean, term: this.#files.socketName, boot: bootName() };
    this.#writeRecord();
  }

  /** Puts back what is gone of its files, unless another term has begun meanwhile. */
  renew(): void {
    if (!this.#isOpen || this.#renewal !== undefined) return;
    this.#renewal = this.#restore()
      // The directory is gone and cannot be made, or the disk is full: the next time, perhaps.
      .catch(() => true)
      .then((isFound) => {
        this.#renewal = undefined;
        if (!isFound && this.#isOpen) this.#onOver();
        return isFound;
      });
  }

  /** Resolves when nobody can come any more, and those who came have gone. */
  close(): Promise<void> {
    this.#isOpen = false;
    this.#stopRenewal?.();
    this.#folderEvents?.close();
    this.#sign?.close();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #renewSoon(): void {
    if (this.#stopRenewal !== undefined || !this.#isOpen) return;
    this.#stopRenewal = this.#clock.after(renewPauseMs, () => {
      this.#stopRenewal = undefined;
      this.renew();
    });
  }

  /** False if another term has begun, which newcomers find, or if this one is not needed. */
  async #restore(): Promise<boolean> {
    const files = this.#files;
    const isWhole = this.#socket !== undefined && files.socketIdentity() === this.#socket;
    if (!isWhole && !this.#isNeeded()) return false;
    checkSocketPath(files.socketPath);
    this.#observeFolder();
    if (!isWhole || files.readClaim(files.highest()) !== files.socketName) {
      if (await this.#isReplaced()) return false;
      if (!isWhole) await this.#listenAgain();
      if (!this.#isOpen) return true;
      this.#number = files.highest() + 1;
      if (!files.claim(this.#number)) {
        // Another one has begun just now, and is about to withdraw.
        this.#renewSoon();
        return true;
      }
      files.sweep(this.#number);
    }
    if (files.readPublished() !== files.socketName) files.publish();
    files.refresh(this.#number, this.#clock.epochMs());
    if (this.#record !== undefined && this.#recordWritten !== fingerprint(files.recordPath)) {
      this.noteTokens(this.#record.tokens, this.#record.isClean);
    }
    return true;
  }

  /**
   * Whether another term goes on. One that has claimed and not published yet, and is within reach
   * of signs, sees the sign of this one before it does, and withdraws.
   */
  async #isReplaced(): Promise<boolean> {
    const files = this.#files;
    const last = files.highest();
    const name = files.readClaim(last);
    if (name === undefined || name === files.socketName) return false;
    if (!(await isAlive(files.claimPath(last)))) return false;
    const isSeen = this.#sign !== undefined && isListed(join(files.folder, name));
    return files.readPublished() === name || !isSeen;
  }

  /** On a new socket, as the file of the old one is gone. Clients that are connected stay so. */
  async #listenAgain(): Promise<void> {
    const files = this.#files;
    files.rename();
    const server = createServer(this.#admit);
    server.on('error', () => undefined);
    await listen(server, files.ownPath);
    this.#socket = files.socketIdentity();
    const old = this.#isOpen ? this.#server : server;
    if (this.#isOpen) this.#server = server;
    old.close();
  }

  /** Deleted files are restored at once, and not only a second later. */
  #observeFolder(): void {
    const identity = this.#files.folderIdentity();
    if (identity === this.#folderIdentity) return;
    this.#folderEvents?.close();
    this.#folderIdentity = identity;
    try {
      this.#folderEvents = watch(this.#files.folder, { persistent: false }, (event, name) => {
        if (event === 'rename' && (name === null || this.#files.isAmong(name))) this.#renewSoon();
      });
      this.#folderEvents.on('error', () => undefined);
    } catch {
      // The machine's limit of inotify instances is reached.
      this.#folderEvents = undefined;
    }
  }

  #writeRecord(): void {
    if (this.#record === undefined) return;
    try {
      writeRecord(this.#files.recordPath, this.#record);
      this.#recordWritten = fingerprint(this.#files.recordPath);
    } catch {
      this.#recordWritten = undefined;
    }
  }
}

/** A claim that has won, unless another broker serves. */
interface Begun {
  readonly files: TermFiles;
  readonly number: number;
  readonly server: Server;
  readonly sign: OwnSign | undefined;
  readonly admit: (socket: Socket) => void;
  readonly clock: Clock;
  onCall: () => void;
}

/**
 * Begins a term; each socket that connects is admitted. Undefined if another one goes on, or began
 * at the same time.
 *
 * @throws UnavailableError if another broker serves that cannot be reached; what the file system
 * refuses with.
 */
export async function startTerm(
  socketPath: string,
  admit: (socket: Socket) => void,
  clock: Clock,
): Promise<Term | undefined> {
  for (let attempt = 1; ; attempt++) {
    const files = new TermFiles(socketPath);
    try {
      const begun = await begin(files, admit, clock);
      if (begun === undefined || begun instanceof Term) return begun;
      if (await awaitOthers(socketPath, clock)) return undefined;
      // They have ended meanwhile.
    } catch (error) {
      const cause = error instanceof UnavailableError ? error.cause : error;
      const mayPass = codeOf(cause) === 'ENOENT' || isFull(cause);
      if (!mayPass || attempt === attemptsMax) {
        throw error instanceof KdsError ? error : unusable(files.folder, error);
      }
      // The directory was deleted just now: it is made again. Or others that begin at the same time
      // have taken the last room, and one of them goes on.
      checkSocketPath(socketPath);
      if (isFull(cause)) files.removeNotice();
      await pause(clock);
    }
  }
}

/** Keeps the process alive, as it is about to serve. */
function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(pauseMs, resolve, { keepsAlive: true, isReal: true });
  });
}

/** A term; or undefined if another one goes on; or `hidden` if one does that has lost its files. */
async function begin(
  files: TermFiles,
  admit: (socket: Socket) => void,
  clock: Clock,
): Promise<Term | 'hidden' | undefined> {
  const before = files.highest();
  if (before > 0) {
    if (await isAlive(files.claimPath(before))) return undefined;
    // There may be no room but for what it leaves.
    files.removeSocketOf(before);
  }
  const server = createServer(admit);
  await listen(server, files.ownPath);
  // Too many files are open, or the like: the one that could not be let in comes again.
  server.on('error', () => undefined);
  let term: Term | 'hidden' | undefined;
  try {
    term = await claimTerm(files, server, admit, clock);
  } finally {
    if (!(term instanceof Term)) server.close();
  }
  return term;
}

async function claimTerm(
  files: TermFiles,
  server: Server,
  admit: (socket: Socket) => void,
  clock: Clock,
): Promise<Term | 'hidden' | undefined> {
  for (;;) {
    const last = files.highest();
    if (last > 0 && (await isAlive(files.claimPath(last)))) return undefined;
    const lastName = files.readClaim(last);
    const number = last + 1;
    if (!files.claim(number)) continue;
    if (files.highest() !== number) {
      files.withdraw(number);
      continue;
    }
    const sign = putUpSign('broker', files.socketPath, () => begun.onCall());
    const parts = { files, number, server, sign, admit, clock };
    const begun: Begun = { ...parts, onCall: () => undefined };
    try {
      if (othersThan(sign, files.socketPath).length === 0) {
        return new Term(begun, heritageOf(files, lastName));
      }
    } catch (error) {
      sign?.close();
      throw error;
    }
    files.withdraw(number);
    sign?.close();
    return 'hidden';
  }
}

function othersThan(own: OwnSign | undefined, socketPath: string): Sign[] {
  const signs = [...findSigns('broker', socketPath)];
  return signs.filter(({ name }) => name !== own?.name);
}

/** What the term before has left; `lastName` is of its socket, if there was one. */
function heritageOf(files: TermFiles, lastName: string | undefined): Heritage {
  const record = readRecord(files.recordPath);
  return {
    tokensBefore: record?.tokens ?? 0,
    hasSurvivingClients: hasSurvivingClients(files, record, lastName),
  };
}

function hasSurvivingClients(
  { socketPath }: TermFiles,
  record: TermRecord | undefined,
  lastName: string | undefined,
): boolean {
  // All files may have been deleted, and those that used them live.
  for (const _ of findSigns('client', socketPath)) return true;
  const isFirst = record === undefined && lastName === undefined;
  if (isFirst) return false;
  // None of those that were connected before the system was started is left.
  const boot = bootName();
  if (record?.boot !== undefined && boot !== undefined && record.boot !== boot) return false;
  // The last term may have found no room to record that it had begun.
  const isLast = lastName === undefined || record?.term === lastName;
  return record?.isClean !== true || !isLast;
}

/**
 * Waits until a broker that has lost its files has put them back, and is to be found. False if it
 * has ended instead.
 *
 * @throws UnavailableError
 */
async function awaitOthers(socketPath: string, clock: Clock): Promise<boolean> {
  const endMs = clock.nowMs() + putBackMsMax;
  for (;;) {
    const others = othersThan(undefined, socketPath);
    const [other] = others;
    if (other === undefined) return false;
    for (const each of others) await call(each);
    if (await isAlive(socketPath)) return true;
    if (clock.nowMs() > endMs) {
      throw new UnavailableError(
        `a broker of yours, process ${other.pid}, serves ${socketPath}, but what is there does ` +
          'not lead to it, and it does not change that: end that process; or, if it sees another ' +
          'directory by that name (PrivateTmp of systemd, another root), set KDS_SOCKET to a ' +
          'path that both see',
      );
    }
    await pause(clock);
  }
}

/** Only this user can connect, from the moment at which the socket is there. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown): void => reject(unusable(path, error));
    server.once('error', refuse);
    server.once('listening', () => {
      server.off('error', refuse);
      resolve();
    });
    const before = process.umask(0o177);
    try {
      server.listen({ path, backlog: 4096 });
      chmodSync(path, 0o600);
    } catch (error) {
      // Binding has failed; the event reports the reason.
      if (codeOf(error) !== 'ENOENT') refuse(error);
    } finally {
      process.umask(before);
    }
  });
}

/** Whether somebody listens there: not so if nothing is there, or nobody listens any more. */
async function isAlive(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return true;
  } catch (error) {
    if (isNobodyThere(error)) return false;
    // As many as may be wait to be let in.
    if (codeOf(error) === 'EAGAIN') return true;
    throw unusable(path, error);
  } finally {
    socket.destroy();
  }
}
