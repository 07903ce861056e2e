/** node:fs of the simulated system, with as much of /proc as the broker reads. */

import { constants as realConstants } from 'node:fs';
import { type Entry, type PlainFile, systemError } from './disk.ts';
import { theSystem } from './system.ts';

export const constants = realConstants;

const userId = process.geteuid?.() ?? 0;
const files = new Map<number, PlainFile>();
let fileLast = 100;

class Stats {
  readonly dev = 1;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly uid: number;
  readonly mode: number;
  readonly #kind: Entry['kind'];

  constructor(entry: Entry, isOwn: boolean) {
    this.#kind = entry.kind;
    this.ino = entry.ino;
    this.size = entry.kind === 'file' ? entry.bytes.length : 0;
    this.mtimeMs = entry.kind === 'file' ? entry.mtimeMs : 0;
    this.uid = isOwn ? userId : 0;
    this.mode = isOwn ? 0o700 : 0o1777;
  }

  isFile(): boolean {
    return this.#kind === 'file';
  }

  isDirectory(): boolean {
    return this.#kind === 'folder';
  }

  isSymbolicLink(): boolean {
    return this.#kind === 'link';
  }
}

export function lstatSync(path: string, options: { readonly throwIfNoEntry?: boolean } = {}) {
  const entry = theSystem().disk.find(path, false);
  if (entry !== undefined) return new Stats(entry, path !== '/' && path !== '/tmp');
  if (options.throwIfNoEntry === false) return undefined;
  throw systemError('ENOENT', path);
}

export function existsSync(path: string): boolean {
  return theSystem().disk.find(path, true) !== undefined;
}

export function mkdirSync(path: string): void {
  theSystem().disk.makeFolder(path);
}

export function realpathSync(path: string): string {
  theSystem().disk.get(path, true);
  return path;
}

export function readdirSync(path: string): readonly string[] {
  const { disk, listeners } = theSystem();
  if (path === '/proc/self/fd') return [];
  if (path.startsWith('/proc/')) return [...listeners].map(({ ino }) => String(ino));
  return [...disk.folder(path).entries.keys()];
}

export function readlinkSync(path: string): string {
  if (path.startsWith('/proc/')) return `socket:[${path.slice(path.lastIndexOf('/') + 1)}]`;
  const entry = theSystem().disk.get(path, false);
  if (entry.kind !== 'link') throw systemError('EINVAL', path);
  return entry.target;
}

export function readFileSync(path: string): string {
  const { listeners } = theSystem();
  if (path === '/proc/net/unix') {
    const lines = [...listeners].map((listener) => {
      return `0: 2 0 10000 1 1 ${listener.ino} ${listener.path.replace('\0', '@')}\n`;
    });
    return `Num RefCount Protocol Flags Type St Inode Path\n${lines.join('')}`;
  }
  if (path === '/proc/sys/kernel/random/boot_id') return 'this-boot\n';
  const user = process.getuid?.();
  if (path.endsWith('/status')) return `Uid:\t${user}\t${userId}\t${userId}\t${userId}\n`;
  throw systemError('ENOENT', path);
}

export function writeFileSync(path: string): void {
  const system = theSystem();
  system.disk.makeFile(path, system.epochMs());
}

export function symlinkSync(target: string, path: string): void {
  theSystem().disk.makeLink(target, path);
}

export function renameSync(from: string, to: string): void {
  theSystem().disk.rename(from, to);
}

export function rmSync(path: string): void {
  theSystem().disk.remove(path);
}

export function chmodSync(path: string): void {
  theSystem().disk.get(path, true);
}

export function utimesSync(path: string, _atime: Date, mtime: Date): void {
  touch(theSystem().disk.get(path, true), mtime);
}

export function lutimesSync(path: string, _atime: Date, mtime: Date): void {
  touch(theSystem().disk.get(path, false), mtime);
}

function touch(entry: Entry, mtime: Date): void {
  if (entry.kind === 'file') entry.mtimeMs = mtime.getTime();
}

export function openSync(path: string, flags: number): number {
  const system = theSystem();
  const isNew = (flags & constants.O_CREAT) !== 0;
  const file = isNew ? system.disk.makeFile(path, system.epochMs()) : system.disk.get(path, false);
  if (file.kind !== 'file') throw systemError('ENXIO', path);
  fileLast++;
  files.set(fileLast, file);
  return fileLast;
}

export function fstatSync(number: number): Stats {
  return new Stats(fileOf(number), true);
}

export function readSync(number: number, bytes: Buffer): number {
  return fileOf(number).bytes.copy(bytes);
}

export function writeSync(number: number, text: string): number {
  const system = theSystem();
  const file = fileOf(number);
  system.disk.write(file, text);
  file.mtimeMs = system.epochMs();
  return text.length;
}

export function ftruncateSync(number: number, length: number): void {
  const file = fileOf(number);
  file.bytes = file.bytes.subarray(0, length);
}

export function closeSync(number: number): void {
  files.delete(number);
}

/** Reports names that come and go in a folder, and not what becomes of the folder itself. */
export function watch(
  path: string,
  _options: object,
  onChange: (event: 'rename', name: string) => void,
) {
  const { disk, world, process: machine } = theSystem();
  const { watchers } = disk.folder(path);
  const watcher = (name: string): void => {
    world.clock.after(1, () =>
      machine.receive(() => {
        if (watchers.has(watcher)) onChange('rename', name);
      }),
    );
  };
  watchers.add(watcher);
  return { close: () => void watchers.delete(watcher), on: () => undefined };
}

function fileOf(number: number): PlainFile {
  const file = files.get(number);
  if (file === undefined) throw systemError('EBADF', String(number));
  return file;
}
