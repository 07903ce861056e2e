/** Folders that tests make among the temporary files, and delete when they have ended. */

import { rmSync } from 'node:fs';

const msMax = 120_000;
const pauseMs = 20;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Deletes a folder and what is in it, also if a program that is about to end (a browser's own
 * children, a broker that tidies up) still makes a file there meanwhile: whatever was not there
 * when the folder was read makes the platform's own deletion fail, however often it is retried.
 */
export function removeFolder(path: string): void {
  for (const endMs = performance.now() + msMax; ; ) {
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      const isNotEmpty = error instanceof Error && 'code' in error && error.code === 'ENOTEMPTY';
      if (!isNotEmpty || performance.now() > endMs) throw error;
    }
    Atomics.wait(sleeper, 0, 0, pauseMs);
  }
}
