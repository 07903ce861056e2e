/**
 * One broker at a time, and what it leaves to the next, although any of them can be killed at any
 * step and Node has no locks on files.
 *
 * A broker first listens on a socket with a name of its own, never used again; then claims the next
 * life by a symbolic link `<socket>.life-N` to it, which only one can make. A life is over when its
 * socket refuses connections: that is the kernel's word, and is never taken back. Who finds the
 * highest life over claims the next one; who finds a higher one after its claim had slept too long,
 * and withdraws. The highest link is never removed but by a higher life, so two can never both find
 * theirs to be the highest. At last `<socket>` is made to lead to the winner (docs/decisions/0008).
 */

import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  lutimesSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Server } from 'node:net';
import { uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { codeOf, isNobodyThere } from './place.ts';

/** What one life leaves to the next, in a file beside the socket. */
interface Mark {
  /** No token beyond this has been given. */
  readonly tokens: number;
  /** Nobody was connected at the end. */
  readonly isClean: boolean;
}

export class Life {
  readonly number: number;
  /** Told in hello; two lives never have the same. */
  readonly name: string;
  /** Tokens of earlier lives are not beyond this. */
  readonly tokensBefore: number;
  /** The life before ended while somebody was connected, who may come and claim what is held. */
  readonly hasHeirs: boolean;
  readonly #files: LifeFiles;

  constructor(files: LifeFiles, number: number, mark: Mark | undefined) {
    this.#files = files;
    this.number = number;
    this.name = files.socketName;
    this.tokensBefore = mark?.tokens ?? 0;
    this.hasHeirs = number > 1 && mark?.isClean !== true && !files.isOlderThanSystem();
    files.publish();
    files.sweep(number);
  }

  /** From now on the next life will give no token up to this one. */
  noteTokens(tokens: number, isClean = false): void {
    this.#files.writeMark({ tokens, isClean });
  }

  /**
   * Whether this is still the life that newcomers find. What a cleaner of temporary files has
   * taken away is put back, unless another life has begun meanwhile.
   */
  renew(): boolean {
    if (this.#files.readClaim(this.number) !== this.name) {
      if (this.#files.highest() > 0 || !this.#files.claim(this.number)) return false;
    }
    this.#files.refresh(this.number);
    return true;
  }
}

/**
 * Begins a life on a server that does not listen yet. Undefined if somebody else's goes on, or
 * began at the same time; the server is closed then.
 *
 * @throws what the file system refuses with.
 */
export async function beginLife(socketPath: string, server: Server): Promise<Life | undefined> {
  const files = new LifeFiles(socketPath);
  await listen(server, files.ownPath);
  try {
    for (;;) {
      const last = files.highest();
      if (last > 0 && (await isAlive(files.claimPath(last)))) break;
      const number = last + 1;
      if (!files.claim(number)) continue;
      if (files.highest() === number) return new Life(files, number, files.readMark());
      files.withdraw(number);
    }
  } catch (error) {
    server.close();
    throw error;
  }
  server.close();
  return undefined;
}

class LifeFiles {
  readonly socketName: string;
  readonly ownPath: string;
  readonly #folder: string;
  readonly #base: string;

  constructor(socketPath: string) {
    this.#folder = dirname(socketPath);
    this.#base = basename(socketPath);
    this.socketName = `${this.#base}.${randomBytes(5).toString('hex')}`;
    this.ownPath = join(this.#folder, this.socketName);
  }

  /** The number of the last life, over or not; 0 if there was none. */
  highest(): number {
    return Math.max(0, ...this.#numbers());
  }

  /** False if somebody else has made that claim. */
  claim(number: number): boolean {
    try {
      symlinkSync(this.socketName, this.claimPath(number));
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  withdraw(number: number): void {
    rmSync(this.claimPath(number), { force: true });
  }

  readClaim(number: number): string | undefined {
    try {
      return readlinkSync(this.claimPath(number));
    } catch {
      return undefined;
    }
  }

  /** The well-known path leads to this life's socket. */
  publish(): void {
    const fresh = `${this.ownPath}.new`;
    symlinkSync(this.socketName, fresh);
    renameSync(fresh, join(this.#folder, this.#base));
  }

  /** Keeps all that is needed, and young. */
  refresh(number: number): void {
    const now = new Date();
    const published = join(this.#folder, this.#base);
    try {
      if (readlinkSync(published) !== this.socketName) this.publish();
    } catch {
      this.publish();
    }
    for (const path of [published, this.claimPath(number)]) lutimesSync(path, now, now);
    utimesSync(this.ownPath, now, now);
  }

  /** Removes what earlier lives have left behind. */
  sweep(number: number): void {
    for (const old of this.#numbers()) {
      if (old >= number) continue;
      const socketName = this.readClaim(old);
      if (socketName?.startsWith(`${this.#base}.`)) {
        rmSync(join(this.#folder, socketName), { force: true });
      }
      this.withdraw(old);
    }
  }

  readMark(): Mark | undefined {
    try {
      const mark = JSON.parse(readFileSync(this.#markPath, 'utf8')) as Partial<Mark> | null;
      const { tokens, isClean } = mark ?? {};
      if (!Number.isSafeInteger(tokens)) return undefined;
      return { tokens: tokens as number, isClean: isClean === true };
    } catch {
      // Missing or damaged: then the clock alone says where tokens begin.
      return undefined;
    }
  }

  writeMark(mark: Mark): void {
    const fresh = `${this.#markPath}.new`;
    writeFileSync(fresh, `${JSON.stringify(mark)}\n`, { mode: 0o600 });
    renameSync(fresh, this.#markPath);
  }

  /** Whatever was written last before the system started: none of its clients is left. */
  isOlderThanSystem(): boolean {
    const startedMs = Date.now() - uptime() * 1000;
    try {
      // Rounded by the system, and the clock may have been set a little.
      return statSync(this.#markPath).mtimeMs < startedMs - 60_000;
    } catch {
      return false;
    }
  }

  get #markPath(): string {
    return join(this.#folder, `${this.#base}.mark`);
  }

  /** Leads to the socket of a life. */
  claimPath(number: number): string {
    return join(this.#folder, `${this.#base}.life-${number}`);
  }

  #numbers(): number[] {
    const start = `${this.#base}.life-`;
    return readdirSync(this.#folder)
      .filter((name) => name.startsWith(start))
      .map((name) => Number(name.slice(start.length)))
      .filter((number) => Number.isSafeInteger(number) && number > 0);
  }
}

/** Only this user can connect, from the moment at which the socket is there. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    const before = process.umask(0o177);
    try {
      server.listen({ path, backlog: 4096 });
      chmodSync(path, 0o600);
    } catch (error) {
      // Binding has failed, which the event tells with the reason.
      if (codeOf(error) !== 'ENOENT') reject(error);
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
    throw error;
  } finally {
    socket.destroy();
  }
}
