/**
 * Names and labels are any text whatever. Here they are made safe to be shown: on a terminal, where
 * control characters are orders; in any line, where marks of direction turn round what follows; and
 * in the languages that graphs are written in.
 */

/** Control and format characters, halves of pairs, and ends of lines and paragraphs. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]/gu;

const quotedLengthMax = 60;

const plain = /^[\p{L}\p{N}\p{P}\p{S}]+$/u;

/** A name or label: quoted if it is not one plain word, and cut to so many code units. */
export function shown(text: string, lengthMax = Number.POSITIVE_INFINITY): string {
  if (text.length > lengthMax) return `${shown(cut(text, lengthMax))}… (${text.length} long)`;
  if (plain.test(text) && !/["\\]/.test(text)) return text;
  return escaped(JSON.stringify(text));
}

/** In quotation marks, escaped, and cut to a number of code units: for error messages. */
export function quote(text: string, lengthMax = quotedLengthMax): string {
  return escaped(JSON.stringify(text.length > lengthMax ? `${cut(text, lengthMax)}…` : text));
}

/** JSON that a terminal may be shown: the same value, all that is not seen written out. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(unseen, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0))}`)
      .join(''),
  );
}

/** Any text: in one line, what is not seen or is an order written out. */
export function escaped(text: string): string {
  return text.replace(unseen, (character) => {
    const code = character.codePointAt(0) as number;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${hex(code)}`;
  });
}

function hex(code: number): string {
  return code.toString(16).padStart(4, '0');
}

/** As a string of the language of Graphviz, where `\` and `&` mean something within quotes. */
export function inDot(text: string): string {
  const inner = escaped(text).replace(/["\\]/g, '\\$&').replace(/&/g, '&amp;');
  return `"${inner}"`;
}

/** As a text of Mermaid, which knows characters by entity. */
export function inMermaid(text: string): string {
  const inner = escaped(text).replace(
    /[^\p{L}\p{N}_ .,:()/-]/gu,
    (character) => `#${character.codePointAt(0)};`,
  );
  return `"${inner}"`;
}

/** The beginning of a text, which does not end within a character of two code units. */
export function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}
