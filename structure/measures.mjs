/** Measures of the sources: how many lines, who imports whom, how wide the classes are. */

import { posix } from 'node:path';
import ts from 'typescript';
import { oldWordsOf } from './words.mjs';

export const importsMax = 20;
export const membersMax = 20;

/** `files` are `{ path, text }`, of src. */
export function measuresOf(files) {
  const sources = files.filter(({ path }) => path.endsWith('.ts'));
  const imports = importsOf(sources);
  return {
    files: files.length,
    lines: files.reduce((sum, { text }) => sum + text.split('\n').length - 1, 0),
    cycles: cyclesOf(imports).sort((one, other) => other.length - one.length),
    imports: sorted([...imports].map(([path, targets]) => [path, targets.length])),
    members: sorted(sources.flatMap(membersOf)),
    oldWords: files.reduce((sum, { path, text }) => sum + oldWordsOf(path, text).length, 0),
  };
}

function sorted(entries) {
  return entries.sort(([, one], [, other]) => other - one);
}

/** Files that each file imports, types included, each once. */
function importsOf(files) {
  const known = new Set(files.map(({ path }) => path));
  return new Map(
    files.map(({ path, text }) => {
      const targets = ts
        .preProcessFile(text)
        .importedFiles.map(({ fileName }) => posix.join(posix.dirname(path), fileName))
        .filter((target) => known.has(target));
      return [path, [...new Set(targets)]];
    }),
  );
}

/** Strongly connected components of more than one file (Tarjan). */
function cyclesOf(imports) {
  const cycles = [];
  const stack = [];
  const indexes = new Map();
  const lowest = new Map();
  const visit = (file) => {
    indexes.set(file, indexes.size);
    lowest.set(file, indexes.get(file));
    stack.push(file);
    for (const target of imports.get(file)) {
      if (!indexes.has(target)) visit(target);
      if (stack.includes(target)) {
        lowest.set(file, Math.min(lowest.get(file), lowest.get(target)));
      }
    }
    if (lowest.get(file) !== indexes.get(file)) return;
    const component = stack.splice(stack.indexOf(file));
    if (component.length > 1) cycles.push(component.sort());
  };
  for (const file of imports.keys()) if (!indexes.has(file)) visit(file);
  return cycles;
}

/** Each class of a file with its number of public members; a getter and its setter are one. */
function membersOf({ path, text }) {
  const found = [];
  const visit = (node) => {
    if (ts.isClassLike(node)) {
      const names = new Set(node.members.filter(isPublic).map(({ name }) => name.getText()));
      found.push([`${path} ${node.name?.text ?? 'class'}`, names.size]);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isPublic(member) {
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return false;
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (ts.getCombinedModifierFlags(member) & hidden) === 0;
}
