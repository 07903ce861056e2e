/**
 * What one term of the broker leaves to the next, in a file beside the socket. It is of use, and
 * not required: a term that cannot write it goes on, and one that cannot read it begins with a time
 * of grace. So what is read is believed only as far as it can be checked.
 */

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tokenStartMax } from '../wire/limits.ts';

export interface TermRecord {
  /** No token beyond this has been given. */
  readonly tokens: number;
  /** Nobody was connected at the end. */
  readonly isClean: boolean;
  /** The term that wrote it; undefined if that is not recorded. */
  readonly term: string | undefined;
  /** The start of the system in which it was written; undefined where that has no name. */
  readonly boot: string | undefined;
}

/** Always of one length, so that one that is there can be written over on a full disk. */
const byteCount = 256;
/** There is room for all tokens of a term beyond it. */
const tokensCheckedMax = 2 ** 53 - 2 ** 40;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = constants;

/** The record of a file; undefined if it is missing, damaged, or anything else but a record. */
export function readRecord(path: string): TermRecord | undefined {
  let text: string;
  try {
    text = readStart(path);
  } catch {
    return undefined;
  }
  return parse(text);
}

/**
 * Replaces the record of a file in one step; or, where there is no room for that, writes over it.
 *
 * @throws what the file system refuses with: then the record is what it was.
 */
export function writeRecord(path: string, record: TermRecord): void {
  const text = `${JSON.stringify({ ...record, check: checkOf(record) }).padEnd(byteCount - 1)}\n`;
  const unique = `${path.slice(0, -'.record'.length)}.${randomBytes(5).toString('hex')}`;
  const fresh = `${unique}.new`;
  try {
    writeInto(fresh, O_WRONLY | O_CREAT | O_EXCL, text);
    // A directory of that name cannot be replaced by a file.
    if (isFolder(path)) renameSync(path, `${unique}.old`);
    renameSync(fresh, path);
  } catch {
    rmSync(fresh, { force: true });
    writeInto(path, O_WRONLY, text);
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Equal as long as the file is the same, and as it was. */
export function fingerprint(path: string): string {
  try {
    const { dev, ino, size, mtimeMs } = lstatSync(path);
    return `${dev} ${ino} ${size} ${mtimeMs}`;
  } catch {
    return '';
  }
}

/** The name of this start of the system; undefined where it has none. */
export function bootName(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return undefined;
  }
}

/** Never of a link, a pipe, or more than is of use. */
function readStart(path: string): string {
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) return '';
    const bytes = Buffer.alloc(byteCount * 4);
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function writeInto(path: string, flags: number, text: string): void {
  const file = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is no file`);
    if (writeSync(file, text) < text.length) throw new Error(`${path} took only a part`);
    if (fstatSync(file).size > text.length) ftruncateSync(file, text.length);
  } finally {
    closeSync(file);
  }
}

function parse(text: string): TermRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { tokens, isClean, term, boot, check } = value as { readonly [key in string]?: unknown };
  // One without a check was written by an earlier version, or by hand: it could be any number.
  const tokensMax = check === undefined ? tokenStartMax : tokensCheckedMax;
  if (!Number.isSafeInteger(tokens) || (tokens as number) < 0) return undefined;
  if ((tokens as number) > tokensMax) return undefined;
  const record: TermRecord = {
    tokens: tokens as number,
    isClean: isClean === true,
    term: typeof term === 'string' ? term : undefined,
    boot: typeof boot === 'string' ? boot : undefined,
  };
  return check === undefined || check === checkOf(record) ? record : undefined;
}

function checkOf({ tokens, isClean, term = '', boot = '' }: TermRecord): string {
  const text = JSON.stringify([tokens, isClean, term, boot]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
