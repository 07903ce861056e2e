/**
 * A file system in memory: folders, files, links and sockets, as much of one as the broker uses. It
 * may be full: then there is room for as much as is removed, and a file may be written over.
 */

export interface Folder {
  readonly kind: 'folder';
  readonly ino: number;
  readonly entries: Map<string, Entry>;
  readonly watchers: Set<(name: string) => void>;
}

export interface PlainFile {
  readonly kind: 'file';
  readonly ino: number;
  bytes: Buffer;
  mtimeMs: number;
}

interface Link {
  readonly kind: 'link';
  readonly ino: number;
  readonly target: string;
}

export interface SocketFile {
  readonly kind: 'socket';
  readonly ino: number;
}

export type Entry = Folder | PlainFile | Link | SocketFile;

const linksMax = 8;

export function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

export class Disk {
  /** Room for entries, and for what is in files. */
  #room = Number.POSITIVE_INFINITY;
  #inoLast = 0;
  readonly #root: Folder = this.#createFolder();

  get isFull(): boolean {
    return this.#room < Number.POSITIVE_INFINITY;
  }

  /** Others take all the room that there is, or give it back. */
  fill(isFull: boolean): void {
    this.#room = isFull ? 0 : Number.POSITIVE_INFINITY;
  }

  /** What is at a path; undefined for nothing. A link at its end is followed, or not. */
  find(path: string, isFollowed: boolean): Entry | undefined {
    let at: string | undefined = path;
    for (let count = 0; at !== undefined && count < linksMax; count++) {
      const entry = this.#entryAt(at);
      if (!isFollowed || entry?.kind !== 'link') return entry;
      at = entry.target.startsWith('/') ? entry.target : `${folderOf(at)}/${entry.target}`;
    }
    throw systemError('ELOOP', path);
  }

  /** @throws ENOENT */
  get(path: string, isFollowed: boolean): Entry {
    const entry = this.find(path, isFollowed);
    if (entry === undefined) throw systemError('ENOENT', path);
    return entry;
  }

  /** The folder that a path is in. @throws ENOENT, ENOTDIR */
  parentOf(path: string): Folder {
    return this.folder(folderOf(path));
  }

  folder(path: string): Folder {
    const entry = this.get(path, true);
    if (entry.kind !== 'folder') throw systemError('ENOTDIR', path);
    return entry;
  }

  makeFolder(path: string): void {
    this.#add(path, this.#createFolder());
  }

  makeFile(path: string, mtimeMs: number): PlainFile {
    const file: PlainFile = { kind: 'file', ino: this.#ino(), bytes: Buffer.alloc(0), mtimeMs };
    this.#add(path, file);
    return file;
  }

  makeLink(target: string, path: string): void {
    this.#add(path, { kind: 'link', ino: this.#ino(), target });
  }

  makeSocket(path: string): SocketFile {
    const socket: SocketFile = { kind: 'socket', ino: this.#ino() };
    this.#add(path, socket);
    return socket;
  }

  /** Replaces what is there. */
  rename(from: string, to: string): void {
    const entry = this.get(from, false);
    const [source, target] = [this.parentOf(from), this.parentOf(to)];
    source.entries.delete(nameOf(from));
    this.#room += sizeOf(target.entries.get(nameOf(to)));
    target.entries.set(nameOf(to), entry);
    notify(source, nameOf(from));
    notify(target, nameOf(to));
  }

  /** False if nothing is there. */
  remove(path: string): boolean {
    const parent = this.find(folderOf(path), true);
    const entry = parent?.kind === 'folder' ? parent.entries.get(nameOf(path)) : undefined;
    if (parent?.kind !== 'folder' || entry === undefined) return false;
    parent.entries.delete(nameOf(path));
    this.#room += sizeOf(entry);
    notify(parent, nameOf(path));
    return true;
  }

  /** @throws ENOSPC */
  write(file: PlainFile, text: string): void {
    if (file.bytes.length === 0) this.#takeRoom('a file');
    file.bytes = Buffer.concat([Buffer.from(text), file.bytes.subarray(text.length)]);
  }

  #add(path: string, entry: Entry): void {
    const parent = this.parentOf(path);
    if (parent.entries.has(nameOf(path))) throw systemError('EEXIST', path);
    this.#takeRoom(path);
    parent.entries.set(nameOf(path), entry);
    notify(parent, nameOf(path));
  }

  #takeRoom(path: string): void {
    if (this.#room < 1) throw systemError('ENOSPC', path);
    this.#room--;
  }

  #entryAt(path: string): Entry | undefined {
    let at: Entry | undefined = this.#root;
    for (const name of path.split('/')) {
      if (name === '' || at === undefined) continue;
      if (at.kind !== 'folder') throw systemError('ENOTDIR', path);
      at = at.entries.get(name);
    }
    return at;
  }

  #createFolder(): Folder {
    return { kind: 'folder', ino: this.#ino(), entries: new Map(), watchers: new Set() };
  }

  #ino(): number {
    this.#inoLast++;
    return this.#inoLast;
  }
}

/** A file that has been written takes room for itself and for what is in it. */
function sizeOf(entry: Entry | undefined): number {
  if (entry === undefined) return 0;
  return entry.kind === 'file' && entry.bytes.length > 0 ? 2 : 1;
}

function notify(folder: Folder, name: string): void {
  for (const watcher of folder.watchers) watcher(name);
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
