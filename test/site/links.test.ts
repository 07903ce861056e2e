/** The checks of links: in the documents of the repository, and in built pages. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Documents {
  faultsOf(
    documents: ReadonlyMap<string, string>,
    packed: readonly string[],
    exists: (path: string) => boolean,
  ): string[];
  faultsIn(root: string): string[];
}
interface Html {
  faultsOfSite(folder: string): string[];
}

const [documentsSource, htmlSource] = ['../../site/check-links.mjs', '../../site/check-html.mjs'];
const { faultsOf, faultsIn } = (await import(documentsSource as string)) as Documents;
const { faultsOfSite } = (await import(htmlSource as string)) as Html;

/** The faults of documents by path, of which `docs` and README are in the package. */
function check(texts: Record<string, string>): string[] {
  const documents = new Map(Object.entries(texts));
  const exists = (path: string): boolean => documents.has(path) || path === 'src/a.ts';
  return faultsOf(documents, ['docs', 'README.md'], exists);
}

describe('the check of the documents', () => {
  it('finds no fault in this repository', () => {
    expect(faultsIn(fileURLToPath(new URL('../..', import.meta.url)))).toEqual([]);
  });

  it('finds a missing file, a missing anchor, and a file that is not in the package', () => {
    const faults = check({
      'README.md': '# A\n[b](docs/b.md) [c](docs/c.md)\n[x](docs/b.md#x) [two\nlines](src/a.ts)',
      'docs/b.md': '# B\n[top](#b) [up](../README.md#a) ![no](no.png)\n\n[ref]: none.md',
      'NOTES.md': '[source](src/a.ts) [site](https://example.org/no)',
    });
    expect(faults).toEqual([
      'README.md:2 docs/c.md does not exist',
      'README.md:3 docs/b.md#x has no such anchor',
      'README.md:3 src/a.ts is not in the package',
      'docs/b.md:2 no.png does not exist',
      'docs/b.md:4 none.md does not exist',
    ]);
  });

  it('reads no links and no headings in code', () => {
    const text = ['```md', '# No', '[a](no.md)', '```', '`[a](no.md)` [b](#no)'].join('\n');
    expect(check({ 'docs/a.md': text })).toEqual(['docs/a.md:5 #no has no such anchor']);
  });

  it('reads links with a title or in angle brackets, and links to other sites as such', () => {
    const text = '# One thing\n[a](b.md "B") [c](<#one-thing>) [d](<#two> "D")\n[g](https://h)';
    expect(check({ 'docs/a.md': text })).toEqual([
      'docs/a.md:2 b.md does not exist',
      'docs/a.md:2 #two has no such anchor',
    ]);
  });

  it('knows the anchors of GitHub', () => {
    const headings = '# `kds run` within "kds"\n## Q&A: it_s\n## Same\n## Same\n## [Link](b.md) é';
    const links = ['kds-run-within-kds', 'qa-it_s', 'same', 'same-1', 'link-é'];
    const text = `${headings}\n${links.map((anchor) => `[a](#${anchor})`).join(' ')}`;
    expect(check({ 'docs/a.md': text, 'docs/b.md': '' })).toEqual([]);
  });
});

describe('the check of the built pages', () => {
  it('finds dead links, missing anchors, and files loaded from another site', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kds-site-'));
    writeFileSync(
      join(folder, 'a.html'),
      '<h2 id="x">X</h2><a href="/b.html">1</a><a href="b#y">2</a><a href="/c.html">3</a>' +
        '<a class="d" href="#x">4</a><a href="https://example.org">5</a>',
    );
    writeFileSync(
      join(folder, 'b.html'),
      '<a href="a.html#z">1</a><img src="https://example.org/a.png"><link href="/no.css">',
    );
    const faults = faultsOfSite(folder);
    rmSync(folder, { recursive: true });
    expect(faults).toEqual([
      'a.html has a link to a missing anchor: b#y',
      'a.html has a dead link: /c.html',
      'b.html loads https://example.org/a.png',
      'b.html has no /no.css',
      'b.html has a link to a missing anchor: a.html#z',
    ]);
  });
});
