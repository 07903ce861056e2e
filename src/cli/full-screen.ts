/**
 * The whole terminal: its alternate screen, and single keys. Restored at the end, and while this
 * process is stopped, so that the shell finds the terminal unchanged.
 *
 * In raw mode Ctrl-Z is a key like any other, so it is handled here. After a stop all modes are set
 * again: another program may have changed the terminal.
 */

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const ctrlZ = '\x1a';
const ownGroup = 0;

export interface ScreenEvents {
  readonly onKey: (key: string) => void;
  /** The screen was cleared, and must be drawn again. */
  readonly onBlank: () => void;
}

export class FullScreen {
  readonly #events: ScreenEvents;
  readonly #stop = (): void => this.#stopAndContinue();
  readonly #continue = (): void => this.#take();
  readonly #readKeys = (keys: string): void => {
    for (const key of keys) {
      // As a terminal does, which sends the signal to the whole job.
      if (key === ctrlZ) process.kill(ownGroup, 'SIGTSTP');
      else this.#events.onKey(key);
    }
  };

  constructor(events: ScreenEvents) {
    this.#events = events;
  }

  open(): void {
    process.on('SIGTSTP', this.#stop);
    process.on('SIGCONT', this.#continue);
    process.stdin.setEncoding('utf8').on('data', this.#readKeys);
    this.#take();
  }

  close(): void {
    process.off('SIGTSTP', this.#stop);
    process.off('SIGCONT', this.#continue);
    process.stdin.off('data', this.#readKeys).pause();
    this.#restore();
  }

  /** Draws the whole terminal, line by line, without flicker. */
  draw(lines: readonly string[]): void {
    // A terminal of unknown size reports 0.
    const rowCount = process.stdout.rows || Number.POSITIVE_INFINITY;
    const drawnLines = lines.slice(0, rowCount - 1);
    process.stdout.write(`\x1b[H${drawnLines.map((line) => `${line}\x1b[K\r\n`).join('')}\x1b[J`);
  }

  #stopAndContinue(): void {
    this.#restore();
    process.off('SIGTSTP', this.#stop);
    // Without a handler it stops this process before `kill` returns, if a shell waits for the job.
    process.kill(process.pid, 'SIGTSTP');
    process.on('SIGTSTP', this.#stop);
    this.#take();
  }

  #take(): void {
    // Node sets a mode only if it differs from the last one that it set.
    process.stdin.setRawMode(false);
    process.stdin.setRawMode(true);
    process.stdout.write(enter);
    this.#events.onBlank();
  }

  #restore(): void {
    process.stdout.write(leave);
    process.stdin.setRawMode(false);
  }
}
