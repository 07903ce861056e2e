/**
 * Moves variables of a command's environment that are longer than the system accepts, such as the
 * names of thousands of resources, to files; `NAME_FILE` is set instead of `NAME`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mayBeLong = ['KDS_RESOURCES', 'KDS_UNITS', 'KDS_RECOVERED'] as const;

/** Limit of `NAME=VALUE` and its NUL in Linux: MAX_ARG_STRLEN. */
const variableBytesMax = 128 * 1024;

export class VariableFiles {
  readonly #remove = (): void => this.remove();
  #env: NodeJS.ProcessEnv;
  #folder: string | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  get env(): NodeJS.ProcessEnv {
    return this.#env;
  }

  /** @throws the error of the file system. */
  moveLong(): void {
    this.#move((name, value) => Buffer.byteLength(value) + name.length + 2 > variableBytesMax);
  }

  /** False if none was left to move. @throws the error of the file system. */
  moveAll(): boolean {
    return this.#move(() => true);
  }

  /** Also done as this process exits, but not if it is killed. Doing it again does nothing. */
  remove(): void {
    if (this.#folder === undefined) return;
    process.off('exit', this.#remove);
    try {
      rmSync(this.#folder, { recursive: true, force: true });
    } catch {
      // In a directory for temporary files: the system removes it.
    }
    this.#folder = undefined;
  }

  #move(isMoved: (name: string, value: string) => boolean): boolean {
    let hasMoved = false;
    for (const name of mayBeLong) {
      const { [name]: value, ...others } = this.#env;
      if (value === undefined || !isMoved(name, value)) continue;
      this.#env = { ...others, [`${name}_FILE`]: this.#write(name, value) };
      hasMoved = true;
    }
    return hasMoved;
  }

  #write(name: string, value: string): string {
    if (this.#folder === undefined) {
      // Of mode 0700.
      this.#folder = mkdtempSync(join(tmpdir(), 'kds-run-'));
      process.on('exit', this.#remove);
    }
    const path = join(this.#folder, `${name.toLowerCase()}.json`);
    writeFileSync(path, value, { mode: 0o600, flag: 'wx' });
    return path;
  }
}
