/**
 * The words that docs/glossary.md replaces do not come back: structure/words.json has their number
 * for each folder, and a number may only fall.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import limits from '../structure/words.json' with { type: 'json' };

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Words {
  oldWordsOf(path: string, text: string): { line: number; word: string; write: string }[];
  countsOf(files: readonly SourceFile[]): Record<string, number>;
  isCounted(path: string): boolean;
}

const source = '../structure/words.mjs';
const { oldWordsOf, countsOf, isCounted } = (await import(source)) as Words;
const root = fileURLToPath(new URL('..', import.meta.url));

function countedFiles(): SourceFile[] {
  const below = ['src', 'docs', 'man', 'examples'].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name.replaceAll('\\', '/')}`,
    ),
  );
  const paths = [...readdirSync(root), ...below].filter(isCounted);
  return paths.map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));
}

describe('the old words', () => {
  const limitOf: Readonly<Record<string, number>> = limits;
  const counts = countsOf(countedFiles());

  it.each(Object.keys({ ...limitOf, ...counts }).sort())('%s has no more of them', (folder) => {
    const [count, limit] = [counts[folder] ?? 0, limitOf[folder] ?? 0];
    expect(
      count,
      `${folder}: \`npm run structure -- --words ${folder}\` lists them, and what to write`,
    ).toBeLessThanOrEqual(limit);
    expect(
      count,
      `${folder} has fewer than words.json allows: run \`npm run structure -- --lower\``,
    ).toBe(limit);
  });

  const wordsOf = (text: string, path = 'src/core/queue.ts'): string[] =>
    oldWordsOf(path, text).map(({ word }) => word);

  it('are found in prose and in every form of an identifier', () => {
    expect(wordsOf('// Robbed of it\nisRobbed; robbedCount; #robbed; LINK_ROBBED;')).toEqual([
      'Robbed',
      'Robbed',
      'robbed',
      'robbed',
      'ROBBED',
    ]);
    expect(wordsOf('// Who waits, sleeps. Who? It sleeps for so long.')).toEqual([
      'Who',
      'for so long',
    ]);
  });

  it('have the number of their line, and what to write instead', () => {
    expect(oldWordsOf('docs/a.md', '\na circle')).toEqual([
      { line: 2, word: 'circle', write: 'cycle' },
    ]);
  });

  it('are not seen in longer words, and not where the word means something else', () => {
    expect(wordsOf('intellectual, placement, string, shear, lifetime, essay, outlook')).toEqual([]);
    expect(wordsOf('client.host; hostname; a hash in place of a list')).toEqual([]);
    expect(wordsOf('the ring of the jobs', 'src/recipes/jobs/ring.ts')).toEqual([]);
    expect(wordsOf('the ring of the observers')).toEqual(['ring']);
  });

  it('are counted in sources, examples and every document but the glossary', () => {
    const counted = ['CHANGELOG.md', 'docs/guides/a/b.md', 'docs/decisions/1.md', 'man/kds.1'];
    expect(counted.filter(isCounted)).toEqual(counted);
    expect(['docs/glossary.md', 'test/a.test.ts', 'bench/a.ts'].filter(isCounted)).toEqual([]);
  });
});
