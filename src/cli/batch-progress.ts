/** Progress of a batch, in the last line of a terminal; elsewhere only failures. */

import { escaped, report } from './messages.ts';
import { cutTo } from './text-width.ts';

const drawMs = 100;

export class BatchProgress {
  readonly #count: number;
  readonly #isLive: boolean;
  readonly #running = new Set<string>();
  #done = 0;
  #failed = 0;
  #skipped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDrawn = false;

  constructor(count: number, isLive: boolean) {
    this.#count = count;
    this.#isLive = isLive;
  }

  begin(label: string): void {
    this.#running.add(label);
    this.#drawSoon();
  }

  done(label: string): void {
    this.#done++;
    this.#end(label);
  }

  failed(label: string, what: string): void {
    this.#failed++;
    this.note(what);
    this.#end(label);
  }

  /** Above the line, on a terminal. */
  note(text: string): void {
    this.#clear();
    report(text);
    this.#drawSoon();
  }

  skipped(label: string): void {
    this.#skipped++;
    this.#end(label);
  }

  /** Removes the line and prints the summary. */
  close(): void {
    clearTimeout(this.#timer);
    this.#clear();
    if (this.#isLive || this.#failed + this.#skipped > 0) report(this.#summary());
  }

  #end(label: string): void {
    this.#running.delete(label);
    this.#drawSoon();
  }

  #summary(): string {
    const parts = [`${this.#done} of ${this.#count} done`];
    if (this.#failed > 0) parts.push(`${this.#failed} failed`);
    if (this.#skipped > 0) parts.push(`${this.#skipped} not run`);
    return parts.join(', ');
  }

  #drawSoon(): void {
    if (!this.#isLive || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#draw(), drawMs);
  }

  #draw(): void {
    this.#timer = undefined;
    const running = [...this.#running].map(escaped).join(', ');
    const text = `kds: ${this.#summary()}${running === '' ? '' : `; running ${running}`}`;
    const width = Math.max(20, (process.stderr.columns ?? 80) - 1);
    this.#clear();
    process.stderr.write(cutTo(text, width));
    this.#isDrawn = true;
  }

  #clear(): void {
    if (this.#isDrawn) process.stderr.write('\r\x1b[K');
    this.#isDrawn = false;
  }
}
