/** The files of one term of the broker, beside the path of the socket (term.ts has their use). */

import { randomBytes } from 'node:crypto';
import {
  lstatSync,
  lutimesSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UnavailableError } from '../../../api/errors.ts';
import { codeOf } from '../wire/socket-path.ts';

/** Of a term, at most: what is beyond was made by something else, and is ignored. */
const numberMax = 2 ** 48;

export class TermFiles {
  readonly socketPath: string;
  readonly folder: string;
  readonly #base: string;
  /** Of this term's own socket: never used before. */
  socketName: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.folder = dirname(socketPath);
    this.#base = basename(socketPath);
    this.socketName = this.#freshName();
  }

  get ownPath(): string {
    return join(this.folder, this.socketName);
  }

  get recordPath(): string {
    return join(this.folder, `${this.#base}.record`);
  }

  /** The next socket of this term has another name. */
  rename(): void {
    this.socketName = this.#freshName();
  }

  /** Whether a change of that name is about one of these, or about the directory as a whole. */
  isAmong(name: string): boolean {
    return name.startsWith(this.#base) || name === basename(this.folder);
  }

  /** The number of the last term, over or not; 0 if there was none. */
  highest(): number {
    return Math.max(0, ...this.#numbers());
  }

  /** False if somebody else has made that claim. */
  claim(number: number): boolean {
    if (number > numberMax) {
      const last = this.claimPath(number - 1);
      throw new UnavailableError(`no broker has had that many terms: delete ${last}`);
    }
    try {
      symlinkSync(this.socketName, this.claimPath(number));
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      if (!isFull(error) || !this.#unpublish(number - 1)) throw error;
    }
    return this.claim(number);
  }

  /** Makes room for a link. False if newcomers are led elsewhere than to a term that is over. */
  #unpublish(number: number): boolean {
    const name = this.readPublished();
    if (name === undefined || name !== this.readClaim(number)) return false;
    rmSync(this.socketPath, { force: true });
    return true;
  }

  /** Takes a claim back, unless it is another's by now. */
  withdraw(number: number): void {
    if (this.readClaim(number) === this.socketName) this.#remove(`${this.#base}.term-${number}`);
  }

  /** The name of the socket that a term has; undefined if there is no such term. */
  readClaim(number: number): string | undefined {
    return readLink(this.claimPath(number));
  }

  /** Leads to the socket of a term. */
  claimPath(number: number): string {
    return join(this.folder, `${this.#base}.term-${number}`);
  }

  /** The name of the socket that newcomers are led to. */
  readPublished(): string | undefined {
    return readLink(this.socketPath);
  }

  /** The well-known path leads to this term's socket. */
  publish(): void {
    const fresh = `${this.ownPath}.new`;
    try {
      symlinkSync(this.socketName, fresh);
      renameSync(fresh, this.socketPath);
    } catch (error) {
      rmSync(fresh, { force: true });
      if (!isFull(error)) throw error;
      // There is room for as many links as there are. Nobody is led anywhere for a moment.
      rmSync(this.socketPath, { force: true });
      symlinkSync(this.socketName, this.socketPath);
    }
  }

  /** A file of the socket, which is not this term's if it was deleted or replaced. */
  socketIdentity(): string | undefined {
    try {
      const { dev, ino } = lstatSync(this.ownPath);
      return `${dev} ${ino}`;
    } catch {
      return undefined;
    }
  }

  /** The directory, which another one may have replaced. */
  folderIdentity(): string | undefined {
    try {
      const { dev, ino } = lstatSync(this.folder);
      return `${dev} ${ino}`;
    } catch {
      return undefined;
    }
  }

  /** Keeps all that is needed young, as cleaners go by age. */
  refresh(number: number, epochMs: number): void {
    const now = new Date(epochMs);
    for (const path of [this.socketPath, this.claimPath(number)]) lutimesSync(path, now, now);
    utimesSync(this.ownPath, now, now);
  }

  /** Makes room: the socket of a term that is over. No later one has a socket of its name. */
  removeSocketOf(number: number): void {
    const name = this.readClaim(number);
    if (name !== undefined && this.#isSocketName(name)) this.#remove(name);
  }

  /** Makes room: no client needs the notice that one of them starts a broker (connect.ts). */
  removeNotice(): void {
    this.#remove(`${this.#base}.starting`);
  }

  /** Removes what earlier terms have left behind. */
  sweep(number: number): void {
    for (const old of this.#numbers()) {
      if (old >= number) continue;
      this.removeSocketOf(old);
      this.#remove(`${this.#base}.term-${old}`);
    }
    for (const name of readdirSync(this.folder)) {
      const isLeft = name.endsWith('.new') && this.#isSocketName(name.slice(0, -'.new'.length));
      if (isLeft) this.#remove(name);
    }
  }

  #isSocketName(name: string): boolean {
    const unique = name.slice(this.#base.length);
    return name.startsWith(this.#base) && /^\.[0-9a-f]{10}$/.test(unique);
  }

  #remove(name: string): void {
    try {
      rmSync(join(this.folder, name), { force: true });
    } catch {
      // A directory has that name, and does no harm.
    }
  }

  #freshName(): string {
    return `${this.#base}.${randomBytes(5).toString('hex')}`;
  }

  #numbers(): number[] {
    const start = `${this.#base}.term-`;
    return readdirSync(this.folder)
      .filter((name) => name.startsWith(start))
      .map((name) => name.slice(start.length))
      .filter((digits) => /^[1-9][0-9]{0,14}$/.test(digits))
      .map(Number)
      .filter((number) => number <= numberMax);
  }
}

/** Whether there is no room for what was to be made. */
export function isFull(error: unknown): boolean {
  return codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
