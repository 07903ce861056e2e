/**
 * The structure of src in figures: `npm run structure`.
 *
 *     npm run structure                        of the files as they are
 *     npm run structure -- --at REV            of a commit
 *     npm run structure -- --words PATH        the old words below a path, with what to write
 *     npm run structure -- --lower             lowers words.json to what is left
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { importsMax, measuresOf, membersMax } from './measures.mjs';
import { countsOf, isCounted, oldWordsOf } from './words.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const countsFile = new URL('words.json', import.meta.url);

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/** Files of the working tree, or of a commit, as `{ path, text }`. */
function filesAt(commit, isWanted) {
  const list =
    commit === undefined
      ? git('ls-files', '--cached', '--others', '--exclude-standard')
      : git('ls-tree', '-r', '--name-only', commit);
  const paths = list.split('\n').filter(isWanted);
  if (commit !== undefined) {
    return paths.map((path) => ({ path, text: git('show', `${commit}:${path}`) }));
  }
  return paths.flatMap((path) => {
    try {
      return [{ path, text: readFileSync(`${root}${path}`, 'utf8') }];
    } catch {
      // Deleted, and not yet committed.
      return [];
    }
  });
}

function printMeasures(commit) {
  const isSource = (path) => path.startsWith('src/') && isCounted(path);
  const { files, lines, cycles, imports, members, oldWords } = measuresOf(
    filesAt(commit, isSource),
  );
  const over = (list, max) => list.filter(([, count]) => count > max);
  const wide = over(members, membersMax);
  const many = over(imports, importsMax);
  const rows = [
    ['files', files],
    ['lines', lines],
    ['cycles of imports, types included', cycles.length],
    ['files in such cycles', cycles.flat().length],
    ['files in the largest one', cycles[0]?.length ?? 0],
    ['imports of a file, at most', imports[0][1]],
    [`files with more than ${importsMax} imports`, many.length],
    ['public members of a class, at most', members[0][1]],
    [`classes with more than ${membersMax}`, wide.length],
    ['old words', oldWords],
  ];
  console.log(`| src | ${commit ?? 'now'} |\n|---|---:|`);
  for (const [name, figure] of rows) console.log(`| ${name} | ${figure} |`);
  for (const [name, list] of [
    ['Imports', many],
    ['Public members', wide],
  ]) {
    const entries = list.map(([what, count]) => `\`${what}\` ${count}`);
    if (entries.length > 0) console.log(`\n${name}: ${entries.join(', ')}.`);
  }
  for (const cycle of cycles) console.log(`\nCycle of ${cycle.length}: ${cycle.join(' ')}`);
}

function printWords(below) {
  for (const { path, text } of filesAt(undefined, (path) => isCounted(path))) {
    if (!path.startsWith(below)) continue;
    for (const { line, word, write } of oldWordsOf(path, text)) {
      console.log(`${path}:${line} ${word}: ${write}`);
    }
  }
}

/** Lowers what has fallen; a folder whose count has risen keeps its limit. */
function lowerCounts() {
  const limits = JSON.parse(readFileSync(countsFile, 'utf8'));
  const counts = countsOf(filesAt(undefined, isCounted));
  const lowered = Object.keys(limits)
    .map((folder) => [folder, Math.min(limits[folder], counts[folder] ?? 0)])
    .filter(([, count]) => count > 0);
  writeFileSync(countsFile, `${JSON.stringify(Object.fromEntries(lowered), undefined, 2)}\n`);
}

const { values } = parseArgs({
  options: { at: { type: 'string' }, words: { type: 'string' }, lower: { type: 'boolean' } },
});
if (values.words !== undefined) printWords(values.words);
else if (values.lower) lowerCounts();
else printMeasures(values.at);
