/**
 * Lists the exports and members of the public API whose doc comments are incomplete.
 *
 *     node site/check-api.mjs                    of every subpath, as a table of numbers
 *     node site/check-api.mjs ./jobs kds/fences  each gap of these subpaths
 *     node site/check-api.mjs --root FOLDER      of another worktree
 *     node site/check-api.mjs --all              each gap of every subpath
 *
 * The exit code is 1 if there is a gap.
 */

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ReflectionKind } from 'typedoc';
import { convertApi } from './api.mjs';

/** The parts that a doc comment can lack. */
export const partNames = ['summary', 'param', 'waits', 'example', 'since'];

/** Interfaces with methods that kds calls: callers implement them, or have them from elsewhere. */
const calledByKds = new Set(['AttachableWorker', 'ConformanceBackend', 'OpenBackend', 'Runner']);

/**
 * The gaps of a module: `{ name, part, place }` with a part of `partNames`; of a missing parameter,
 * `name` has it in parentheses. `place` is `file:line`.
 */
export function gapsOf(module) {
  const gaps = [];
  const placeOf = (reflection) => {
    const source = reflection.sources?.[0] ?? reflection.parent?.sources?.[0];
    return source === undefined ? '' : `${source.fileName}:${source.line}`;
  };
  const add = (reflection, name, part) => gaps.push({ name, part, place: placeOf(reflection) });

  const checkSignature = (signature, name, needsWaits) => {
    if (!hasSummary(signature)) add(signature, name, 'summary');
    for (const parameter of signature.parameters ?? []) {
      if (!hasSummary(parameter)) add(signature, `${name}(${parameter.name})`, 'param');
    }
    if (needsWaits && !hasTag(signature, '@waits')) add(signature, name, 'waits');
  };

  const checkMember = (member, owner, isCalled = true) => {
    // Its text is that of the interface or class that it is from.
    if (member.inheritedFrom !== undefined || member.implementationOf !== undefined) return;
    const name = `${owner}.${member.name}`;
    if (member.kindOf(ReflectionKind.Constructor)) {
      // kds makes errors; a constructor without parameters is described by its class.
      const isOfError = owner.endsWith('Error');
      for (const signature of isOfError ? [] : (member.signatures ?? [])) {
        const hasParameters = (signature.parameters ?? []).length > 0;
        if (hasParameters && !signature.inheritedFrom) checkSignature(signature, name, false);
      }
    } else if (member.signatures !== undefined) {
      for (const signature of member.signatures) checkSignature(signature, name, isCalled);
    } else if (member.kindOf(ReflectionKind.Accessor)) {
      if (!hasSummary(member.getSignature ?? member.setSignature)) add(member, name, 'summary');
    } else {
      if (!hasSummary(member)) add(member, name, 'summary');
      checkMembersOfType(member.type, name, isCalled);
    }
  };

  const checkMembersOfType = (type, name, isCalled) => {
    if (type?.type === 'array') checkMembersOfType(type.elementType, name, isCalled);
    if (type?.type === 'union' || type?.type === 'intersection') {
      for (const each of type.types) checkMembersOfType(each, name, isCalled);
    }
    if (type?.type !== 'reflection') return;
    for (const child of type.declaration.children ?? []) {
      // Of a tagged union, the tag needs no text of its own.
      if (child.type?.type !== 'literal') checkMember(child, name, isCalled);
    }
  };

  const checkExport = (item) => {
    const { name } = item;
    if (item.kindOf(ReflectionKind.Reference)) return;
    if (item.signatures !== undefined) {
      for (const signature of item.signatures) checkSignature(signature, name, true);
      const has = (tag) => item.signatures.some((signature) => hasTag(signature, tag));
      if (!has('@example')) add(item, name, 'example');
      if (!has('@since')) add(item, name, 'since');
      return;
    }
    if (!hasSummary(item)) add(item, name, 'summary');
    if (!hasTag(item, '@since')) add(item, name, 'since');
    if (needsExample(item) && !hasTag(item, '@example')) add(item, name, 'example');
    const isCalled = !calledByKds.has(name);
    for (const child of item.children ?? []) checkMember(child, name, isCalled);
    if (item.kindOf(ReflectionKind.TypeAlias)) {
      checkMembersOfType(item.type, name, isCalled);
      // A function type: its parameters.
      const signatures = item.type?.declaration?.signatures ?? [];
      for (const { parameters = [] } of signatures) {
        for (const parameter of parameters) {
          if (!hasSummary(parameter)) add(item, `${name}(${parameter.name})`, 'param');
        }
      }
    }
  };

  for (const item of module.children ?? []) checkExport(item);
  return gaps;
}

function hasSummary(reflection) {
  return (reflection?.comment?.summary ?? []).some(({ text }) => text.trim() !== '');
}

function hasTag(reflection, tag) {
  return reflection.comment?.getTag(tag) !== undefined;
}

/** Whether callers create or get it to call it: so errors and records need none. */
function needsExample(item) {
  if (calledByKds.has(item.name)) return false;
  const hasMethods = (item.children ?? []).some(({ signatures, kind }) => {
    return signatures !== undefined && kind !== ReflectionKind.Constructor;
  });
  if (item.kindOf(ReflectionKind.Interface)) return hasMethods;
  if (!item.kindOf(ReflectionKind.Class)) return false;
  return !item.name.endsWith('Error');
}

/** Gaps by subpath, in the order of entry-points.ts. */
export async function gapsBySubpath(root, subpaths) {
  const { modules } = await convertApi({ root, options: { logLevel: 'Error' } });
  const all = modules.map(({ subpath, module }) => [subpath, gapsOf(module)]);
  return new Map(all.filter(([subpath]) => subpaths?.includes(subpath) ?? true));
}

function printTable(gaps) {
  const rows = [...gaps].map(([subpath, list]) => {
    const counts = partNames.map((part) => list.filter((gap) => gap.part === part).length);
    return [subpath, ...counts, list.length];
  });
  const sums = [...partNames, 'all'].map((_, at) =>
    rows.reduce((sum, row) => sum + row[at + 1], 0),
  );
  const table = [['subpath', ...partNames, 'all'], ...rows, ['total', ...sums]];
  for (const [first, ...rest] of table) {
    console.log(first.padEnd(16) + rest.map((cell) => String(cell).padStart(9)).join(''));
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { root: { type: 'string' }, all: { type: 'boolean', default: false } },
  });
  const root = resolve(values.root ?? fileURLToPath(new URL('..', import.meta.url)));
  const subpaths = positionals.map((name) => {
    if (name === 'kds') return '.';
    return name.startsWith('.') ? name : `./${name.replace(/^kds\//, '')}`;
  });
  const gaps = await gapsBySubpath(root, subpaths.length > 0 ? subpaths : undefined);
  if (values.all || subpaths.length > 0) {
    for (const list of gaps.values()) {
      for (const { name, part, place } of list) console.log(`${place}  ${name}  ${part}`);
    }
  }
  printTable(gaps);
  process.exitCode = [...gaps.values()].some((list) => list.length > 0) ? 1 : 0;
}

if (process.argv[1] === join(fileURLToPath(import.meta.url))) await main();
