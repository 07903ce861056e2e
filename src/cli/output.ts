/** What kds answers on stdout: for people where that is a terminal, else for programs. */

import { styleText } from 'node:util';

const { stdout } = process;

// Whoever read has seen enough, like `head`.
stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit();
  throw error;
});

export const isForPeople: boolean = stdout.isTTY === true;

/** Where colours are wanted: hasColors() knows TERM, NO_COLOR and FORCE_COLOR. */
const hasColours: boolean = isForPeople && stdout.hasColors();

/** Columns of the terminal. */
export function columnCount(): number {
  return (isForPeople && stdout.columns) || Number.POSITIVE_INFINITY;
}

export function print(text: string): void {
  stdout.write(`${text}\n`);
}

/** In one line. What a terminal would take for orders is escaped, as JSON has it. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
    }).join(''),
  );
}

export type Colour = 'green' | 'yellow' | 'bold' | 'dim';

export function coloured(colour: Colour, text: string): string {
  return hasColours ? styleText(colour, text, { validateStream: false }) : text;
}
