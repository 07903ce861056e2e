/**
 * Measures the columns of a text on a terminal, as wcwidth(3) does, and cuts texts to them.
 *
 * East Asian wide characters take two columns, combining marks take none. A sequence of emoji that
 * is drawn as one takes two.
 */

/** Property East_Asian_Width of Unicode, W and F, but for emoji: in blocks, as those are filled. */
const wide = new RegExp(
  `[\\u1100-\\u115f\\u2329\\u232a\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3` +
    `\\uf900-\\ufaff\\ufe10-\\ufe19\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6` +
    `\\u{16fe0}-\\u{18dff}\\u{1aff0}-\\u{1b2ff}\\u{1f200}-\\u{1f2ff}\\u{20000}-\\u{3fffd}]`,
  'u',
);
/** Marks on other characters, invisible characters, and the vowels and finals of Hangul. */
const none = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7fb]/u;
const emoji = /^(?:\p{Emoji_Presentation}|\p{RI}{2}|.\ufe0f)/u;
const plain = /^[ -~]*$/;

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

export function widthOf(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** With spaces after it, to that many columns at least. */
export function padded(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

/** To that many columns at most; `…` stands for the part that is cut off. */
export function cutTo(text: string, columns: number): string {
  // A text of more code units than any terminal has columns is not measured to its end.
  if (text.length <= columns && widthOf(text) <= columns) return text;
  let width = 0;
  // Up to where one column is left for the mark, unless all of the text fits.
  let marked = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    width += widthOfGrapheme(segment);
    if (width > columns) return columns < 1 ? '' : `${text.slice(0, marked)}…`;
    if (width < columns) marked = index + segment.length;
  }
  return text;
}

function widthOfGrapheme(grapheme: string): number {
  if (emoji.test(grapheme)) return 2;
  let width = 0;
  for (const character of grapheme) {
    if (!none.test(character)) width += wide.test(character) ? 2 : 1;
  }
  return width;
}
