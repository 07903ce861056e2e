/**
 * The public API as typedoc reads it from the sources: one module per entry point, named like the
 * import. The site is generated from it, and check-api.mjs checks it.
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Application, Comment, Converter, OptionDefaults, ReflectionKind } from 'typedoc';
import ts from 'typescript';

/** The module entry-points.ts of a repository. Node 20 cannot import TypeScript. */
function readEntryPoints(root) {
  const source = readFileSync(join(root, 'entry-points.ts'), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
}

/**
 * Converts the entry points of a repository, or those of some subpaths. Resolves with typedoc's
 * application and project; rejects if typedoc reports an error.
 */
export async function convertApi({ root, subpaths, options = {} }) {
  const { entryPoints, specifierOf } = await readEntryPoints(root);
  const wanted = subpaths ?? Object.keys(entryPoints);
  const unknown = wanted.filter((subpath) => entryPoints[subpath] === undefined);
  if (unknown.length > 0) throw new Error(`no such subpath in entry-points.ts: ${unknown}`);
  const app = await Application.bootstrapWithPlugins({
    name: 'kds',
    entryPoints: wanted.map((subpath) => join(root, entryPoints[subpath])),
    entryPointStrategy: 'resolve',
    tsconfig: join(root, 'tsconfig.json'),
    basePath: root,
    readme: 'none',
    // `npm run check:types` checks the types.
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeExternals: true,
    disableGit: true,
    sourceLinkTemplate: '{path}',
    blockTags: [...OptionDefaults.blockTags, '@waits'],
    sort: ['kind', 'source-order'],
    logLevel: 'Warn',
    ...options,
  });
  const sources = new Set(wanted.map((subpath) => resolve(root, entryPoints[subpath])));
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => moveHeaders(project, sources));
  app.converter.addUnknownSymbolResolver(({ moduleSource, symbolReference }, from) => {
    const names = (symbolReference?.path ?? []).map(({ path }) => path);
    return moduleSource === undefined ? exportOf(from.project, names) : undefined;
  });
  const project = await app.convert();
  if (project === undefined || app.logger.hasErrors()) throw new Error('typedoc failed');
  const bySource = new Map(wanted.map((subpath) => [resolve(root, entryPoints[subpath]), subpath]));
  const [only] = wanted;
  // A project of one entry point has the exports of it as its own.
  const modules = wanted.length === 1 ? [{ subpath: only, module: project }] : [];
  for (const module of wanted.length === 1 ? [] : (project.children ?? [])) {
    const subpath = bySource.get(resolve(root, module.sources?.[0]?.fullFileName ?? ''));
    if (subpath === undefined) throw new Error(`no entry point has the module ${module.name}`);
    module.name = specifierOf(subpath);
    modules.push({ subpath, module });
  }
  modules.sort((one, other) => wanted.indexOf(one.subpath) - wanted.indexOf(other.subpath));
  return { app, project, modules };
}

/**
 * The export that a `{@link}` names, or a member of it, in any module: an import only for the sake
 * of a comment would be an unused one.
 */
function exportOf(project, [first, ...members]) {
  const items = [project, ...project.getReflectionsByKind(ReflectionKind.Module)].flatMap(
    ({ children }) => children ?? [],
  );
  const isOwn = (item) => item.name === first && !item.kindOf(ReflectionKind.Reference);
  let found = items.find(isOwn);
  for (const name of members) found = found?.getChildByName(name);
  return found && { target: found, caption: [first, ...members].join('.') };
}

/**
 * The comment at the head of a file belongs to its module. typedoc gives it to the exports of the
 * first statement, where that is an `export { ... } from`.
 */
function moveHeaders(project, files) {
  const moduleOf = (file) => {
    const isOf = ({ sources }) => resolve(sources?.[0]?.fullFileName ?? '') === file;
    return project.getReflectionsByKind(ReflectionKind.Module).find(isOf) ?? project;
  };
  for (const file of files) {
    const header = headerOf(readFileSync(file, 'utf8'));
    if (header === undefined) continue;
    for (const reflection of Object.values(project.reflections)) {
      const { comment } = reflection;
      if (comment === undefined || reflection.kindOf(ReflectionKind.SomeModule)) continue;
      const text = Comment.combineDisplayParts(comment.summary);
      if (comment.sourcePath === file && text === header) reflection.comment = undefined;
    }
    const [first] = header.split('\n\n');
    moduleOf(file).comment = new Comment([{ kind: 'text', text: first }]);
  }
}

/** The text of the doc comment that a file begins with, unless it documents a declaration. */
function headerOf(source) {
  const [whole, text] = /^\/\*\*([\s\S]*?)\*\/\n*/.exec(source) ?? [];
  if (text === undefined || /\*\/\n(?!\n)/.test(whole)) return undefined;
  return text
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}
