/** Output on stdout: for people if it is a terminal, else for programs. */

import { styleText } from 'node:util';

const { stdout } = process;

// The reader has closed the pipe, as `head` does.
stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit();
  throw error;
});

export const isForPeople: boolean = stdout.isTTY === true;

/** hasColors() follows TERM, NO_COLOR and FORCE_COLOR. */
const hasColours: boolean = isForPeople && stdout.hasColors();

/** Columns of the terminal. */
export function columnCount(): number {
  return (isForPeople && stdout.columns) || Number.POSITIVE_INFINITY;
}

export function print(text: string): void {
  stdout.write(`${text}\n`);
}

export type Colour = 'green' | 'yellow' | 'bold' | 'dim';

export function coloured(colour: Colour, text: string): string {
  return hasColours ? styleText(colour, text, { validateStream: false }) : text;
}
