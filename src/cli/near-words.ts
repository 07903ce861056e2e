/** Suggestions for mistyped words. */

/** `: did you mean --shared?`, if one of the words is near it; else empty. */
export function didYouMean(text: string, words: readonly string[]): string {
  const near = nearestOf(text, words);
  return near === undefined ? '' : `: did you mean ${near}?`;
}

/** The nearest word, one letter in three away at most; or the only word with this beginning. */
function nearestOf(text: string, words: readonly string[]): string | undefined {
  const longer = words.filter((word) => text.length > 2 && word.startsWith(text));
  if (longer.length === 1) return longer[0];
  // A long text is near to no word, and slow to compare.
  if (text.length > 40) return undefined;
  const letterCount = text.replace(/^-+/, '').length;
  let least = Math.max(1, Math.floor(letterCount / 3)) + 1;
  let nearest: string | undefined;
  for (const word of words) {
    const distance = distanceOf(text, word);
    // A word without a common letter is not near, however short.
    if (distance < least && distance < letterCount) {
      least = distance;
      nearest = word;
    }
  }
  return nearest;
}

/** Insertions, deletions, replacements and swaps of adjacent letters (optimal string alignment). */
function distanceOf(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const at = (list: readonly number[], index: number): number => list[index] as number;
      let distance = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + +!isSame);
      const isSwapped =
        i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwapped) distance = Math.min(distance, at(before, j - 2) + 1);
      row.push(distance);
    }
    before = last;
    last = row;
  }
  return last[other.length] as number;
}
