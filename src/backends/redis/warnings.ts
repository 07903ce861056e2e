/** Warnings to the process, of no request in particular: once for each text. */

import { escaped } from '../../runtime/escape.ts';

const countMax = 100;

export class Warnings {
  readonly #texts = new Set<string>();

  warn(text: string): void {
    if (this.#texts.size >= countMax || this.#texts.has(text)) return;
    this.#texts.add(text);
    process.emitWarning(escaped(text), { type: 'KdsWarning', code: 'KDS_PROTOCOL' });
  }
}
