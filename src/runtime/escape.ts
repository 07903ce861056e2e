/**
 * Names and labels are arbitrary text. These functions make them safe to print: on a terminal,
 * where control characters are commands; in any line, where direction marks reorder what follows;
 * and in the languages of graphs.
 */

/** Control and format characters, halves of pairs, and ends of lines and paragraphs. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;

const quotedLengthMax = 60;

const plain = /^[\p{L}\p{N}\p{P}\p{S}]+$/u;

/**
 * Makes a name or label safe to print: quoted if it is not one plain word, and cut.
 *
 * @param text - Any text.
 * @param lengthMax - Length that is left of it, at most, in code units. Default Infinity.
 * @waits Never.
 * @example
 * ```ts
 * import { printable } from 'kds/inspect';
 *
 * console.log(printable('db'), printable('two words')); // db "two words"
 * ```
 * @since 0.2.0
 */
export function printable(text: string, lengthMax = Number.POSITIVE_INFINITY): string {
  if (text.length > lengthMax) return `${printable(cut(text, lengthMax))}… (${text.length} long)`;
  if (plain.test(text) && !/["\\]/.test(text)) return text;
  return escaped(JSON.stringify(text));
}

/** In quotation marks, escaped, cut to `lengthMax` code units: for error messages. */
export function quote(text: string, lengthMax = quotedLengthMax): string {
  return escaped(JSON.stringify(text.length > lengthMax ? `${cut(text, lengthMax)}…` : text));
}

/** JSON that is safe on a terminal: the same value, with unprintable characters escaped. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(unprintable, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0))}`)
      .join(''),
  );
}

/**
 * Escapes unprintable characters of any text, ends of lines too, so that it is one line.
 *
 * @param text - Any text.
 * @waits Never.
 * @example
 * ```ts
 * import { escaped } from 'kds/inspect';
 *
 * console.log(escaped('a\nb')); // a\u000ab
 * ```
 * @since 0.1.0
 */
export function escaped(text: string): string {
  return text.replace(unprintable, (character) => {
    const code = character.codePointAt(0) as number;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${hex(code)}`;
  });
}

function hex(code: number): string {
  return code.toString(16).padStart(4, '0');
}

/** A string of the language of Graphviz, where `\` and `&` have a meaning within quotes. */
export function inDot(text: string): string {
  const inner = escaped(text).replace(/["\\]/g, '\\$&').replace(/&/g, '&amp;');
  return `"${inner}"`;
}

/** A text of Mermaid, with entities for special characters. */
export function inMermaid(text: string): string {
  const inner = escaped(text).replace(
    /[^\p{L}\p{N}_ .,:()/-]/gu,
    (character) => `#${character.codePointAt(0)};`,
  );
  return `"${inner}"`;
}

/** The beginning of a text, without half of a character of two code units at its end. */
export function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}
