/** The picture of ARCHITECTURE.md: its arrows are the imports between the folders of src. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The box that a file of src is in: a folder of src, or one of src/backends. */
function boxOf(path: string): string {
  const [, folder = '', backend = ''] = path.split('/');
  if (folder.endsWith('.ts')) return '';
  return folder === 'backends' ? `backends/${backend}` : folder;
}

type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

function importedBoxes(): Arrows {
  const arrows = new Map<string, Set<string>>();
  for (const path of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue;
    const file = `src/${path.split(sep).join('/')}`;
    const from = boxOf(file);
    const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'));
    for (const { fileName } of importedFiles) {
      if (!fileName.startsWith('.')) continue;
      const to = boxOf(
        normalize(join(dirname(file), fileName))
          .split(sep)
          .join('/'),
      );
      if (from === to || from === '' || to === '') continue;
      arrows.set(from, (arrows.get(from) ?? new Set()).add(to));
    }
  }
  return arrows;
}

/** The arrows of a flowchart, by the texts of its boxes up to the colon. */
function drawnArrows(markdown: string): Arrows {
  const picture = /```mermaid\n(.*?)```/s.exec(markdown)?.[1] ?? '';
  const names = new Map<string, string>();
  for (const [, id = '', text = ''] of picture.matchAll(/(\w+)\["([^":]+)[^"]*"\]/g)) {
    names.set(id, text.trim());
  }
  const arrows = new Map<string, Set<string>>();
  const plain = picture.replace(/\["[^"]*"\]/g, '');
  for (const [, left = '', right = ''] of plain.matchAll(/^\s*([\w &]+?)\s*-->\s*([\w &]+)$/gm)) {
    for (const from of left.split('&')) {
      for (const to of right.split('&')) {
        const name = names.get(from.trim()) ?? from.trim();
        const target = names.get(to.trim()) ?? to.trim();
        arrows.set(name, (arrows.get(name) ?? new Set()).add(target));
      }
    }
  }
  return arrows;
}

function reachable(arrows: Arrows, from: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const to of arrows.get(at) ?? []) {
      if (!seen.has(to)) open.push(to);
      seen.add(to);
    }
  }
  return seen;
}

const imported = importedBoxes();
const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
const drawn = drawnArrows(text);
const pairs = (arrows: Arrows): readonly string[] =>
  [...arrows].flatMap(([from, tos]) => [...tos].map((to) => `${from} --> ${to}`));

describe('the picture of the architecture', () => {
  it('has a box for each folder', () => {
    const boxes = new Set([...drawn].flatMap(([from, tos]) => [from, ...tos]));
    const folders = new Set([...imported].flatMap(([from, tos]) => [from, ...tos]));
    expect([...boxes].sort()).toEqual([...folders].sort());
  });

  it('has no arrow that is no import', () => {
    const known = new Set(pairs(imported));
    expect(pairs(drawn).filter((arrow) => !known.has(arrow))).toEqual([]);
  });

  it('leads along its arrows to all that a folder imports', () => {
    const missing = pairs(imported).filter((arrow) => {
      const [from = '', to = ''] = arrow.split(' --> ');
      return !reachable(drawn, from).has(to);
    });
    expect(missing).toEqual([]);
  });

  it('has no arrow that others imply', () => {
    const implied = pairs(drawn).filter((arrow) => {
      const [from = '', to = ''] = arrow.split(' --> ');
      const others = [...(drawn.get(from) ?? [])].filter((other) => other !== to);
      return others.some((other) => reachable(drawn, other).has(to));
    });
    expect(implied).toEqual([]);
  });

  it('is followed by walks through files that exist', () => {
    const named = [...text.matchAll(/`((?:src\/)?[a-z-]+\/[a-z/-]+\.ts)`/g)].map(
      ([, path = '']) => path,
    );
    const missing = named.filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, 'src', path)),
    );
    expect(named.length).toBeGreaterThan(15);
    expect(missing).toEqual([]);
  });
});
